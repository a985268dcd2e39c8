"""What has the form of a personal number, and the refusal of what has not."""

import pytest

from lienthong_core.errors import Refusal
from lienthong_core.personal_numbers import check_personal_number, is_personal_number

NOT_TWELVE_ASCII_DIGITS = ("", "09919000000", "0991900000011", "099 190 000 001", "٠٩٩١٩٠٠٠٠٠٠١", "099190000001\n")


def test_twelve_ascii_digits_are_a_personal_number() -> None:
    assert is_personal_number("099190000001")
    assert check_personal_number("099190000001") == "099190000001"


@pytest.mark.parametrize("text", NOT_TWELVE_ASCII_DIGITS)
def test_what_is_not_twelve_ascii_digits_is_refused(text: str) -> None:
    assert not is_personal_number(text)
    with pytest.raises(Refusal) as refused:
        check_personal_number(text)
    assert refused.value.reason == "PERSONAL_NUMBER_INVALID"
