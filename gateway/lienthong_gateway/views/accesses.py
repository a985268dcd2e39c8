"""ListAccesses: who accessed which data, to the citizen, to the agency that asked, and to auditors."""

import asyncio
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.dates import timestamp
from lienthong_core.errors import unauthenticated
from lienthong_core.systems import SystemId
from lienthong_gateway.local import LocalCall, NumbersOf, citizen_of
from lienthong_gateway.log.search import Found, Key, Leaf, search
from lienthong_gateway.log.store import commitment, find_salt
from lienthong_gateway.paging import page_size, read_cursor
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.views.access_filter import AccessFilter, Scope, filter_invalid
from lienthong_gateway.views.reading import LogReading

_USUAL, _MOST = 50, 500


class AccessAnswers:
    """Answers ListAccesses."""

    def __init__(self, reading: LogReading, numbers_of: NumbersOf) -> None:
        self._reading = reading
        self._numbers_of = numbers_of

    async def list_accesses(self, call: LocalCall, request: pb.ListAccessesRequest) -> pb.ListAccessesResponse:
        """Answer a page, newest first."""
        size = page_size(request.page_size, _USUAL, _MOST)
        before = read_cursor(request.cursor)
        wanted = AccessFilter.of(request.filter)
        scope = self._scope(call, request, wanted)
        number = call.holder.personal_number if call.holder else wanted.subject_number
        call.trace.subject = number
        # Hers alone: an agency that names a number is not to learn which others are the same citizen's.
        numbers = await self._numbers_of(call, number) if call.holder else {number} - {""}
        await self._reading.record(call, wanted.words)
        found = await self._reading.read(lambda connection: _found(connection, scope, wanted, numbers, before, size))
        registration = self._reading.registration
        # Another replica may have registered a purpose that is named here.
        await asyncio.to_thread(registration.refresh)
        return pb.ListAccessesResponse(
            accesses=[_access(registration, index, leaf) for index, leaf in found.entries],
            next_cursor="" if found.cursor is None else str(found.cursor),
        )

    def _scope(self, call: LocalCall, request: pb.ListAccessesRequest, wanted: AccessFilter) -> Scope:
        own = str(call.caller.system)
        roles = [Key("consumer", own)] * request.as_consumer + [Key("provider", own)] * request.as_provider
        if call.holder is not None:
            citizen_of(call)
            if roles or wanted.subject_number:
                message = "A citizen's token says whose accesses are wanted: leave out the roles and subject_number."
                raise filter_invalid(message)
        elif self._reading.is_auditor(call):
            if roles:
                raise filter_invalid("An auditor sees everything: leave out the roles, or filter by system.")
        elif not roles:
            message = (
                "Send the access token of the citizen whose accesses are wanted in `authorization: Bearer`; "
                "for your own system's exchanges set as_consumer, as_provider or both."
            )
            raise unauthenticated("TOKEN_MISSING", message)
        return Scope(tuple(roles))


def _found(
    connection: Connection,
    scope: Scope,
    wanted: AccessFilter,
    numbers: Collection[str],
    before: int | None,
    size: int,
) -> Found:
    salts = {number: salt for number in numbers if (salt := find_salt(connection, number)) is not None}
    subjects = [commitment(salt, number) for number, salt in salts.items()]
    if numbers and not subjects:
        return Found([], None)

    def fits(leaf: Leaf) -> bool:
        return scope.allows(leaf) and wanted.fits(leaf)

    return search(connection, scope.keys(wanted, subjects), fits, before, size)


def _access(registration: CurrentRegistration, log_index: int, leaf: Leaf) -> pb.Access:
    purpose = registration.value.purposes.get(leaf["purpose"])
    return pb.Access(
        log_index=log_index,
        time=timestamp(datetime.fromisoformat(leaf["time"])),
        event=pb.LogEvent.Value(f"LOG_EVENT_{leaf['event']}"),
        exchange_id=leaf["exchange_id"],
        consumer=leaf["consumer"],
        consumer_name=_name_of(registration, leaf["consumer"]),
        provider=leaf["provider"],
        method=leaf["method"],
        officer=leaf["officer"],
        purpose=leaf["purpose"],
        purpose_title_vi=purpose.title_vi if purpose else "",
        legal_basis=LEGAL_BASIS_HEADERS.get(leaf["legal_basis"], LegalBasis.LEGAL_BASIS_UNSPECIFIED),
        legal_reference=leaf["legal_reference"],
        consent_id=leaf["consent_id"],
        datasets_released=leaf["datasets_released"],
        datasets_withheld=leaf["datasets_withheld"],
        fields_released=leaf["fields_released"],
        reason=leaf["reason"],
        represented_party=leaf["represented_party"],
        # Entries of before version 5 do not say it.
        caller=leaf.get("caller", ""),
    )


def _name_of(registration: CurrentRegistration, system_id: str) -> str:
    system = registration.value.systems.get(SystemId.parse(system_id)) if system_id else None
    return system.name_vi if system else ""
