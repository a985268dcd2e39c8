"""What the gateway rests on fails: callers are told within seconds, nothing goes out unrecorded, and work goes on."""

import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_gateway.log.verify import verify_log
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.figures import Figures
from tests.support.gateway_world import PURPOSE, GatewayWorld, gateway_world, refusal_of
from tests.support.line import Line
from tests.support.load import Load, under_load
from tests.support.waiting import wait_until

CALLERS = 6
GONE = 8
TOLD_WITHIN_S = 16.0
"""Twice what a locked database is waited for, and some: a call may come in just after another's wait began."""
UNAVAILABLE = {"EXCHANGE_LOG_UNAVAILABLE"}
DISK_BYTES = 32 << 20


def endure(world: GatewayWorld, begin: Callable[[], object], end: Callable[[], object]) -> tuple[Load, float]:
    """Have a fault under load from `begin` to `end`; return what callers were told, and when the first was answered.

    While it lasts, nobody is answered; afterwards, everybody who was is in the log, which verifies.
    """
    with under_load(world, CALLERS) as load:
        load.wait_for_answers(20)
        begin()
        begun = time.monotonic()
        load.wait_for_refusals(1 + CALLERS)
        assert [began for began in load.answered_began if began > begun] == []
        end()
        back_after_s = load.wait_for_answers(1)
        load.wait_for_answers(20)
    entries = world.entries()
    for receipt in load.answers:
        entry = entries[receipt.log_index]
        assert (entry["event"], entry["exchange_id"]) == ("EXCHANGE", receipt.exchange_id)
    assert isinstance(world.gateway, GatewayServer)
    assert verify_log(world.gateway.engine, world.config.checkpoint_key.verifier).fault is None
    return load, back_after_s


def told(what: str, load: Load, back_after_s: float) -> str:
    refused = ", ".join(f"{count} {reason}" for reason, count in load.reasons.items())
    return (
        f"{what} under {CALLERS} callers: {refused}, told after {load.longest_s:.1f} s at most; none answered "
        f"meanwhile, the first {back_after_s:.2f} s after its end; all {len(load.answers)} answers are in the log"
    )


def test_a_database_that_somebody_locks_withholds_answers_until_it_is_free(tmp_path: Path, figures: Figures) -> None:
    file = tmp_path / "gateway.sqlite"
    with (
        gateway_world(sqlite_url(file)) as world,
        closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as other,
    ):
        world.consent()

        load, back_after_s = endure(world, lambda: other.execute("BEGIN IMMEDIATE"), lambda: other.execute("ROLLBACK"))

    assert set(load.reasons) == UNAVAILABLE
    assert load.longest_s < TOLD_WITHIN_S
    figures.tell(told("database locked", load, back_after_s))


@pytest.fixture
def disk() -> Iterator[Path]:
    """Give a folder on a disk of its own, which is small.

    It is not among pytest's own folders: those of an earlier run are deleted at the end of a later one, which fails on
    a disk that stayed mounted because the earlier run was killed.
    """
    folder = tempfile.mkdtemp(prefix="lienthong-disk-")
    size = f"size={DISK_BYTES}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=False, capture_output=True)
    try:
        if mounted.returncode:
            pytest.skip("left out: nobody may mount a disk here, so none can be filled")
        yield Path(folder)
        subprocess.run(["umount", folder], check=True)
    finally:
        Path(folder).rmdir()


def fill(file: Path) -> None:
    """Write to a file until the disk is full."""
    pages = iter(lambda: bytes(4_096), b"")
    with file.open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        filler.writelines(pages)


def test_a_full_disk_withholds_answers_until_there_is_room(disk: Path, figures: Figures) -> None:
    filler = disk / "filler"
    with gateway_world(sqlite_url(disk / "gateway.sqlite")) as world:
        world.consent()

        load, back_after_s = endure(world, lambda: fill(filler), filler.unlink)

    assert set(load.reasons) == UNAVAILABLE
    assert load.longest_s < TOLD_WITHIN_S
    figures.tell(told("disk full", load, back_after_s))


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_database_that_is_gone_withholds_answers_until_it_is_back(line: tuple[Line, str], figures: Figures) -> None:
    way, url = line
    with gateway_world(url) as world:
        world.consent()

        load, back_after_s = endure(world, way.cut, way.mend)

    assert set(load.reasons) == UNAVAILABLE
    assert load.longest_s < TOLD_WITHIN_S
    figures.tell(told("database gone", load, back_after_s))


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_database_that_hangs_withholds_answers_until_it_goes_on(line: tuple[Line, str], figures: Figures) -> None:
    way, url = line
    with gateway_world(url) as world:
        world.consent()

        load, back_after_s = endure(world, way.silence, way.mend)

    assert set(load.reasons) == UNAVAILABLE
    assert load.longest_s < TOLD_WITHIN_S
    figures.tell(told("database hangs", load, back_after_s))


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_who_needs_a_database_that_hangs_to_be_decided_on_is_told_too(line: tuple[Line, str], figures: Figures) -> None:
    way, url = line
    with gateway_world(url) as world:
        world.consent()
        way.silence()
        began = time.monotonic()
        why = refusal_of(world.read)
        took_s = time.monotonic() - began
        way.mend()

        wait_until(lambda: answered(world))
        entries = world.entries()

    assert (why.status, why.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert took_s < TOLD_WITHIN_S
    assert {entry["event"] for entry in entries if entry["exchange_id"] == why.metadata["exchange_id"]} <= {"REFUSAL"}
    figures.tell(f"database hangs before the decision: STORE_UNAVAILABLE after {took_s:.1f} s")


def answered(world: GatewayWorld) -> bool:
    """Make the ordinary call, and return whether it was answered."""
    try:
        world.read()
    except grpc.RpcError:
        return False
    return True


def test_callers_who_go_away_while_the_log_is_locked_leave_their_entries_and_hold_nobody_up(
    tmp_path: Path, figures: Figures
) -> None:
    file = tmp_path / "gateway.sqlite"
    with (
        gateway_world(sqlite_url(file)) as world,
        closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as other,
    ):
        world.consent()
        world.read()
        other.execute("BEGIN IMMEDIATE")
        stub = PopulationServiceStub(world.channel(members.PORTAL))
        asked = len(world.population.calls)
        calls = [
            stub.GetCitizen.future(
                GetCitizenRequest(personal_number=LAN), metadata=CallContext(PURPOSE, message_id=f"gone-{n}").metadata()
            )
            for n in range(GONE)
        ]
        wait_until(lambda: len(world.population.calls) == asked + GONE)
        for call in calls:
            call.cancel()
        other.execute("ROLLBACK")

        wait_until(lambda: answered(world))
        gone = [entry for entry in world.entries() if entry["message_id"].startswith("gone-")]

    assert {entry["message_id"] for entry in gone} == {f"gone-{n}" for n in range(GONE)}
    figures.tell(f"{GONE} callers went away while the log was locked: {len(gone)} entries about them, nothing held up")
