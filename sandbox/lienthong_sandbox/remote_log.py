"""Verifying the log of a running gateway, over gRPC, as an auditor does."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import grpc

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong_gateway.log.checkpoint import Checkpoint, VerifierKey
from lienthong_gateway.log.progress import Progress, untold
from lienthong_gateway.log.proofs import shown_peaks
from lienthong_gateway.log.rows import NO_COLUMN, PRUNED, Page, StoredRow, checked
from lienthong_gateway.log.verdict import Fault, FaultKind, Verification
from lienthong_gateway.log.verify import verify_source
from lienthong_gateway.log.walk import Beginning
from lienthong_gateway.log.witness import ConsistencyProofs, NotConsistent, check_growth

_PAGE = 1_000
_DEADLINE_S = 30.0
_LOOKS_PRUNED = {FaultKind.ENTRY_ALTERED, FaultKind.ENTRY_MISSING}


class PrunedMeanwhile(Exception):  # noqa: N818 (names what happened)
    """What seems wrong with a log may be that it was pruned while it was read: the entry that says so came too late."""


class GatewaySource:
    """A gateway's log up to one size: reading it makes it longer, so an end has to be set first."""

    def __init__(self, stub: ExchangeLogServiceStub, size: int) -> None:
        self._stub = stub
        self._size = size

    def size(self) -> int:
        """Return the size that was set."""
        return self._size

    def entries(self, start: int) -> Iterator[Page]:
        """Give the entries."""
        return checked(self._rows(start), start)

    def checkpoints(self, start_size: int) -> Iterator[tuple[int, str]]:
        """Give the checkpoints."""
        while start_size <= self._size:
            request = pb.ListCheckpointsRequest(start_size=start_size, page_size=_PAGE)
            found = self._stub.ListCheckpoints(request, timeout=_DEADLINE_S).checkpoints
            page = [(checkpoint.tree_size, checkpoint.note) for checkpoint in found]
            yield from ((size, note) for size, note in page if size <= self._size)
            if len(page) < _PAGE:
                return
            start_size = page[-1][0] + 1

    def tiles(self, level: int) -> None:  # noqa: ARG002 (there are no levels)
        """Give nothing: what a gateway stores of its tree is its own affair, its proofs are what counts."""
        return

    def _rows(self, start: int) -> Iterator[Sequence[StoredRow]]:
        """Give the entries; over gRPC there are no columns that they are looked up by."""
        pruned = True
        while start < self._size:
            request = pb.ListEntriesRequest(start=start, page_size=min(_PAGE, self._size - start))
            page: list[StoredRow] = []
            for entry in self._stub.ListEntries(request, timeout=_DEADLINE_S).entries:
                # Pruning begins at the first entry: after one that is whole there is none without a leaf.
                pruned = pruned and not entry.leaf
                leaf = PRUNED if pruned else entry.leaf
                if entry.log_index < self._size:
                    page.append((entry.log_index, leaf, entry.leaf_hash, NO_COLUMN, NO_COLUMN, NO_COLUMN))
                    start = entry.log_index + 1
            if not page:
                return
            yield page


def verifier_key(channel: grpc.Channel) -> VerifierKey:
    """Return the key that a gateway says its log is signed with; raises grpc.RpcError, CheckpointFault."""
    stub = ExchangeLogServiceStub(channel)
    return VerifierKey.parse(stub.GetCheckpoint(pb.GetCheckpointRequest(), timeout=_DEADLINE_S).verifier_key)


def consistency_proofs(stub: ExchangeLogServiceStub) -> ConsistencyProofs:
    """Return what asks a gateway for consistency proofs; it raises grpc.RpcError."""

    def proof(first: int, second: int) -> Sequence[bytes]:
        request = pb.GetConsistencyProofRequest(first_size=first, second_size=second)
        return stub.GetConsistencyProof(request, timeout=_DEADLINE_S).hashes

    return proof


def verify_gateway(
    channel: grpc.Channel,
    key: VerifierKey,
    seen: Checkpoint | None = None,
    progress: Progress = untold,
) -> Verification:
    """Check a gateway's log up to its newest checkpoint, whose history it must be.

    With a checkpoint that was kept, only what came after it is read, once a consistency proof shows that the log
    continues it. Where none does, the whole log is read, to say why. Raises grpc.RpcError, PrunedMeanwhile, and
    CheckpointFault if the newest checkpoint is not signed with the key.
    """
    stub = ExchangeLogServiceStub(channel)
    shown = stub.GetCheckpoint(pb.GetCheckpointRequest(), timeout=_DEADLINE_S)
    verification = _verified(stub, key, shown.checkpoint.note, seen, progress)
    if verification.fault is not None and verification.fault.kind in _LOOKS_PRUNED:
        _check_not_pruned_since(stub, shown.minimum_index, verification.fault)
    return verification


def _verified(
    stub: ExchangeLogServiceStub, key: VerifierKey, note: str, seen: Checkpoint | None, progress: Progress
) -> Verification:
    """Check a log up to a checkpoint that the gateway shows."""
    shown = key.open(note)
    source = GatewaySource(stub, shown.size)
    if seen is None or seen.size == 0:
        return verify_source(source, key, shown, progress)
    try:
        proof = check_growth(seen, shown, consistency_proofs(stub))
    except NotConsistent as refuted:
        return _why(source, key, refuted, progress)
    if shown.size == seen.size:
        return Verification(shown.size, shown.root, 0, None, note)
    beginning = Beginning(seen, shown_peaks(seen.size, shown.size, proof, seen.root))
    return verify_source(source, key, shown, progress, beginning)


def _check_not_pruned_since(stub: ExchangeLogServiceStub, minimum: int, fault: Fault) -> None:
    """Raise PrunedMeanwhile if more is pruned than when the reading began."""
    if stub.GetCheckpoint(pb.GetCheckpointRequest(), timeout=_DEADLINE_S).minimum_index != minimum:
        message = f"{fault.message} Entries were pruned while the log was read, which may be why; verify it again."
        raise PrunedMeanwhile(message)


def _why(source: GatewaySource, key: VerifierKey, refuted: NotConsistent, progress: Progress) -> Verification:
    verification = verify_source(source, key, refuted.seen, progress)
    if verification.fault is None:
        verification = verify_source(source, key, refuted.shown, progress)
    if verification.fault is not None:
        return verification
    message = f"{refuted} Its entries do, so its proofs are wrong."
    fault = Fault(FaultKind.PROOF_INVALID, 0, refuted.seen.size - 1, message)
    return replace(verification, fault=fault)
