"""Reading a list a page at a time: how long a page is, and where it begins."""

from lienthong_core.errors import invalid


def page_size(asked: int, usual: int, most: int) -> int:
    """Return how long a page is; refused: PAGE_SIZE_INVALID."""
    if not 0 <= asked <= most:
        raise invalid("PAGE_SIZE_INVALID", f"page_size must be from 1 to {most}, or 0 for {usual}.")
    return asked or usual


def read_cursor(cursor: str) -> int | None:
    """Return the number before which a page begins, None if it is the first; refused: CURSOR_INVALID."""
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < len(str(1 << 63))):
        raise invalid("CURSOR_INVALID", "The cursor is not one that this method gave; send next_cursor as it came.")
    return int(cursor)
