"""A gateway that shows an auditor one log and lists another is caught, whichever way the two differ."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import NamedTuple

import grpc
import pytest
from sqlalchemy import Engine

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.database import open_database, snapshot, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointKey
from lienthong_gateway.log.notes import find_note
from lienthong_gateway.log.verdict import Fault, FaultKind
from lienthong_sandbox.cli.gateway_channel import channel_at
from lienthong_sandbox.remote_log import verify_gateway
from tests.support.log import entry, extend, filled
from tests.support.log_double import LogDouble, serving

KEY = CheckpointKey.create()
SIZE, COMMON, BATCH = 60, 30, 10


class Histories(NamedTuple):
    """Two logs signed with one key, with the same entries up to where they part."""

    one: Engine
    other: Engine


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Histories]:
    files = [tmp_path_factory.mktemp("histories") / name for name in ("one.sqlite", "other.sqlite")]
    filled(sqlite_url(files[0]), COMMON, KEY, BATCH).dispose()
    copyfile(*files)
    logs = Histories(*(open_database(sqlite_url(file), schema.metadata(), version=schema.VERSION) for file in files))
    extend(logs.one, COMMON, SIZE, KEY, BATCH)
    extend(logs.other, COMMON, SIZE, KEY, BATCH, make=lambda number: entry(number + 1))
    yield logs
    for log in logs:
        log.dispose()


def checkpoint(log: Engine, size: int) -> Checkpoint:
    with snapshot(log) as connection:
        stored = find_note(connection, size)
    assert stored is not None
    return KEY.verifier.open(stored.note)


def fault(double: LogDouble, folder: Path, seen: Checkpoint | None = None) -> Fault | None:
    with serving(double, folder) as address, channel_at(address, folder) as channel:
        return verify_gateway(channel, KEY.verifier, seen).fault


def found(fault: Fault | None) -> tuple[FaultKind, int, int]:
    assert fault is not None
    return fault.kind, fault.first, fault.last


@pytest.mark.parametrize("seen", [0, 20])
def test_a_gateway_that_lists_another_history_than_it_shows_is_caught(
    histories: Histories, tmp_path: Path, seen: int
) -> None:
    kept = checkpoint(histories.one, seen) if seen else None
    double = LogDouble(KEY.verifier, histories.one, histories.other, SIZE)
    assert found(fault(double, tmp_path, kept)) == (FaultKind.FORK, 0, SIZE - 1)


@pytest.mark.parametrize("seen", [0, 20])
def test_a_gateway_that_lists_less_than_it_shows_is_caught(histories: Histories, tmp_path: Path, seen: int) -> None:
    kept = checkpoint(histories.one, seen) if seen else None
    double = LogDouble(KEY.verifier, histories.one, histories.one, 40)
    assert found(fault(double, tmp_path, kept)) == (FaultKind.LOG_TRUNCATED, 40, SIZE - 1)


def test_a_list_that_continues_what_was_kept_does_not_excuse_another_history_that_is_shown(
    histories: Histories, tmp_path: Path
) -> None:
    double = LogDouble(KEY.verifier, histories.one, histories.other, SIZE)
    assert found(fault(double, tmp_path, checkpoint(histories.other, 40))) == (FaultKind.FORK, 0, SIZE - 1)


def test_a_list_that_begins_with_another_checkpoint_of_the_size_that_was_kept_is_another_history(
    histories: Histories, tmp_path: Path
) -> None:
    double = LogDouble(KEY.verifier, histories.one, histories.other, SIZE)
    assert found(fault(double, tmp_path, checkpoint(histories.one, 40))) == (FaultKind.FORK, 0, 39)


def test_a_single_entry_that_was_kept_is_history_enough_to_be_held_to(histories: Histories, tmp_path: Path) -> None:
    double = LogDouble(KEY.verifier, histories.one, histories.one, SIZE)
    assert found(fault(double, tmp_path, Checkpoint(1, bytes(32)))) == (FaultKind.FORK, 0, 0)


class Misproving(LogDouble):
    """Proves nothing."""

    def GetConsistencyProof(  # noqa: N802 (gRPC's name)
        self,
        request: pb.GetConsistencyProofRequest,  # noqa: ARG002 (gRPC gives it)
        context: grpc.ServicerContext,  # noqa: ARG002 (gRPC gives it)
    ) -> pb.GetConsistencyProofResponse:
        """Give a hash that is none of the tree's."""
        return pb.GetConsistencyProofResponse(hashes=[bytes(32)])


def test_a_proof_that_proves_nothing_is_told_from_another_history(histories: Histories, tmp_path: Path) -> None:
    double = Misproving(KEY.verifier, histories.one, histories.one, SIZE)
    assert found(fault(double, tmp_path, checkpoint(histories.one, 20))) == (FaultKind.PROOF_INVALID, 0, 19)


class Leafless(LogDouble):
    """Lists one entry as if it had been pruned, between others that were not."""

    def ListEntries(  # noqa: N802 (gRPC's name)
        self, request: pb.ListEntriesRequest, context: grpc.ServicerContext
    ) -> pb.ListEntriesResponse:
        """List entries."""
        listed = super().ListEntries(request, context)
        for listed_entry in listed.entries:
            if listed_entry.log_index == 25:
                listed_entry.ClearField("leaf")
        return listed


def test_an_entry_without_its_leaf_after_one_that_has_it_was_not_pruned(histories: Histories, tmp_path: Path) -> None:
    double = Leafless(KEY.verifier, histories.one, histories.one, SIZE)
    assert found(fault(double, tmp_path)) == (FaultKind.ENTRY_ALTERED, 25, 25)


class Repeating(LogDouble):
    """Lists the same page of checkpoints, whatever is asked, and leaves whoever asks for ever."""

    asked = 0

    def ListCheckpoints(  # noqa: N802 (gRPC's name)
        self, request: pb.ListCheckpointsRequest, context: grpc.ServicerContext
    ) -> pb.ListCheckpointsResponse:
        """List one page."""
        self.asked += 1
        if self.asked > 3:
            context.abort(grpc.StatusCode.ABORTED, "asked again and again")
        listed = super().ListCheckpoints(pb.ListCheckpointsRequest(start_size=20, page_size=1), context).checkpoints
        return pb.ListCheckpointsResponse(checkpoints=[*listed] * request.page_size)


def test_a_gateway_that_repeats_its_checkpoints_is_not_asked_for_ever(histories: Histories, tmp_path: Path) -> None:
    double = Repeating(KEY.verifier, histories.one, histories.one, SIZE)
    assert found(fault(double, tmp_path)) == (FaultKind.CHECKPOINT_INVALID, 20, 20)


def test_a_gateway_with_more_checkpoints_than_a_page_holds_is_read_to_its_end(tmp_path: Path) -> None:
    log = filled(sqlite_url(tmp_path / "log.sqlite"), 1_001, KEY, batch=1)
    with (
        serving(LogDouble(KEY.verifier, log, log, 1_001), tmp_path) as address,
        channel_at(address, tmp_path) as channel,
    ):
        verification = verify_gateway(channel, KEY.verifier)
    # The empty log has one, too.
    assert (verification.fault, verification.checkpoints) == (None, 1 + 1_001)
    log.dispose()
