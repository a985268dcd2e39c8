"""Time comes from here: nobody else asks the machine what time it is."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time of one sandbox."""

    def now(self) -> datetime:
        """Return the time now, aware, in UTC."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the machine's time, aware, in UTC."""
        return datetime.now(UTC)


class SandboxClock:
    """A clock that runs on from wherever it is set; a new one agrees with the machine."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the sandbox's time, aware, in UTC."""
        with self._lock:
            return datetime.now(UTC) + self._offset

    def set(self, time: datetime) -> None:
        """Go on from `time`; raises ValueError, and goes on as before, if it is not aware."""
        if time.tzinfo is None:
            message = "the sandbox's clock takes an aware datetime, such as datetime(2026, 1, 1, tzinfo=UTC)"
            raise ValueError(message)
        with self._lock:
            self._offset = time - datetime.now(UTC)

    def advance(self, by: timedelta) -> None:
        """Go on from `by` later than now; raises ValueError, and goes on as before, if there is no such time."""
        with self._lock:
            now = datetime.now(UTC)
            try:
                later = now + self._offset + by
            except OverflowError as error:
                raise ValueError("the sandbox's clock goes from the year 1 to the year 9999") from error
            self._offset = later - now
