"""PruneEntries: an administrator's officer has the oldest entries deleted, and the log says so."""

from dataclasses import replace

from sqlalchemy import Connection

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.errors import invalid
from lienthong_gateway.local import LocalCall
from lienthong_gateway.log.merkle import HASH_BYTES
from lienthong_gateway.log.pruning import prune
from lienthong_gateway.registry import rules
from lienthong_gateway.registry.messages import canonical_text
from lienthong_gateway.registry.store import load_registration
from lienthong_gateway.views.reading import LogReading


class PruningAnswers:
    """Answers PruneEntries."""

    def __init__(self, reading: LogReading) -> None:
        self._reading = reading

    async def prune_entries(self, call: LocalCall, request: pb.PruneEntriesRequest) -> pb.PruneEntriesResponse:
        """Answer once the entries are gone and the log says which, and what holds them."""
        rules.check_actor(self._reading.registration.value, call.caller.system, call.trace.officer)
        if len(request.archive_digest) != HASH_BYTES:
            message = (
                f"archive_digest is the SHA-256, {HASH_BYTES} bytes, of the file that holds the entries, as `lienthong "
                "log export` writes it."
            )
            raise invalid("ARCHIVE_DIGEST_INVALID", message)
        now = self._reading.clock.now()

        def change(connection: Connection) -> None:
            # Checked where it is done: another replica may have dismissed the officer, or pruned as much, since.
            registration = load_registration(connection)
            rules.check_actor(registration, call.caller.system, call.trace.officer)
            prune(connection, request.minimum_index, now, registration.administrators)

        pruning = replace(call, trace=replace(call.trace, registered=canonical_text(request)))
        await self._reading.record(pruning, "ENTRIES_PRUNED", pb.LogEvent.LOG_EVENT_PRUNING, change)
        return pb.PruneEntriesResponse(minimum_index=request.minimum_index)
