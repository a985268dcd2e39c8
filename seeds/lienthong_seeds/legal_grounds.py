"""The legal grounds that a new world begins with.

The grounds are those of Law 91/2025 Art. 19(1) [R2]; which further article a procedure rests on is from memory [M].
"""

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis, ReferenceForm
from lienthong_gateway.registration import LegalGround

_POPULATION = "/lienthong.api.population.v1.PopulationService/"
_IDENTITY = "/lienthong.api.identity.v1.IdentityService/"
_EVERY_METHOD = frozenset(
    {
        *(f"{_POPULATION}{name}" for name in ("VerifyCitizen", "GetCitizen", "GetHousehold", "VerifyRelationship")),
        *(f"{_POPULATION}{name}" for name in ("UpdateResidence", "ListChanges")),
        *(f"{_IDENTITY}{name}" for name in ("GetAccount", "LockAccount", "UnlockAccount")),
    }
)
_DOSSIER = ReferenceForm.REFERENCE_FORM_DOSSIER
_TEST_CASE = ReferenceForm.REFERENCE_FORM_TEST_CASE

RESIDENCE_REGISTRATION = LegalGround(
    code="residence-registration",
    basis=LegalBasis.LEGAL_BASIS_STATE_BODY,
    law_vi="Luật 91/2025/QH15, Điều 19, khoản 1, điểm c; Luật Cư trú 68/2020/QH14",
    law_en="Law 91/2025/QH15, Art. 19(1)(c); Law on Residence 68/2020/QH14",
    reference_forms=frozenset({_DOSSIER}),
    methods=frozenset({f"{_POPULATION}UpdateResidence"}),
    purposes=frozenset({"1.004222", "1.004194"}),
)

CONSENT_REPRESENTATION = LegalGround(
    code="consent-representation",
    basis=LegalBasis.LEGAL_BASIS_STATE_BODY,
    law_vi="Luật 91/2025/QH15, Điều 19, khoản 1, điểm c",
    law_en="Law 91/2025/QH15, Art. 19(1)(c)",
    reference_forms=frozenset({ReferenceForm.REFERENCE_FORM_CONSENT_REQUEST}),
    methods=frozenset({f"{_POPULATION}VerifyRelationship", f"{_POPULATION}GetCitizen"}),
    purposes=frozenset({"consent-representation"}),
)
"""The identity provider asks whether somebody represents the child for whom she wants to consent."""


def _for_tests(
    code: str, basis: LegalBasis.ValueType, point_vi: str, point_en: str, *forms: ReferenceForm.ValueType
) -> LegalGround:
    return LegalGround(
        code=f"integration-test-{code}",
        basis=basis,
        law_vi=f"Luật 91/2025/QH15, Điều 19, khoản 1, điểm {point_vi} (mô phỏng để kiểm thử)",
        law_en=f"Law 91/2025/QH15, Art. 19(1)({point_en}) (simulated for tests)",
        reference_forms=frozenset({*forms, _TEST_CASE}),
        methods=_EVERY_METHOD,
        purposes=frozenset({"integration-test"}),
    )


LEGAL_GROUNDS = (
    RESIDENCE_REGISTRATION,
    CONSENT_REPRESENTATION,
    _for_tests("emergency", LegalBasis.LEGAL_BASIS_EMERGENCY, "a", "a", ReferenceForm.REFERENCE_FORM_INCIDENT),
    _for_tests("security", LegalBasis.LEGAL_BASIS_SECURITY, "b", "b", ReferenceForm.REFERENCE_FORM_DECISION),
    _for_tests(
        "state-body", LegalBasis.LEGAL_BASIS_STATE_BODY, "c", "c", _DOSSIER, ReferenceForm.REFERENCE_FORM_DECISION
    ),
    _for_tests("contract", LegalBasis.LEGAL_BASIS_CONTRACT, "d", "d", ReferenceForm.REFERENCE_FORM_CONTRACT),
    _for_tests("other-law", LegalBasis.LEGAL_BASIS_OTHER_LAW, "đ", "đ", ReferenceForm.REFERENCE_FORM_LEGISLATION),
)
