"""What is registered now, in memory: decisions read it and ask no database."""

import threading

from sqlalchemy import Connection

from lienthong_gateway.registration import Registration
from lienthong_gateway.registry.store import load_registration


class CurrentRegistration:
    """Holds what is registered; `value` is replaced as a whole, so whoever has read it keeps one state throughout."""

    def __init__(self, value: Registration) -> None:
        self.value = value
        self._lock = threading.Lock()

    def reload(self, connection: Connection) -> None:
        """Take what is stored now; `connection` has read nothing yet, or holds the lock of whoever writes."""
        # Two that reload at once: the one that comes last must also read last.
        with self._lock:
            self.value = load_registration(connection)
