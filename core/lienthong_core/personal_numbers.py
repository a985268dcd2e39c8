"""Personal numbers (số định danh cá nhân), by their form alone."""

import re

from lienthong_core.errors import invalid

_PERSONAL_NUMBER = re.compile(r"[0-9]{12}")


def is_personal_number(text: str) -> bool:
    """Return whether a text has twelve digits (Law 26/2023/QH15 Art. 12); none is a check digit (TT 59/2021/TT-BCA)."""
    return _PERSONAL_NUMBER.fullmatch(text) is not None


def check_personal_number(text: str) -> str:
    """Return `text` if it has the form of a personal number; refused: PERSONAL_NUMBER_INVALID."""
    if not is_personal_number(text):
        message = "A personal number has twelve digits, such as 099190000001; correct it."
        raise invalid("PERSONAL_NUMBER_INVALID", message)
    return text
