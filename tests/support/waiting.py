"""Waiting for what should happen, with a deadline."""

import threading
import time
from collections.abc import Callable

DEADLINE_S = 15.0
_PAUSE_S = 0.02


def wait_until(happened: Callable[[], object], within_s: float = DEADLINE_S) -> None:
    """Return once `happened` gives something true; raises TimeoutError if it does not in time."""
    pause = threading.Event()
    give_up_at = time.monotonic() + within_s
    while not happened():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"what the test waits for did not happen within {within_s} s")
        pause.wait(_PAUSE_S)
