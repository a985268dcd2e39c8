"""What a failure nobody foresaw is to the caller."""

from sqlalchemy.exc import SQLAlchemyError

from lienthong_core.errors import Refusal, internal, unavailable

STORE_UNAVAILABLE = "STORE_UNAVAILABLE"


def refusal_of(failure: Exception) -> Refusal:
    """Return what is answered instead: STORE_UNAVAILABLE if the database failed, otherwise INTERNAL."""
    if isinstance(failure, SQLAlchemyError):
        return unavailable("STORE_UNAVAILABLE", "The gateway cannot read its consents or its log now; try again.")
    return internal()
