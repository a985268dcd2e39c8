"""The administrative procedures (thủ tục hành chính) that can be applied for: data, nothing else.

Marks as in the project's notes: [R2] read in a secondary text, [M] from memory and not confirmed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType

from lienthong.api.population.v1.citizen_pb2 import ResidenceKind


class Kind(Enum):
    """What a form field may hold."""

    TEXT = auto()
    """Up to 500 characters on one line."""
    SEX = auto()
    """`Nam` or `Nữ`."""
    DATE = auto()
    """A day, `YYYY-MM-DD`."""
    PARTIAL_DATE = auto()
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD`: some births are known by year alone."""
    PERSONAL_NUMBER = auto()
    """Anybody's personal number, 12 digits."""
    OWN_NUMBER = auto()
    """The applicant's personal number."""
    PROVINCE_CODE = auto()
    """Two digits (QĐ 19/2025/QĐ-TTg) [R2]."""
    COMMUNE_CODE = auto()
    """Five digits (QĐ 19/2025/QĐ-TTg) [R2]."""
    ADDRESS_DETAIL = auto()
    """Up to 200 printable characters: the register takes no more, and a submitted form cannot be corrected."""
    PHONE = auto()
    """Ten digits, the first 0."""
    EMAIL = auto()
    """An address with one @."""


class RegisterField(StrEnum):
    """What can be read from the population database to prefill a form: paths in its answers."""

    FULL_NAME = "citizen.name.full_name"
    BIRTH_DATE = "citizen.birth_date"
    SEX = "citizen.sex"
    PERSONAL_NUMBER = "citizen.personal_number"
    PERMANENT_RESIDENCE = "citizen.permanent_residence.address"
    CURRENT_RESIDENCE = "citizen.current_residence.address"
    RELATION_TO_HEAD = "citizen.relation_to_head"
    HEAD_NAME = "household.members[0].name.full_name"
    HEAD_NUMBER = "household.members[0].personal_number"


@dataclass(frozen=True)
class FieldDefinition:
    """A field of a form; `prefill` is empty for what only the citizen can give."""

    name: str
    label_vi: str
    kind: Kind
    required: bool = False
    prefill: RegisterField | None = None


@dataclass(frozen=True)
class Procedure:
    """A procedure; its outcome is a residence of kind `outcome`, registered when the dossier is finished."""

    code: str
    name_vi: str
    name_en: str
    working_days: int
    form: str
    fields: tuple[FieldDefinition, ...]
    datasets: tuple[str, ...]
    outcome: ResidenceKind.ValueType


BIRTH_DATE = "birth_date"
NEW_PROVINCE = "new_province_code"
NEW_COMMUNE = "new_commune_code"
NEW_DETAIL = "new_address_detail"
FROM_DATE = "from_date"

_CT01 = (
    FieldDefinition("full_name", "Họ, chữ đệm và tên", Kind.TEXT, required=True, prefill=RegisterField.FULL_NAME),
    FieldDefinition(
        BIRTH_DATE, "Ngày, tháng, năm sinh", Kind.PARTIAL_DATE, required=True, prefill=RegisterField.BIRTH_DATE
    ),
    FieldDefinition("sex", "Giới tính", Kind.SEX, required=True, prefill=RegisterField.SEX),
    FieldDefinition(
        "personal_number", "Số định danh cá nhân", Kind.OWN_NUMBER, required=True, prefill=RegisterField.PERSONAL_NUMBER
    ),
    FieldDefinition("phone", "Số điện thoại liên hệ", Kind.PHONE),
    FieldDefinition("email", "Email", Kind.EMAIL),
    FieldDefinition("permanent_residence", "Nơi thường trú", Kind.TEXT, prefill=RegisterField.PERMANENT_RESIDENCE),
    FieldDefinition("current_residence", "Nơi ở hiện tại", Kind.TEXT, prefill=RegisterField.CURRENT_RESIDENCE),
    FieldDefinition("head_name", "Họ, chữ đệm và tên chủ hộ", Kind.TEXT, prefill=RegisterField.HEAD_NAME),
    FieldDefinition("relation_to_head", "Mối quan hệ với chủ hộ", Kind.TEXT, prefill=RegisterField.RELATION_TO_HEAD),
    FieldDefinition(
        "head_personal_number",
        "Số định danh cá nhân của chủ hộ",
        Kind.PERSONAL_NUMBER,
        prefill=RegisterField.HEAD_NUMBER,
    ),
    FieldDefinition(NEW_PROVINCE, "Nơi đề nghị đăng ký: mã tỉnh, thành phố", Kind.PROVINCE_CODE, required=True),
    FieldDefinition(NEW_COMMUNE, "Nơi đề nghị đăng ký: mã xã, phường, đặc khu", Kind.COMMUNE_CODE, required=True),
    FieldDefinition(NEW_DETAIL, "Nơi đề nghị đăng ký: số nhà, đường, thôn, tổ", Kind.ADDRESS_DETAIL, required=True),
    FieldDefinition(FROM_DATE, "Cư trú tại đây từ ngày", Kind.DATE, required=True),
    FieldDefinition("request", "Nội dung đề nghị", Kind.TEXT),
)
"""Form CT01 (Tờ khai thay đổi thông tin cư trú); the form's number [R2], its fields and labels [M]. The new address is
split into codes here because the register takes codes; on paper it is one line."""

PERMANENT_RESIDENCE = Procedure(
    code="1.004222",
    name_vi="Đăng ký thường trú",
    name_en="Registration of permanent residence",
    working_days=7,
    form="CT01",
    fields=_CT01,
    datasets=("identity.basic", "residence", "household"),
    outcome=ResidenceKind.RESIDENCE_KIND_PERMANENT,
)
"""Code, form and 7 working days: [R2]."""

TEMPORARY_RESIDENCE = Procedure(
    code="1.004194",
    name_vi="Đăng ký tạm trú",
    name_en="Registration of temporary residence",
    working_days=3,
    form="CT01",
    fields=_CT01,
    datasets=("identity.basic", "residence", "household"),
    outcome=ResidenceKind.RESIDENCE_KIND_TEMPORARY,
)
"""Code, form and 3 working days: [R2]."""

PROCEDURES: Mapping[str, Procedure] = MappingProxyType(
    {procedure.code: procedure for procedure in (TEMPORARY_RESIDENCE, PERMANENT_RESIDENCE)}
)
"""By code, in the order of the codes."""
