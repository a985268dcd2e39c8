"""Writing down a failure nobody foresaw, without what it says."""

import logging
import traceback


def log_failure(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log where `what` failed and the error's type, never its text: a database's errors quote personal data."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed with %s\n%s", what, type(error).__name__, where)


def keep_header_values_out_of_logs() -> None:
    """Have gRPC leave out of its own log what it quotes there: the value of a header that is no text."""
    logging.getLogger("grpc._cython.cygrpc").addFilter(_without_header_value)


def _without_header_value(record: logging.LogRecord) -> bool:
    if isinstance(record.msg, str) and record.msg.startswith("Invalid encoding on"):
        record.args = ("a header's value",)
    return True
