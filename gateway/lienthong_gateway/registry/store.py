"""What is registered, in the gateway's tables. Changes take a connection: the log writer's transaction."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis, ReferenceForm
from lienthong_core.systems import SystemId
from lienthong_gateway.registration import (
    HEADER_OF_BASIS,
    LEGAL_BASIS_HEADERS,
    AccessRight,
    LegalGround,
    Period,
    Purpose,
    Registration,
    System,
)
from lienthong_gateway.registry.model import AccessRightRow, LegalGroundRow, OfficerRow, PurposeRow, SystemRow
from lienthong_gateway.subjects.store import load_restrictions

_SYSTEMS = cast("Table", SystemRow.__table__)  # type: ignore[attr-defined]
_PURPOSES = cast("Table", PurposeRow.__table__)  # type: ignore[attr-defined]
_GROUNDS = cast("Table", LegalGroundRow.__table__)  # type: ignore[attr-defined]
_RIGHTS = cast("Table", AccessRightRow.__table__)  # type: ignore[attr-defined]
_OFFICERS = cast("Table", OfficerRow.__table__)  # type: ignore[attr-defined]
_FORM = "REFERENCE_FORM_"


def fill_if_empty(connection: Connection, registration: Registration) -> None:
    """Store what a new world starts with; a database that holds systems already is left as it is."""
    if connection.execute(select(_SYSTEMS.c.system_id).limit(1)).first() is not None:
        return
    for system in registration.systems.values():
        is_auditor = system.system_id in registration.auditors
        is_administrator = system.system_id in registration.administrators
        _add_system(connection, system, is_auditor=is_auditor, is_administrator=is_administrator)
    for purpose in registration.purposes.values():
        add_purpose(connection, purpose)
    for ground in registration.legal_grounds.values():
        add_legal_ground(connection, ground)
    for right in registration.access_rights.values():
        put_access_right(connection, right)
    for system_id, officer_id in registration.officers:
        add_officer(connection, system_id, officer_id)


def load_registration(connection: Connection) -> Registration:
    """Return everything registered."""
    systems = connection.execute(select(_SYSTEMS)).all()
    officers = connection.execute(select(_OFFICERS)).all()
    return Registration.of(
        systems=[_system(row) for row in systems],
        purposes=[_purpose(row) for row in connection.execute(select(_PURPOSES))],
        access_rights=[_access_right(row) for row in connection.execute(select(_RIGHTS))],
        legal_grounds=[_legal_ground(row) for row in connection.execute(select(_GROUNDS))],
        officers=[(SystemId.parse(row.system_id), row.officer_id) for row in officers],
        auditors=[SystemId.parse(row.system_id) for row in systems if row.is_auditor],
        administrators=[SystemId.parse(row.system_id) for row in systems if row.is_administrator],
        restrictions=load_restrictions(connection),
    )


def add_purpose(connection: Connection, purpose: Purpose) -> None:
    """Store a new purpose."""
    values = {
        "code": purpose.code,
        "title_vi": purpose.title_vi,
        "title_en": purpose.title_en,
        "datasets": _joined(purpose.datasets),
    }
    connection.execute(insert(_PURPOSES).values(values))


def add_legal_ground(connection: Connection, ground: LegalGround) -> None:
    """Store a new legal ground."""
    values = {
        "code": ground.code,
        "basis": HEADER_OF_BASIS[ground.basis],
        "law_vi": ground.law_vi,
        "law_en": ground.law_en,
        "reference_forms": _joined(ReferenceForm.Name(form).removeprefix(_FORM) for form in ground.reference_forms),
        "methods": _joined(ground.methods),
        "purposes": _joined(ground.purposes),
        "effective_from": ground.period.first,
        "effective_until": ground.period.last,
    }
    connection.execute(insert(_GROUNDS).values(values))


def end_legal_ground(connection: Connection, ground: LegalGround) -> None:
    """Store the new end of a legal ground."""
    where = _GROUNDS.c.code == ground.code
    connection.execute(update(_GROUNDS).where(where).values(effective_until=ground.period.last))


def put_access_right(connection: Connection, right: AccessRight) -> None:
    """Store a right in the place of the one that the same system had for the same method and purpose, if it had one."""
    connection.execute(delete(_RIGHTS).where(*_same_right(right)))
    values = {
        "consumer": str(right.consumer),
        "method": right.method,
        "purpose": right.purpose,
        "legal_bases": _joined(HEADER_OF_BASIS[basis] for basis in right.legal_bases),
        "datasets": _joined(right.datasets),
        "valid_from": right.period.first,
        "valid_until": right.period.last,
        "withdrawn_at": right.withdrawn_at,
    }
    connection.execute(insert(_RIGHTS).values(values))


def withdraw_access_right(connection: Connection, right: AccessRight, now: datetime) -> None:
    """Note when a right was withdrawn."""
    connection.execute(update(_RIGHTS).where(*_same_right(right)).values(withdrawn_at=now))


def add_officer(connection: Connection, system: SystemId, officer_id: str) -> None:
    """Store that an officer may act for a system."""
    connection.execute(insert(_OFFICERS).values(system_id=str(system), officer_id=officer_id))


def remove_officer(connection: Connection, system: SystemId, officer_id: str) -> None:
    """Forget that an officer may act for a system."""
    where = (_OFFICERS.c.system_id == str(system), _OFFICERS.c.officer_id == officer_id)
    connection.execute(delete(_OFFICERS).where(*where))


def _add_system(connection: Connection, system: System, *, is_auditor: bool, is_administrator: bool) -> None:
    values = {
        "system_id": str(system.system_id),
        "name_vi": system.name_vi,
        "name_en": system.name_en,
        "services": ",".join(system.services),
        "is_auditor": is_auditor,
        "is_administrator": is_administrator,
    }
    connection.execute(insert(_SYSTEMS).values(values))


def _same_right(right: AccessRight) -> tuple[Any, ...]:
    return (
        _RIGHTS.c.consumer == str(right.consumer),
        _RIGHTS.c.method == right.method,
        _RIGHTS.c.purpose == right.purpose,
    )


def _system(row: Row[Any]) -> System:
    return System(SystemId.parse(row.system_id), row.name_vi, row.name_en, tuple(sorted(_split(row.services))))


def _purpose(row: Row[Any]) -> Purpose:
    return Purpose(row.code, row.title_vi, row.title_en, _split(row.datasets))


def _legal_ground(row: Row[Any]) -> LegalGround:
    return LegalGround(
        code=row.code,
        basis=LEGAL_BASIS_HEADERS[row.basis],
        law_vi=row.law_vi,
        law_en=row.law_en,
        reference_forms=frozenset(ReferenceForm.Value(_FORM + name) for name in _split(row.reference_forms)),
        methods=_split(row.methods),
        purposes=_split(row.purposes),
        period=Period(row.effective_from, row.effective_until),
    )


def _access_right(row: Row[Any]) -> AccessRight:
    return AccessRight(
        consumer=SystemId.parse(row.consumer),
        method=row.method,
        purpose=row.purpose,
        legal_bases=_bases(row.legal_bases),
        datasets=_split(row.datasets),
        period=Period(row.valid_from, row.valid_until),
        withdrawn_at=row.withdrawn_at,
    )


def _bases(text: str) -> frozenset[LegalBasis.ValueType]:
    return frozenset(LEGAL_BASIS_HEADERS[header] for header in _split(text))


def _joined(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) if text else frozenset()
