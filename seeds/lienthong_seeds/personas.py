"""The personas: citizens with stable numbers and names, each made for a case. They are part of every population.

>>> persona("nguyen-thi-mai").personal_number
'099190000001'
"""

from dataclasses import dataclass
from typing import Literal

from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE, Sex


@dataclass(frozen=True, slots=True)
class Persona:
    """A citizen made for a case. Her family is in the register as well."""

    key: str
    """Her name without diacritics, such as `nguyen-thi-mai`."""
    personal_number: str
    full_name: str
    birth_date: str
    """`YYYY-MM-DD`, or `YYYY` where no more is known."""
    sex: Sex.ValueType
    household_number: str
    """Empty for people registered in no household."""
    account_level: Literal[1, 2] | None
    """Level of her e-identity account; None: she has none."""
    account_state: Literal["active", "locked"] | None
    case: str
    case_vi: str
    former_number: str = ""
    """A cancelled number that still finds her; mostly empty."""


def persona(key: str) -> Persona:
    """Return the persona with that key; raises KeyError, naming the keys there are."""
    for candidate in PERSONAS:
        if candidate.key == key:
            return candidate
    message = f"There is no persona {key!r}. There are: {', '.join(candidate.key for candidate in PERSONAS)}."
    raise KeyError(message)


PERSONAS = (
    Persona(
        "nguyen-thi-mai", "099190000001", "Nguyễn Thị Mai", "1990-03-15", SEX_FEMALE, "H000000001", 2, "active",
        "Adult with a level-2 account who registers a new permanent residence; lives with husband and children.",
        "Tài khoản mức độ 2, đăng ký thường trú mới; sống cùng chồng và hai con.",
    ),
    Persona(
        "pham-huu-binh", "099075000002", "Phạm Hữu Bính", "1975-11-02", SEX_MALE, "H000000002", 1, "active",
        "Adult with a level-1 account only: refused where level 2 is needed.",
        "Chỉ có tài khoản mức độ 1.",
    ),
    Persona(
        "vo-thi-lanh", "099148000003", "Võ Thị Lành", "1948-08-20", SEX_FEMALE, "H000000003", None, None,
        "Elderly widow without an e-identity account.",
        "Người cao tuổi, góa, chưa có tài khoản định danh điện tử.",
    ),
    Persona(
        "hoang-manh-tuyen", "099085000004", "Hoàng Mạnh Tuyên", "1985-01-30", SEX_MALE, "H000000004", 2, "locked",
        "Adult whose level-2 account is locked: no login.",
        "Tài khoản mức độ 2 đang bị khóa.",
    ),
    Persona(
        "le-gia-han", "099318000005", "Lê Gia Hân", "2018-05-20", SEX_FEMALE, "H000000005", 1, "active",
        "Child under 14 with a legal representative, her mother.",
        "Trẻ em dưới 14 tuổi, người đại diện là mẹ.",
    ),
    Persona(
        "huynh-van-phuoc", "099050000006", "Huỳnh Văn Phước", "1950-04-18", SEX_MALE, "H000000006", 2, "active",
        "Head of a household of nine: four generations, from his mother to his grandchildren.",
        "Chủ hộ gia đình chín người, bốn thế hệ.",
    ),
    Persona(
        "dang-dinh-tho", "099040000007", "Đặng Đình Thọ", "1940-10-05", SEX_MALE, "", 2, "locked",
        "Deceased in 2024; the account was locked on his death.",
        "Đã chết năm 2024; tài khoản bị khóa do chủ tài khoản chết.",
    ),
    Persona(
        "bui-thi-nga", "099182000008", "Bùi Thị Nga", "1982-12-12", SEX_FEMALE, "", 2, "locked",
        "Declared missing by a court in 2023; still the spouse on her husband's record.",
        "Bị Tòa án tuyên bố mất tích năm 2023; vẫn là vợ trong hồ sơ của chồng.",
    ),
    Persona(
        "do-thuy-hoa", "099194000009", "Đỗ Thuỳ Hoà", "1994-02-28", SEX_FEMALE, "H000000009", 2, "active",
        "Name with tones placed the newer way (Thuỳ Hoà, elsewhere written Thùy Hòa): matching must not mind.",
        "Tên đặt dấu kiểu mới (Thuỳ Hoà), nơi khác viết Thùy Hòa.",
    ),
    Persona(
        "h-blok-enuol", "099188000010", "H' Blơ̆k Êñuôl", "1988-06-17", SEX_FEMALE, "H000000010", 2, "active",
        "Ê Đê name with an apostrophe, ñ, and a letter (ơ̆) that even NFC leaves as two code points.",
        "Họ tên người Ê Đê có dấu nháy, chữ ñ và chữ ơ̆ (hai mã Unicode ngay cả ở dạng NFC).",
    ),
    Persona(
        "giang-a-pao", "099052000011", "Giàng A Páo", "1952", SEX_MALE, "H000000011", 2, "active",
        "Only the year of birth is known.",
        "Chỉ biết năm sinh.",
    ),
    Persona(
        "ngo-quang-lich", "099078000012", "Ngô Quang Lịch", "1978-09-09", SEX_MALE, "H000000012", 2, "active",
        "Number re-issued in 2024 because the year of birth was corrected; the old number still finds him.",
        "Số định danh được cấp lại năm 2024 do sửa năm sinh; tra số cũ vẫn thấy.",
        former_number="099079000012",
    ),
    Persona(
        "truong-bich-loc", "099179000013", "Trương Bích Lộc", "1979-07-21", SEX_FEMALE, "H000000013", 2, "active",
        "Same house across the 2025 merger: a former residence in a ward of Bình Dương with district, now Hồ Chí Minh.",
        "Nơi cư trú qua đợt sáp nhập 2025: phường cũ thuộc tỉnh Bình Dương, nay thuộc Thành phố Hồ Chí Minh.",
    ),
    Persona(
        "lindqvist-anna-karin", "099187000014", "Lindqvist Anna Karin", "1987-04-03", SEX_FEMALE, "", 2, "active",
        "Foreigner (Sweden) with a residence card and a temporary residence.",
        "Người nước ngoài (Thụy Điển) có thẻ cư trú, đăng ký tạm trú.",
    ),
    Persona(
        "phan-thi-kim-loan", "099199000015", "Phan Thị Kim Loan", "1999-10-10", SEX_FEMALE, "H000000015", 2, "active",
        "Temporary residence (tạm trú) in Bắc Ninh, permanent with her parents in Nghệ An.",
        "Thường trú cùng cha mẹ ở Nghệ An, tạm trú ở Bắc Ninh.",
    ),
    Persona(
        "duong-thi-thom", "099183000016", "Dương Thị Thơm", "1983-05-05", SEX_FEMALE, "H000000016", 2, "active",
        "Woman who has revoked every consent she gave; level 2, lives with husband and son.",
        "Đã rút lại mọi sự đồng ý; tài khoản mức độ 2, sống cùng chồng và con trai.",
    ),
)  # fmt: skip
"""Every persona; the order never changes, new ones come last."""
