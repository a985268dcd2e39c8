"""ExchangeLogService: the log, to the citizen it is about, to agencies and to auditors. Reading is recorded first."""

from collections.abc import Mapping, Sequence
from itertools import chain, islice

from sqlalchemy import Connection, Engine

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.clock import Clock
from lienthong_gateway.local import Answerer, LocalCall, NumbersOf
from lienthong_gateway.log import store
from lienthong_gateway.log.checkpoint import VerifierKey
from lienthong_gateway.log.cosignature import WitnessKey
from lienthong_gateway.log.pruning import pruned_entries
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.paging import ENOUGH_BYTES, page_size
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.views.accesses import AccessAnswers
from lienthong_gateway.views.proofs import ProofAnswers
from lienthong_gateway.views.pruning import PruningAnswers
from lienthong_gateway.views.reading import LogReading
from lienthong_gateway.views.summary import SummaryAnswers

_USUAL, _MOST = 100, 1_000


class LogAnswers:
    """Answers ExchangeLogService."""

    def __init__(
        self,
        registration: CurrentRegistration,
        engine: Engine,
        writer: LogWriter,
        key: VerifierKey,
        clock: Clock,
        witnesses: Sequence[WitnessKey],
        numbers_of: NumbersOf,
    ) -> None:
        """`witnesses` are those whose cosignatures are taken."""
        self._reading = LogReading(registration, engine, writer, clock)
        self._key = key
        self._accesses = AccessAnswers(self._reading, numbers_of)
        self._proofs = ProofAnswers(self._reading, key, witnesses)
        self._summary = SummaryAnswers(self._reading)
        self._pruning = PruningAnswers(self._reading)

    def answers(self) -> Mapping[str, Answerer]:
        """Return what answers each method of the service."""
        return {
            "ListAccesses": self._accesses.list_accesses,
            "ListEntries": self._list_entries,
            "ListCheckpoints": self._list_checkpoints,
            "GetDailySummary": self._summary.get_daily_summary,
            "GetReceipt": self._proofs.get_receipt,
            "GetCheckpoint": self._proofs.get_checkpoint,
            "GetInclusionProof": self._proofs.get_inclusion_proof,
            "GetConsistencyProof": self._proofs.get_consistency_proof,
            "AddCosignature": self._proofs.add_cosignature,
            "PruneEntries": self._pruning.prune_entries,
        }

    async def _list_entries(self, call: LocalCall, request: pb.ListEntriesRequest) -> pb.ListEntriesResponse:
        self._reading.check_auditor(call)
        size = page_size(request.page_size, _USUAL, _MOST)
        await self._reading.record(call)
        start = max(request.start, 0)
        entries = await self._reading.read(lambda connection: _page(connection, start, size))
        return pb.ListEntriesResponse(entries=entries)

    async def _list_checkpoints(
        self, call: LocalCall, request: pb.ListCheckpointsRequest
    ) -> pb.ListCheckpointsResponse:
        self._reading.check_auditor(call)
        size = page_size(request.page_size, _USUAL, _MOST)
        await self._reading.record(call)
        start = max(request.start_size, 0)
        found = await self._reading.read(lambda connection: store.read_checkpoints(connection, start, size))
        checkpoints = [pb.Checkpoint(tree_size=tree_size, note=note) for tree_size, note in found]
        return pb.ListCheckpointsResponse(checkpoints=checkpoints, verifier_key=str(self._key))


def _page(connection: Connection, start: int, most: int) -> Sequence[pb.LogEntry]:
    """Return entries from an index on: those that were pruned, or else up to the one that makes enough bytes."""
    pruned = islice(chain.from_iterable(pruned_entries(connection, start)), most)
    page = [pb.LogEntry(log_index=index, leaf_hash=hashed) for index, hashed in pruned]
    if page:
        return page
    total = 0
    for entry in store.read_entries(connection, start, most):
        page.append(pb.LogEntry(log_index=entry.log_index, leaf=entry.leaf, leaf_hash=entry.leaf_hash))
        total += len(entry.leaf)
        if total > ENOUGH_BYTES:
            break
    return page
