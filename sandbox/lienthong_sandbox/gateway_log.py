"""The log of a running gateway, over gRPC, as an auditor looks at it. Whatever is read is itself recorded there."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import grpc

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong_gateway.log.checkpoint import Checkpoint, VerifierKey
from lienthong_gateway.log.export import ALTERED, ExportFault, write_export
from lienthong_gateway.log.progress import Progress, untold
from lienthong_gateway.log.proofs import peaks_of_last
from lienthong_gateway.log.pruning import prunable
from lienthong_gateway.log.verdict import Verification
from lienthong_sandbox.remote_log import consistency_proofs, verify_gateway

_PAGE = 1_000
_DEADLINE_S = 30.0


class GatewayLog:
    """An open log, read with the certificate that a channel shows. Every method raises grpc.RpcError."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._stub = ExchangeLogServiceStub(channel)

    def verify(self, key: VerifierKey, seen: Checkpoint | None, progress: Progress) -> Verification:
        """Check it up to its newest checkpoint; raises as `verify_gateway` does."""
        return verify_gateway(self._channel, key, seen, progress)

    def prunable(self, first: int, before: datetime) -> range:
        """Return the entries from an index on that can be pruned if none is to be as new as a time.

        Raises IndexError if one was pruned meanwhile, LogDamaged if one is no entry.
        """
        # Reading makes the log longer: what is added meanwhile is not looked at.
        size = _shown(self._stub).checkpoint.tree_size

        def leaves(start: int, end: int) -> Sequence[bytes]:
            return [_whole(index, leaf) for index, leaf in _entries(self._stub, start, min(end, size))]

        return prunable(leaves, first, before)

    def export(self, first: int, last: int | None, file: Path, key: VerifierKey, progress: Progress = untold) -> int:
        """Write entries up to `last`, None: the newest, to a file; return the index after the last.

        Raises as `write_export` does.
        """
        return write_export(_GatewayRange(self._stub), first, last, file, key, progress)


class _GatewayRange:
    """Entries of a gateway's log as it was when this was made."""

    def __init__(self, stub: ExchangeLogServiceStub) -> None:
        shown = _shown(stub)
        self._stub = stub
        self.note = shown.checkpoint.note
        self.minimum = shown.minimum_index

    def peaks(self, size: int) -> Sequence[bytes]:
        """Return the roots of the full subtrees of the first `size` entries, which the last one's proof is made of."""
        if size == 0:
            return []
        request = pb.GetInclusionProofRequest(log_index=size - 1, tree_size=size)
        proof = self._stub.GetInclusionProof(request, timeout=_DEADLINE_S)
        return peaks_of_last(size, proof.leaf_hash, proof.hashes)

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """Return the proof that the tree of `second` entries begins with the one of `first`."""
        return consistency_proofs(self._stub)(first, second)

    def leaves(self, first: int, end: int) -> Iterator[bytes]:
        """Give entries `first` up to `end`; raises IndexError if one was pruned meanwhile, and ExportFault."""
        expected = first
        for index, leaf in _entries(self._stub, first, end):
            if index != expected:
                break
            yield _whole(index, leaf)
            expected += 1
        if expected != end:
            raise ExportFault(ALTERED)


def _shown(stub: ExchangeLogServiceStub) -> pb.GetCheckpointResponse:
    return stub.GetCheckpoint(pb.GetCheckpointRequest(), timeout=_DEADLINE_S)


def _entries(stub: ExchangeLogServiceStub, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Give index and leaf of the entries from an index up to another that a gateway has."""
    while start < end:
        request = pb.ListEntriesRequest(start=start, page_size=min(_PAGE, end - start))
        page = stub.ListEntries(request, timeout=_DEADLINE_S).entries
        yield from ((entry.log_index, entry.leaf) for entry in page if start <= entry.log_index < end)
        if not page or page[-1].log_index < start:
            return
        start = page[-1].log_index + 1


def _whole(index: int, leaf: bytes) -> bytes:
    """Return an entry's leaf; raises IndexError if the gateway has it no more."""
    if not leaf:
        raise IndexError(f"Entry {index} was pruned while the log was read; begin with a later one.")
    return leaf
