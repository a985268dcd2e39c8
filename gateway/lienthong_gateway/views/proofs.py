"""Receipts, checkpoints and proofs: what somebody needs who would rather not believe the gateway."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import product

import grpc
from sqlalchemy import Connection

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.errors import Refusal, invalid, not_found
from lienthong_gateway.local import LocalCall
from lienthong_gateway.log.checkpoint import CheckpointFault, VerifierKey
from lienthong_gateway.log.cosignature import Cosignature, WitnessKey
from lienthong_gateway.log.notes import PublishedNote, find_note, newest_size, save_cosignature
from lienthong_gateway.log.proofs import Prover
from lienthong_gateway.log.store import StoredEntry, minimum_index, read_entries
from lienthong_gateway.log.tiles import StoredTiles, TileStatements, check_not_pruned
from lienthong_gateway.views.reading import LogReading, note_of, published_note

_MOST_CHARACTERS = 1_000


class _Unchanged(Refusal):
    """A cosignature as new is there already, so there is nothing to record."""

    def __init__(self) -> None:
        super().__init__(
            grpc.StatusCode.ALREADY_EXISTS, "COSIGNATURE_INVALID", "A cosignature as new is there already."
        )


class ProofAnswers:
    """Answers GetReceipt, GetCheckpoint, GetInclusionProof, GetConsistencyProof and AddCosignature."""

    def __init__(self, reading: LogReading, key: VerifierKey, witnesses: Sequence[WitnessKey]) -> None:
        self._reading = reading
        self._key = key
        self._witnesses = tuple(witnesses)
        self._statements = TileStatements(reading.engine.dialect)

    async def get_receipt(self, call: LocalCall, request: pb.GetReceiptRequest) -> pb.GetReceiptResponse:
        """Answer a receipt, once it is sure that it is the caller's and that the reading is recorded."""
        own = None if self._reading.is_auditor(call) else str(call.caller.system)

        def check(connection: Connection) -> None:
            check_not_pruned(connection, request.log_index)
            _own_entry(connection, request.log_index, own)
            _check_place(request.log_index, published_note(connection, request.tree_size).tree_size)

        def receipt(connection: Connection) -> pb.GetReceiptResponse:
            entry = _own_entry(connection, request.log_index, own)
            published = published_note(connection, request.tree_size)
            return pb.GetReceiptResponse(
                log_index=entry.log_index,
                leaf=entry.leaf,
                tree_size=published.tree_size,
                inclusion_proof=self._inclusion(connection, entry.log_index, published.tree_size)[1],
                checkpoint=published.note,
                verifier_key=str(self._key),
            )

        await self._reading.read(check)
        await self._reading.record(call)
        return await self._reading.read(receipt)

    async def get_checkpoint(self, _call: LocalCall, request: pb.GetCheckpointRequest) -> pb.GetCheckpointResponse:
        """Answer a checkpoint with its cosignatures."""

        def checkpoint(connection: Connection) -> pb.GetCheckpointResponse:
            published = published_note(connection, request.tree_size, cosigned=request.cosigned)
            return pb.GetCheckpointResponse(
                checkpoint=_checkpoint(published),
                verifier_key=str(self._key),
                witness_keys=[str(witness) for witness in self._witnesses],
                minimum_index=minimum_index(connection),
            )

        return await self._reading.read(checkpoint)

    async def get_inclusion_proof(
        self, _call: LocalCall, request: pb.GetInclusionProofRequest
    ) -> pb.GetInclusionProofResponse:
        """Answer an inclusion proof."""

        def proof(connection: Connection) -> pb.GetInclusionProofResponse:
            size = _size(connection, request.tree_size)
            leaf_hash, hashes = self._inclusion(connection, request.log_index, size)
            return pb.GetInclusionProofResponse(leaf_hash=leaf_hash, hashes=hashes, tree_size=size)

        return await self._reading.read(proof)

    async def get_consistency_proof(
        self, _call: LocalCall, request: pb.GetConsistencyProofRequest
    ) -> pb.GetConsistencyProofResponse:
        """Answer a consistency proof."""

        def proof(connection: Connection) -> pb.GetConsistencyProofResponse:
            size = _size(connection, request.second_size)
            if not 0 <= request.first_size <= size:
                raise _no_tree(f"A tree of {size} entries does not begin with {request.first_size}.")
            hashes = self._prover(connection, size).consistency(request.first_size)
            return pb.GetConsistencyProofResponse(hashes=hashes, second_size=size)

        return await self._reading.read(proof)

    async def add_cosignature(self, call: LocalCall, request: pb.AddCosignatureRequest) -> pb.AddCosignatureResponse:
        """Keep a cosignature that holds, unless one of the same witness that is as new is there already."""
        line = request.cosignature
        size, witness, made = await self._reading.read(lambda connection: self._opened(connection, request))

        def keep(connection: Connection) -> None:
            # Looked up where it is kept: another may have come since.
            if any(kept.time >= made.time for kept in _kept(note_of(connection, size), witness)):
                raise _Unchanged
            save_cosignature(connection, size, witness.name, line)

        with contextlib.suppress(_Unchanged):
            await self._reading.record(call, event=pb.LogEvent.LOG_EVENT_COSIGNATURE, change=keep)
        published = await self._reading.read(lambda connection: note_of(connection, size))
        return pb.AddCosignatureResponse(checkpoint=_checkpoint(published))

    def _opened(self, connection: Connection, request: pb.AddCosignatureRequest) -> tuple[int, WitnessKey, Cosignature]:
        """Return the size of the checkpoint that was cosigned, by whom, and what the cosignature says."""
        published, line = published_note(connection, request.tree_size), request.cosignature
        # 0 says the newest, and is also the size of the checkpoint that the empty log had.
        of_empty = None if request.tree_size else find_note(connection, 0)
        if len(line) <= _MOST_CHARACTERS:
            for note, witness in product(filter(None, (published, of_empty)), self._witnesses):
                with contextlib.suppress(CheckpointFault):
                    return note.tree_size, witness, witness.open(note.text, line)
        message = (
            f"The line is no cosignature/v1 of a registered witness on the checkpoint of {published.tree_size}; "
            "witnesses are those whose keys the gateway found in its file `witnesses` when it started."
        )
        raise invalid("COSIGNATURE_INVALID", message)

    def _inclusion(self, connection: Connection, log_index: int, size: int) -> tuple[bytes, list[bytes]]:
        _check_place(log_index, size)
        prover = self._prover(connection, size)
        return prover.leaf_hash(log_index), prover.inclusion(log_index)

    def _prover(self, connection: Connection, size: int) -> Prover:
        return Prover(StoredTiles(connection, self._statements), size)


def _kept(published: PublishedNote, witness: WitnessKey) -> Iterator[Cosignature]:
    """Give the cosignatures of a witness that are published with a checkpoint."""
    for line in published.note.splitlines():
        with contextlib.suppress(CheckpointFault):
            yield witness.open(published.text, line)


def _checkpoint(published: PublishedNote) -> pb.Checkpoint:
    return pb.Checkpoint(tree_size=published.tree_size, note=published.note)


def _own_entry(connection: Connection, log_index: int, consumer: str | None) -> StoredEntry:
    entries = read_entries(connection, log_index, 1) if log_index >= 0 else []
    if not entries or entries[0].log_index != log_index or consumer not in {None, entries[0].consumer}:
        raise _no_entry(log_index)
    return entries[0]


def _check_place(log_index: int, size: int) -> None:
    if not 0 <= log_index < size:
        raise _no_entry(log_index)


def _size(connection: Connection, asked: int) -> int:
    newest = newest_size(connection) or 0
    if not 0 <= asked <= newest:
        raise _no_tree(f"The log has {newest} entries.")
    return asked or newest


def _no_entry(log_index: int) -> Refusal:
    message = f"The tree has no entry {log_index}, or it is not yours; the exchange's trailing metadata has its index."
    return not_found("LOG_ENTRY_UNKNOWN", message)


def _no_tree(what: str) -> Refusal:
    return not_found("TREE_SIZE_UNKNOWN", f"{what} GetCheckpoint gives the newest size.")
