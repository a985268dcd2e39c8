"""Consents kept in memory, each with the epoch it was read in; of no use once consents have changed since."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from lienthong_gateway.consents.rules import StoredConsent

_MOST = 10_000


class Parties(NamedTuple):
    """Who consented, to whom, about whose data."""

    subject: str
    consumer: str
    provider: str


class ConsentCache:
    """The consents between the parties that were asked about last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Parties, tuple[int, Sequence[StoredConsent]]] = OrderedDict()

    def find(self, parties: Parties, epoch: int) -> Sequence[StoredConsent] | None:
        """Return the consents between parties as they were in an epoch, or None if they were not read in it."""
        kept = self._kept.get(parties)
        return kept[1] if kept is not None and kept[0] == epoch else None

    def keep(self, parties: Parties, epoch: int, consents: Sequence[StoredConsent]) -> None:
        """Keep what was read in an epoch; from any thread."""
        with self._lock:
            self._kept[parties] = epoch, consents
            self._kept.move_to_end(parties)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
