"""Reading a call's metadata without being talked into anything."""

from collections.abc import Iterable

from lienthong_core.errors import invalid

_MAX_LENGTH = 8 << 10


def single_header(metadata: Iterable[tuple[str, str | bytes]], name: str, *, max_length: int = _MAX_LENGTH) -> str:
    """Return the value of a header that may come once; empty if it did not come.

    Raises a refusal with reason HEADER_DUPLICATED if it came more than once, and HEADER_INVALID if it is too long or
    holds anything but printable ASCII (which also keeps line breaks out of every log).
    """
    values = [value for key, value in metadata if key == name]
    if not values:
        return ""
    if len(values) > 1:
        raise invalid("HEADER_DUPLICATED", f"The header {name} came {len(values)} times; send it once.")
    value = values[0]
    if not isinstance(value, str) or len(value) > max_length or not (value.isascii() and value.isprintable()):
        message = f"The header {name} must be printable ASCII of at most {max_length} characters."
        raise invalid("HEADER_INVALID", message)
    return value
