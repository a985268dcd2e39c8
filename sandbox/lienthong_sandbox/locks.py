"""One process at a time in a folder that keeps a world, or with another file that remembers."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class FolderInUseError(OSError):
    """Another process runs on the folder."""


class FileInUseError(OSError):
    """Somebody else holds the file."""


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold the folder, which is made if it is missing, until the block ends or the process does.

    Raises FolderInUseError, or another OSError if the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    otherwise = FolderInUseError(f"{folder} is in use; stop what runs on it, or name another folder")
    with _locked(folder / ".lock", otherwise):
        yield


@contextmanager
def held_file(file: Path) -> Generator[None]:
    """Hold a file, whether it is there or not, until the block ends or the process does.

    Raises FileInUseError, or another OSError if nothing can be written beside it.
    """
    # The file itself is replaced whenever it is written, and a lock on it would go with the old one.
    otherwise = FileInUseError(f"{file} is in use by another run; wait until that has ended")
    with _locked(file.parent / f".{file.name}.lock", otherwise):
        yield


@contextmanager
def _locked(lock: Path, otherwise: OSError) -> Generator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise otherwise from None
        yield
