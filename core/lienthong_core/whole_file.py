"""Files that are the old one or the new one at every moment."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(file: Path) -> Generator[Path]:
    """Give a file beside this one to write; it takes this one's place, for good, if the block ends without an error.

    Raises OSError if it cannot, and if what is there is no file: a device or a pipe would be gone.
    """
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "it is a device or a pipe; name a file", str(file))
    # Each process has its own: what one writes is not to be taken for what another wrote.
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        _flush(unfinished)
        unfinished.replace(file)
        _flush(file.parent)
    except OSError as error:
        if error.filename != str(unfinished):
            raise
        # Whoever is told knows the file that was asked for alone.
        raise OSError(error.errno, error.strerror, str(file)) from error
    finally:
        # Where it cannot be removed it could not be written either, which is what is to be told.
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _flush(file: Path) -> None:
    """Have what a file or folder holds outlast a loss of power."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
