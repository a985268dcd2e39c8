"""Writing files that their owner alone can read."""

from pathlib import Path


def write_secret(file: Path, content: bytes, *, replace: bool = True) -> None:
    """Write `content` to a file that is its owner's alone from before anything is in it, in a folder that is there.

    Not `replace`: raises FileExistsError rather than lose what is in the file.
    """
    file.touch(mode=0o600, exist_ok=replace)
    # One that was there already may have been anybody's to read.
    file.chmod(0o600)
    file.write_bytes(content)
