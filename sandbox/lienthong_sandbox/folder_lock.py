"""One process at a time in a folder that keeps a world."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class FolderInUseError(OSError):
    """Another process runs on the folder."""


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold the folder, which is made if it is missing, until the block ends or the process does.

    Raises FolderInUseError, or another OSError if the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUseError(f"{folder} is in use; stop what runs on it, or name another folder") from None
        yield
