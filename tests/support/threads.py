"""Looking for threads that something left behind, whatever else runs in this process meanwhile."""

import threading

_DEADLINE_S = 5.0


def left_behind(before: set[threading.Thread]) -> set[str]:
    """Return the names of the threads that were not there `before` and do not end within five seconds.

    gRPC polls with one thread of its own for all servers and channels of a process; it is nobody's.
    """
    new = {thread for thread in set(threading.enumerate()) - before if "_poll_wrapper" not in thread.name}
    for thread in new:
        thread.join(_DEADLINE_S)
    return {thread.name for thread in new if thread.is_alive()}
