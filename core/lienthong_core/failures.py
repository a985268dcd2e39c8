"""Writing down a failure nobody foresaw, without what it says."""

import logging
import traceback


def log_failure(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log where `what` failed and the error's type, never its text: a database's errors quote personal data."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed with %s\n%s", what, type(error).__name__, where)
