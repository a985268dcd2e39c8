"""ExchangeLogService: the log, to the citizen it is about and to auditors. Reading it is recorded first."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.clock import Clock
from lienthong_core.errors import denied, invalid, unauthenticated
from lienthong_core.systems import SystemId
from lienthong_gateway.consents.messages import timestamp
from lienthong_gateway.local import Answer, LocalCall
from lienthong_gateway.log import store
from lienthong_gateway.log.checkpoint import VerifierKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import Job, LogWriter
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS, Registration

_ACCESSES, _MOST_ACCESSES = 50, 500
_ENTRIES, _MOST_ENTRIES = 100, 1_000


class LogAnswers:
    """Answers ExchangeLogService."""

    def __init__(
        self, registration: Registration, engine: Engine, writer: LogWriter, key: VerifierKey, clock: Clock
    ) -> None:
        self._registration = registration
        self._engine = engine
        self._writer = writer
        self._key = key
        self._clock = clock

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each method of the service."""
        return {
            "ListAccesses": self._list_accesses,
            "ListEntries": self._list_entries,
            "ListCheckpoints": self._list_checkpoints,
        }

    async def _list_accesses(self, call: LocalCall, request: pb.ListAccessesRequest) -> pb.ListAccessesResponse:
        if call.holder is None:
            message = "Only a citizen sees who accessed her data; send her access token in `authorization: Bearer`."
            raise unauthenticated("TOKEN_MISSING", message)
        size = _page_size(request.page_size, _ACCESSES, _MOST_ACCESSES)
        before = _index(request.cursor)
        call.trace.subject = call.holder.personal_number
        await self._record_reading(call)
        found = await asyncio.to_thread(self._entries_about, call.holder.personal_number, before, size + 1)
        accesses = [self._access(index, json.loads(leaf)) for index, leaf in found[:size]]
        cursor = str(found[size - 1][0]) if len(found) > size else ""
        return pb.ListAccessesResponse(accesses=accesses, next_cursor=cursor)

    async def _list_entries(self, call: LocalCall, request: pb.ListEntriesRequest) -> pb.ListEntriesResponse:
        self._check_auditor(call)
        size = _page_size(request.page_size, _ENTRIES, _MOST_ENTRIES)
        await self._record_reading(call)
        found = await asyncio.to_thread(self._entries_from, request.start, size)
        entries = [pb.LogEntry(log_index=e.log_index, leaf=e.leaf, leaf_hash=e.leaf_hash) for e in found]
        return pb.ListEntriesResponse(entries=entries)

    async def _list_checkpoints(
        self, call: LocalCall, request: pb.ListCheckpointsRequest
    ) -> pb.ListCheckpointsResponse:
        self._check_auditor(call)
        size = _page_size(request.page_size, _ENTRIES, _MOST_ENTRIES)
        found = await asyncio.to_thread(self._checkpoints_from, request.start_size, size)
        checkpoints = [pb.Checkpoint(tree_size=tree_size, note=note) for tree_size, note in found]
        return pb.ListCheckpointsResponse(checkpoints=checkpoints, verifier_key=str(self._key))

    def _entries_about(self, personal_number: str, before: int | None, limit: int) -> list[tuple[int, bytes]]:
        with self._engine.connect() as connection:
            salt = store.find_salt(connection, personal_number)
            if salt is None:
                return []
            commitment = store.commitment(salt, personal_number)
            return store.read_entries_about(connection, commitment, before, limit)

    def _entries_from(self, start: int, limit: int) -> list[store.StoredEntry]:
        with self._engine.connect() as connection:
            return store.read_entries(connection, start, limit)

    def _checkpoints_from(self, start_size: int, limit: int) -> list[tuple[int, str]]:
        with self._engine.connect() as connection:
            return store.read_checkpoints(connection, start_size, limit)

    def _check_auditor(self, call: LocalCall) -> None:
        if call.caller.system not in self._registration.auditors:
            raise denied("CALLER_NOT_ALLOWED", f"{call.caller.system} is not registered as an auditor of the log.")

    async def _record_reading(self, call: LocalCall) -> None:
        entry = Entry(self._clock.now(), pb.LogEvent.LOG_EVENT_LOG_READ, call.trace, "OK")
        await self._writer.write(Job(entry))

    def _access(self, log_index: int, leaf: Mapping[str, Any]) -> pb.Access:
        purpose = self._registration.purposes.get(leaf["purpose"])
        return pb.Access(
            log_index=log_index,
            time=timestamp(datetime.fromisoformat(leaf["time"])),
            event=pb.LogEvent.Value(f"LOG_EVENT_{leaf['event']}"),
            exchange_id=leaf["exchange_id"],
            consumer=leaf["consumer"],
            consumer_name=self._name_of(leaf["consumer"]),
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
        )

    def _name_of(self, system_id: str) -> str:
        system = self._registration.systems.get(SystemId.parse(system_id)) if system_id else None
        return system.name_vi if system else ""


def _page_size(asked: int, usual: int, most: int) -> int:
    if not 0 <= asked <= most:
        raise invalid("PAGE_SIZE_INVALID", f"page_size must be from 1 to {most}, or 0 for {usual}.")
    return asked or usual


def _index(cursor: str) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < len(str(1 << 63))):
        raise invalid("CURSOR_INVALID", "The cursor is not one that this method gave; send next_cursor as it came.")
    return int(cursor)
