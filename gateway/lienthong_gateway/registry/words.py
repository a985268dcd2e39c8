"""The legal bases in words, and the forms of the references that are given for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis, ReferenceForm


@dataclass(frozen=True)
class Words:
    """A text in Vietnamese and in English."""

    vi: str
    en: str


LEGAL_BASIS_WORDS: Mapping[LegalBasis.ValueType, Words] = MappingProxyType(
    {
        LegalBasis.LEGAL_BASIS_CONSENT: Words(
            "Sự đồng ý của chủ thể dữ liệu (Luật 91/2025/QH15, Điều 9)",
            "The citizen's consent (Law 91/2025/QH15, Art. 9)",
        ),
        LegalBasis.LEGAL_BASIS_EMERGENCY: Words(
            "Bảo vệ tính mạng, sức khỏe trong trường hợp cấp bách (Luật 91/2025/QH15, Điều 19, khoản 1, điểm a)",
            "Protecting life or health in an emergency (Law 91/2025/QH15, Art. 19(1)(a))",
        ),
        LegalBasis.LEGAL_BASIS_SECURITY: Words(
            "Tình trạng khẩn cấp, an ninh quốc gia (Luật 91/2025/QH15, Điều 19, khoản 1, điểm b)",
            "State of emergency or national security (Law 91/2025/QH15, Art. 19(1)(b))",
        ),
        LegalBasis.LEGAL_BASIS_STATE_BODY: Words(
            "Hoạt động của cơ quan nhà nước theo quy định của pháp luật (Luật 91/2025/QH15, Điều 19, khoản 1, điểm c)",
            "Activities of state bodies under the law (Law 91/2025/QH15, Art. 19(1)(c))",
        ),
        LegalBasis.LEGAL_BASIS_CONTRACT: Words(
            "Thực hiện thỏa thuận của chủ thể dữ liệu với cơ quan, tổ chức, cá nhân theo quy định của pháp luật "
            "(Luật 91/2025/QH15, Điều 19, khoản 1, điểm d)",
            "Performing the citizen's agreement with a body under the law (Law 91/2025/QH15, Art. 19(1)(d))",
        ),
        LegalBasis.LEGAL_BASIS_OTHER_LAW: Words(
            "Trường hợp khác theo quy định của pháp luật (Luật 91/2025/QH15, Điều 19, khoản 1, điểm đ)",
            "Other cases by law (Law 91/2025/QH15, Art. 19(1)(đ))",
        ),
    }
)
"""The law's grounds in short; their wording is not quoted."""


@dataclass(frozen=True)
class Form:
    """What a reference looks like: its pattern, what it is, and an example."""

    pattern: re.Pattern[str]
    words: Words
    example: str


REFERENCE_FORMS: Mapping[ReferenceForm.ValueType, Form] = MappingProxyType(
    {
        ReferenceForm.REFERENCE_FORM_DOSSIER: Form(
            re.compile(
                r"([0-9]{3}\.[0-9]{2}\.[0-9]{2}\.)?[A-Z][0-9]{2}(\.[0-9]{1,3}){0,2}-[0-9]{6}([0-9]{2})?-[0-9]{4,7}"
            ),
            Words("mã hồ sơ", "the code of a dossier"),
            "G01.99-20261121-0000001",
        ),
        ReferenceForm.REFERENCE_FORM_DECISION: Form(
            re.compile(r"[1-9][0-9]{0,5}/QD-[A-Za-z0-9]{2,15}"),
            Words("số quyết định, viết D thay Đ", "the number of a decision, with D for Đ"),
            "123/QD-UBND",
        ),
        ReferenceForm.REFERENCE_FORM_LEGISLATION: Form(
            re.compile(r"[1-9][0-9]{0,3}/(19|20)[0-9]{2}/(QH[0-9]{1,2}|(PL|NQ|ND|QD|TT|TTLT)-[A-Za-z0-9-]{2,15})"),
            Words("số văn bản quy phạm pháp luật, viết D thay Đ", "the number of a law or decree, with D for Đ"),
            "356/2025/ND-CP",
        ),
        ReferenceForm.REFERENCE_FORM_CONTRACT: Form(
            re.compile(r"[1-9][0-9]{0,6}/20[0-9]{2}/HD-[A-Z0-9]{2,15}"),
            Words("số hợp đồng, viết D thay Đ", "the number of a contract, with D for Đ"),
            "125/2026/HD-BANK01",
        ),
        ReferenceForm.REFERENCE_FORM_INCIDENT: Form(
            re.compile(r"CC-[0-9]{8}-[0-9]{4}"),
            Words("số vụ việc cấp bách", "the number of an emergency"),
            "CC-20261121-0001",
        ),
        ReferenceForm.REFERENCE_FORM_TEST_CASE: Form(
            re.compile(r"[A-Z]{2,8}(-[0-9]{1,7}){1,3}"),
            Words("tên ca kiểm thử", "the name of a test case"),
            "TEST-1",
        ),
        ReferenceForm.REFERENCE_FORM_CONSENT_REQUEST: Form(
            re.compile(r"consent-request/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
            Words("mã yêu cầu đồng ý", "the identifier of a request for consent"),
            "consent-request/6f0f5a5e-52c1-4f0e-9f38-2f6b6a1c9d10",
        ),
    }
)
"""Dossier codes as seen in use [R]; the other documents' numbers as they are written [M], in ASCII because headers are;
incidents and test cases are invented."""


def has_form(reference: str, forms: frozenset[ReferenceForm.ValueType]) -> bool:
    """Return whether a reference has one of the forms."""
    return any(REFERENCE_FORMS[form].pattern.fullmatch(reference) for form in forms)


def describe(forms: frozenset[ReferenceForm.ValueType]) -> Words:
    """Return in words, with examples, which forms there are to choose from."""
    known = [REFERENCE_FORMS[form] for form in sorted(forms)]
    return Words(
        " hoặc ".join(f"{form.words.vi}, ví dụ {form.example}" for form in known),
        " or ".join(f"{form.words.en}, such as {form.example}" for form in known),
    )
