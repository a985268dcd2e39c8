"""Witnessing a running gateway's log over gRPC."""

from collections.abc import Callable
from datetime import datetime

import grpc

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong_gateway.log.checkpoint import Checkpoint
from lienthong_gateway.log.witness import Witness
from lienthong_sandbox.remote_log import consistency_proofs

_DEADLINE_S = 30.0


def cosign_newest(
    channel: grpc.Channel, witness: Witness, seen: Checkpoint, time: datetime, keep: Callable[[str], None]
) -> Checkpoint:
    """Cosign the newest checkpoint if it continues what was seen, and hand the cosignature in; return the checkpoint.

    `keep` is given the note before anybody gets the cosignature: a witness that forgot it could be led to cosign
    another history. Raises grpc.RpcError, CheckpointFault or NotConsistent.
    """
    stub = ExchangeLogServiceStub(channel)
    shown = stub.GetCheckpoint(pb.GetCheckpointRequest(), timeout=_DEADLINE_S).checkpoint
    witnessed = witness.witness(seen, shown.note, consistency_proofs(stub), time)
    keep(shown.note)
    request = pb.AddCosignatureRequest(tree_size=shown.tree_size, cosignature=witnessed.line)
    stub.AddCosignature(request, timeout=_DEADLINE_S)
    return witnessed.checkpoint
