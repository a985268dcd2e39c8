"""Writing files that their owner alone can read."""

from pathlib import Path


def write_secret(file: Path, content: bytes, *, replace: bool = True) -> None:
    """Write `content` to a file that is its owner's alone from before anything is in it, in a folder that is there.

    Not `replace`: raises FileExistsError rather than lose what is in the file.
    """
    file.touch(mode=0o600, exist_ok=replace)
    file.write_bytes(content)
