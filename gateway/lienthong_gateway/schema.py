"""The gateway's whole schema: every table, and the version that is stamped into the database."""

from sqlalchemy import MetaData

from lienthong_gateway.consents import model as consents
from lienthong_gateway.log import model as log
from lienthong_gateway.registry import model as registry
from lienthong_gateway.subjects import model as subjects

VERSION = 3


def metadata() -> MetaData:
    """Return every table of the gateway."""
    # One metadata for all; naming a table of each module is what makes sure that the module has been read.
    tables = (consents.ConsentRow, log.LogEntryRow, registry.SystemRow, subjects.RightsRequestRow)
    return next(table.metadata for table in tables)
