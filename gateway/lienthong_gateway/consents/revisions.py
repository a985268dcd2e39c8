"""The chain of revisions: what happened to each request and consent, in documents that nobody can change unseen.

A document names no citizen: only salted commitments, and digests of what she signed. Deleting her salt and her
signed statements leaves every chain as it was, and nobody can tell whose it is.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import rfc8785
from sqlalchemy import BigInteger, Connection, Row, Table, insert, literal, select

from lienthong.api.consent.v1.consent_pb2 import Capacity
from lienthong_gateway.consents.model import ConsentRevisionRow
from lienthong_gateway.consents.states import Change, capacity_name
from lienthong_gateway.log.leaf import time_text

DOCUMENT_VERSION = 1
REVISIONS = cast("Table", ConsentRevisionRow.__table__)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Actor:
    """Whose call made a change, and in which capacity somebody wanted it."""

    system: str
    capacity: Capacity.ValueType


@dataclass(frozen=True)
class Revision:
    """One change, as stored."""

    record_id: str
    revision: int
    digest_before: str
    digest: str
    change: str
    changed_at: datetime
    document: bytes

    @property
    def capacity(self) -> str:
        """In which capacity somebody wanted the change, such as `representative`."""
        return str(json.loads(self.document)["changed_by"]["capacity"])


def begin(
    connection: Connection, record_id: str, what: Mapping[str, Any], change: Change, actor: Actor, now: datetime
) -> Revision:
    """Store the first revision of a request or a consent; `what` is all that the document says of it."""
    return _add(connection, record_id, 1, "", what, change, actor, now)


def go_on(
    connection: Connection, record_id: str, differs: Mapping[str, Any], change: Change, actor: Actor, now: datetime
) -> Revision:
    """Store the next revision: what the last one said, but for what `differs`."""
    before = newest(connection, record_id)
    what = {**json.loads(before.document), **differs}
    return _add(connection, record_id, before.revision + 1, before.digest, what, change, actor, now)


def newest(connection: Connection, record_id: str) -> Revision:
    """Return the last revision of a request or a consent that there is."""
    query = select(REVISIONS).where(REVISIONS.c.record_id == record_id).order_by(REVISIONS.c.revision.desc())
    return _revision(connection.execute(query.limit(1)).one())


def read_revisions(connection: Connection, record_id: str, after: int = 0, limit: int | None = None) -> list[Revision]:
    """Return revisions of a request or a consent, oldest first; none if there is no such record.

    Those after the one of number `after`, which may be larger than a revision's can be; at most `limit`, None: all.
    """
    later = REVISIONS.c.revision > literal(after, BigInteger)
    query = select(REVISIONS).where(REVISIONS.c.record_id == record_id, later).order_by(REVISIONS.c.revision)
    return [_revision(row) for row in connection.execute(query.limit(limit))]


def _revision(row: Row[Any]) -> Revision:
    return Revision(
        row.record_id, row.revision, row.digest_before, row.digest, row.change, row.changed_at, bytes(row.document)
    )


def _add(
    connection: Connection,
    record_id: str,
    number: int,
    digest_before: str,
    what: Mapping[str, Any],
    change: Change,
    actor: Actor,
    now: datetime,
) -> Revision:
    document = rfc8785.dumps(
        {
            **what,
            "version": DOCUMENT_VERSION,
            "id": record_id,
            "revision": number,
            "digest_before": digest_before,
            "change": str(change),
            "changed_at": time_text(now),
            "changed_by": {"system": actor.system, "capacity": capacity_name(actor.capacity)},
        }
    )
    digest = hashlib.sha256(document).hexdigest()
    revision = Revision(record_id, number, digest_before, digest, str(change), now, document)
    connection.execute(
        insert(REVISIONS).values(
            record_id=record_id,
            revision=number,
            digest_before=digest_before,
            digest=digest,
            change=str(change),
            changed_at=now,
            changed_by=actor.system,
            document=document,
        )
    )
    return revision
