"""What becomes of a failure nobody foresaw: it is written down and told, both without what it says."""

import asyncio
import logging
import traceback
from typing import Any, TypeGuard

from sqlalchemy.exc import OperationalError

from lienthong_core.errors import Refusal, internal, unavailable

_log = logging.getLogger(__name__)


def log_failure(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log where `what` failed and the error's type, never its text: a database's errors quote personal data.

    Where a database cannot be used just now, that is all there is to say: there is a line for each call then.
    """
    if is_unusable_database(error):
        log.error("%s failed: its database cannot be used now (%s)", what, _named(error.orig))
        return
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed with %s\n%s", what, type(error).__name__, where)


def is_unusable_database(error: BaseException) -> TypeGuard[OperationalError]:
    """Say whether a failure is that of a database which cannot be used just now: away, locked, full."""
    # SQLite has one class of errors for a file that is locked and for a statement that is wrong.
    return isinstance(error, OperationalError) and _named(error.orig) != "SQLITE_ERROR"


def told_instead(failure: BaseException) -> Refusal:
    """Return what whoever asked is told of a failure: DATABASE_UNAVAILABLE if that is the cause, otherwise INTERNAL."""
    if is_unusable_database(failure):
        return unavailable("DATABASE_UNAVAILABLE", "The service cannot use its database now; try again.")
    return internal()


def _named(error: BaseException | None) -> str:
    return str(getattr(error, "sqlite_errorname", type(error).__name__))


def log_failure_in_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what an event loop tells its exception handler: what nobody waited for any more."""
    error = context.get("exception")
    if error is None:
        _log.error("in the event loop: %s", context["message"])
    else:
        log_failure(_log, f"in the event loop: {context['message']}; it", error)


def keep_header_values_out_of_logs() -> None:
    """Have gRPC leave out of its own log what it quotes there: the value of a header that is no text."""
    logging.getLogger("grpc._cython.cygrpc").addFilter(_without_header_value)


def _without_header_value(record: logging.LogRecord) -> bool:
    if isinstance(record.msg, str) and record.msg.startswith("Invalid encoding on"):
        record.args = ("a header's value",)
    return True
