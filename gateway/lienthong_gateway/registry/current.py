"""What is registered now, in memory: decisions read it and ask no database."""

import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from sqlalchemy import Engine

from lienthong_core.database import snapshot
from lienthong_gateway.log.head import read_head
from lienthong_gateway.registration import Registration
from lienthong_gateway.registry.store import load_registration

Read: TypeAlias = Callable[[int], tuple[int, Registration | None]]
"""Given a registration epoch, returns the present one and, unless it is the same, what is registered in it."""

_NEVER = -1


class Known(NamedTuple):
    """What is registered, and the epoch that it was read in."""

    value: Registration
    epoch: int


class CurrentRegistration:
    """Holds what is registered; `known` is replaced as a whole, so whoever has read it keeps one state throughout."""

    def __init__(self, value: Registration, epoch: int, read: Read) -> None:
        self.known = Known(value, epoch)
        self._read = read
        self._lock = threading.Lock()

    @classmethod
    def of(cls, engine: Engine) -> "CurrentRegistration":
        """Return what a gateway's database holds; it has been filled."""
        read = partial(_read_stored, engine)
        epoch, value = read(_NEVER)
        if value is None:
            raise RuntimeError("an epoch that never was is none that can be the same")
        return cls(value, epoch, read)

    @property
    def value(self) -> Registration:
        """What is registered."""
        return self.known.value

    def refresh(self) -> None:
        """Take what is stored now, if it has been changed since."""
        # Two that refresh at once: the one that comes last must also read last.
        with self._lock:
            epoch, value = self._read(self.known.epoch)
            if value is not None:
                self.known = Known(value, epoch)


def _read_stored(engine: Engine, known: int) -> tuple[int, Registration | None]:
    # A right is not to be read without the purpose that was registered just before it.
    with snapshot(engine) as connection:
        epoch = read_head(connection).registration_epoch
        return epoch, None if epoch == known else load_registration(connection)
