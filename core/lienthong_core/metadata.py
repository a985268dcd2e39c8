"""Reading a call's metadata without being talked into anything."""

from collections.abc import Iterable, Sequence

from lienthong_core.errors import invalid

_MAX_LENGTH = 8 << 10


class CallHeaders:
    """A call's metadata, to be looked up by name."""

    def __init__(self, metadata: Iterable[tuple[str, str | bytes]] = ()) -> None:
        self._values: dict[str, list[str | bytes]] = {}
        for name, value in metadata:
            self._values.setdefault(name, []).append(value)

    def every(self, name: str) -> Sequence[str | bytes]:
        """Return all values that came under a name, in their order."""
        return self._values.get(name, ())

    def single(self, name: str, *, max_length: int = _MAX_LENGTH) -> str:
        """Return the value of a header that may come once; empty if it did not come.

        Raises a refusal with reason HEADER_DUPLICATED if it came more than once, and HEADER_INVALID if it is too long
        or holds anything but printable ASCII (which also keeps line breaks out of every log).
        """
        values = self._values.get(name)
        if values is None:
            return ""
        if len(values) > 1:
            raise invalid("HEADER_DUPLICATED", f"The header {name} came {len(values)} times; send it once.")
        value = values[0]
        if not isinstance(value, str) or len(value) > max_length or not (value.isascii() and value.isprintable()):
            message = f"The header {name} must be printable ASCII of at most {max_length} characters."
            raise invalid("HEADER_INVALID", message)
        return value
