"""Staying until told to end."""

import signal
import threading


def told_to_end() -> threading.Event:
    """Return what is set from now on by Ctrl-C, or a request to end, instead of interrupting what is being done."""
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: told.set())
    return told
