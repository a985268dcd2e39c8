"""A gateway's log service that may show one log and list another, on a real socket with mutual TLS."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import grpc
from google.protobuf.message_factory import GetMessageClass
from sqlalchemy import Connection, Engine

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.certificates import Authority
from lienthong_core.database import snapshot
from lienthong_core.ports import reserved_port
from lienthong_core.rpc import RpcServer
from lienthong_gateway.log.checkpoint import VerifierKey
from lienthong_gateway.log.notes import read_newest_note
from lienthong_gateway.log.proofs import Prover
from lienthong_gateway.log.store import read_checkpoints, read_entries
from lienthong_gateway.log.tiles import StoredTiles, TileStatements
from lienthong_seeds import members

HOST = "127.0.0.1"
SERVICE = pb.DESCRIPTOR.services_by_name["ExchangeLogService"]


class LogDouble:
    """Shows the newest checkpoint of one log, with its proofs, and lists another's entries up to a size.

    `without` is an entry that it leaves out, `proved` a log whose inclusion proofs it gives instead, `leaf` what it
    lists as every entry's leaf.
    """

    def __init__(
        self,
        key: VerifierKey,
        shown: Engine,
        listed: Engine,
        up_to: int,
        *,
        without: int | None = None,
        proved: Engine | None = None,
        leaf: bytes | None = None,
    ) -> None:
        self._key = key
        self._shown = shown
        self._listed = listed
        self._up_to = up_to
        self._without = without
        self._proved = proved or shown
        self._leaf = leaf

    def GetCheckpoint(  # noqa: N802 (gRPC's name)
        self,
        request: pb.GetCheckpointRequest,  # noqa: ARG002 (gRPC gives it)
        context: grpc.ServicerContext,  # noqa: ARG002 (gRPC gives it)
    ) -> pb.GetCheckpointResponse:
        """Show the newest checkpoint."""
        with snapshot(self._shown) as connection:
            newest = read_newest_note(connection)
        shown = pb.Checkpoint(tree_size=newest.tree_size, note=newest.note)
        return pb.GetCheckpointResponse(checkpoint=shown, verifier_key=str(self._key))

    def GetConsistencyProof(  # noqa: N802 (gRPC's name)
        self,
        request: pb.GetConsistencyProofRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 (gRPC gives it)
    ) -> pb.GetConsistencyProofResponse:
        """Prove what is shown."""
        with snapshot(self._shown) as connection:
            hashes = _prover(connection, request.second_size).consistency(request.first_size)
        return pb.GetConsistencyProofResponse(hashes=hashes)

    def GetInclusionProof(  # noqa: N802 (gRPC's name)
        self,
        request: pb.GetInclusionProofRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 (gRPC gives it)
    ) -> pb.GetInclusionProofResponse:
        """Prove that an entry is there."""
        with snapshot(self._proved) as connection:
            prover = _prover(connection, request.tree_size)
            leaf, hashes = prover.leaf_hash(request.log_index), prover.inclusion(request.log_index)
        return pb.GetInclusionProofResponse(leaf_hash=leaf, hashes=hashes, tree_size=request.tree_size)

    def ListEntries(  # noqa: N802 (gRPC's name)
        self,
        request: pb.ListEntriesRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 (gRPC gives it)
    ) -> pb.ListEntriesResponse:
        """List entries."""
        with snapshot(self._listed) as connection:
            stored = read_entries(connection, request.start, request.page_size)
        return pb.ListEntriesResponse(
            entries=[
                pb.LogEntry(log_index=entry.log_index, leaf=self._leaf or entry.leaf, leaf_hash=entry.leaf_hash)
                for entry in stored
                if entry.log_index < self._up_to and entry.log_index != self._without
            ]
        )

    def ListCheckpoints(  # noqa: N802 (gRPC's name)
        self,
        request: pb.ListCheckpointsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 (gRPC gives it)
    ) -> pb.ListCheckpointsResponse:
        """List checkpoints."""
        with snapshot(self._listed) as connection:
            stored = read_checkpoints(connection, request.start_size, request.page_size)
        return pb.ListCheckpointsResponse(
            checkpoints=[pb.Checkpoint(tree_size=size, note=note) for size, note in stored if size <= self._up_to]
        )


def _prover(connection: Connection, size: int) -> Prover:
    return Prover(StoredTiles(connection, TileStatements(connection.dialect)), size)


@contextmanager
def serving(double: LogDouble, certificate: Path) -> Generator[str]:
    """Serve a double until the block ends; give its address, and put an auditor's certificate into a folder."""
    authority = Authority.create()
    authority.issue(members.AUDITOR).save(certificate)

    def register(server: grpc.Server) -> None:
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                getattr(double, method.name),
                GetMessageClass(method.input_type).FromString,
                GetMessageClass(method.output_type).SerializeToString,
            )
            for method in SERVICE.methods
            if hasattr(double, method.name)
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))

    with reserved_port(HOST) as port:
        address = f"{HOST}:{port}"
        server = RpcServer(address, authority.issue(members.GATEWAY), [], register, lambda _: True)
    server.start()
    try:
        yield address
    finally:
        server.stop()
