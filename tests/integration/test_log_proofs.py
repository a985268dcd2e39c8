"""Receipts, checkpoints, proofs and cosignatures from a running gateway, and its log verified from outside."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from sqlalchemy import delete, insert, update

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import CallContext
from lienthong_core.database import snapshot, sqlite_url, writing
from lienthong_core.systems import SystemId
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.checkpoint import EMPTY, Checkpoint, CheckpointKey
from lienthong_gateway.log.cosignature import CosigningKey
from lienthong_gateway.log.export import write_export
from lienthong_gateway.log.growth import TILE_WIDTH
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.merkle import leaf_hash
from lienthong_gateway.log.proofs import check_consistency, check_inclusion
from lienthong_gateway.log.store import CHECKPOINTS, ENTRIES
from lienthong_gateway.log.stored_range import StoredRange
from lienthong_gateway.log.tiles import TileSource
from lienthong_gateway.log.verdict import FaultKind, Verification
from lienthong_gateway.log.witness import Witness
from lienthong_gateway.server import GatewayServer
from lienthong_sandbox.remote_log import verifier_key, verify_gateway
from lienthong_seeds import members
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.log import entry, filled
from tests.support.waiting import wait_until

OLD = 300
WITNESS = CosigningKey.create("witness.test/w1")
TIME = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    url = sqlite_url(tmp_path_factory.mktemp("proofs") / "gateway.sqlite")
    key = CheckpointKey.create()
    filled(url, OLD, key).dispose()
    with gateway_world(url, checkpoint_key=key, witnesses=(WITNESS.verifier,)) as world:
        world.consent()
        yield world


def stub(world: GatewayWorld, system: SystemId = members.AUDITOR) -> ExchangeLogServiceStub:
    return ExchangeLogServiceStub(world.channel(system))


def receipt(world: GatewayWorld, index: int, system: SystemId, tree_size: int = 0) -> pb.GetReceiptResponse:
    request = pb.GetReceiptRequest(log_index=index, tree_size=tree_size)
    return stub(world, system).GetReceipt(request, timeout=TIMEOUT_S)


def newest(world: GatewayWorld, **asked: object) -> pb.GetCheckpointResponse:
    request = pb.GetCheckpointRequest(**asked)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    return stub(world, members.SHOP).GetCheckpoint(request, timeout=TIMEOUT_S)


def opened(world: GatewayWorld, note: str) -> Checkpoint:
    return world.config.checkpoint_key.verifier.open(note)


def consistency(world: GatewayWorld, first: int, second: int) -> Sequence[bytes]:
    request = pb.GetConsistencyProofRequest(first_size=first, second_size=second)
    return stub(world, members.SHOP).GetConsistencyProof(request, timeout=TIMEOUT_S).hashes


def cosign(world: GatewayWorld, size: int, line: str) -> pb.AddCosignatureResponse:
    request = pb.AddCosignatureRequest(tree_size=size, cosignature=line)
    return stub(world, members.SHOP).AddCosignature(request, timeout=TIMEOUT_S)


def test_a_consumer_gets_the_receipt_of_its_exchange_and_it_proves_it(world: GatewayWorld) -> None:
    _, done = world.read()
    got = receipt(world, done.log_index, members.PORTAL)
    signed = opened(world, got.checkpoint)
    assert done.exchange_id in got.leaf.decode()
    assert signed.size == got.tree_size
    check_inclusion(got.log_index, got.tree_size, leaf_hash(got.leaf), got.inclusion_proof, signed.root)


def test_a_refusal_has_a_receipt_as_well(world: GatewayWorld) -> None:
    why = refusal_of(lambda: world.get_citizen(CallContext("ekyc"), members.BANK))
    got = receipt(world, int(why.metadata["log_index"]), members.BANK)
    assert why.reason in got.leaf.decode()


def test_an_auditor_gets_any_receipt_and_also_against_an_earlier_checkpoint(world: GatewayWorld) -> None:
    got = receipt(world, 5, members.AUDITOR, 37)
    check_inclusion(5, 37, leaf_hash(got.leaf), got.inclusion_proof, opened(world, got.checkpoint).root)


@pytest.mark.parametrize(
    ("index", "system"), [(-1, members.SHOP), (1 << 40, members.SHOP), (0, members.SHOP), (0, members.POPULATION)]
)
def test_a_system_gets_no_receipt_of_what_is_not_its_own_request(
    world: GatewayWorld, index: int, system: SystemId
) -> None:
    before = newest(world).checkpoint.tree_size
    why = refusal_of(lambda: receipt(world, index, system))
    assert (why.status, why.reason) == (grpc.StatusCode.NOT_FOUND, "LOG_ENTRY_UNKNOWN")
    assert newest(world).checkpoint.tree_size == before + 1


def test_nobody_is_told_that_an_entry_was_pruned_that_somebody_deleted(tmp_path: Path) -> None:
    url, key = sqlite_url(tmp_path / "gateway.sqlite"), CheckpointKey.create()
    engine = filled(url, OLD, key)
    with gateway_world(url, checkpoint_key=key) as world:
        with writing(engine) as connection:
            connection.execute(delete(ENTRIES).where(ENTRIES.c.log_index < TILE_WIDTH))
        why = refusal_of(lambda: receipt(world, 1, members.PORTAL))
        bundle = world.curl(tmp_path, members.AUDITOR).get("/tile/entries/000").json
        with snapshot(engine) as connection, pytest.raises(IndexError) as refused:
            write_export(StoredRange(connection), 0, None, tmp_path / "range.jsonl", key.verifier)
    engine.dispose()

    assert (why.reason, bundle["reason"]) == ("ENTRY_PRUNED", "ENTRY_PRUNED")
    for said in (why.message, bundle["detail"], str(refused.value)):
        assert re.search("missing,.* `lienthong log verify` tells", said), said


def test_a_receipt_is_recorded_before_it_is_given(world: GatewayWorld) -> None:
    got = receipt(world, 1, members.PORTAL)
    last = world.entries()[got.tree_size - 1]
    assert (last["event"], last["method"].rpartition("/")[2]) == ("LOG_READ", "GetReceipt")


@pytest.mark.parametrize("size", [36, 1 << 40, -1])
def test_there_is_no_receipt_against_a_checkpoint_that_does_not_exist(world: GatewayWorld, size: int) -> None:
    before = newest(world).checkpoint.tree_size
    assert refusal_of(lambda: receipt(world, 1, members.PORTAL, size)).reason == "TREE_SIZE_UNKNOWN"
    assert newest(world).checkpoint.tree_size == before + 1, "the refusal alone is recorded"


def test_an_entry_is_not_in_a_tree_that_is_older_than_it(world: GatewayWorld) -> None:
    before = newest(world).checkpoint.tree_size
    assert refusal_of(lambda: receipt(world, 41, members.PORTAL, 37)).reason == "LOG_ENTRY_UNKNOWN"
    assert newest(world).checkpoint.tree_size == before + 1, "the refusal alone is recorded"


def test_every_registered_system_gets_proofs_about_every_entry_and_size(world: GatewayWorld) -> None:
    size = newest(world).checkpoint.tree_size
    signed = opened(world, newest(world, tree_size=size).checkpoint.note)
    request = pb.GetInclusionProofRequest(log_index=4, tree_size=size)
    proof = stub(world, members.SHOP).GetInclusionProof(request, timeout=TIMEOUT_S)
    check_inclusion(4, size, proof.leaf_hash, proof.hashes, signed.root)
    old = opened(world, newest(world, tree_size=37).checkpoint.note)
    check_consistency(37, size, consistency(world, 37, size), old.root, signed.root)
    assert newest(world).checkpoint.tree_size == size, "proofs are not recorded"


@pytest.mark.parametrize(("index", "size"), [(-1, 37), (37, 37), (1 << 40, 0)])
def test_there_is_no_inclusion_proof_of_what_is_not_in_the_tree(world: GatewayWorld, index: int, size: int) -> None:
    request = pb.GetInclusionProofRequest(log_index=index, tree_size=size)
    why = refusal_of(lambda: stub(world).GetInclusionProof(request, timeout=TIMEOUT_S))
    assert (why.status, why.reason) == (grpc.StatusCode.NOT_FOUND, "LOG_ENTRY_UNKNOWN")


@pytest.mark.parametrize(("first", "second"), [(38, 37), (-1, 37), (1, 1 << 40), (1, -1)])
def test_there_is_no_consistency_proof_between_sizes_that_the_log_does_not_have(
    world: GatewayWorld, first: int, second: int
) -> None:
    why = refusal_of(lambda: consistency(world, first, second))
    assert (why.status, why.reason) == (grpc.StatusCode.NOT_FOUND, "TREE_SIZE_UNKNOWN")


def test_what_is_stored_before_the_log_begins_is_not_served(tmp_path: Path) -> None:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        assert isinstance(world.gateway, GatewayServer)
        with writing(world.gateway.engine) as connection:
            nobody = {"subject": "", "consumer": "", "provider": ""}
            connection.execute(insert(ENTRIES), {"log_index": -1, "leaf": b"{}", "leaf_hash": b"", **nobody})
            connection.execute(insert(CHECKPOINTS), {"tree_size": -1, "note": "forged"})

        entries = stub(world).ListEntries(pb.ListEntriesRequest(start=-5), timeout=TIMEOUT_S).entries
        checkpoints = stub(world).ListCheckpoints(pb.ListCheckpointsRequest(start_size=-5), timeout=TIMEOUT_S)

        assert entries[0].log_index == 0
        assert checkpoints.checkpoints[0].tree_size == 0
        assert refusal_of(lambda: newest(world, tree_size=-1)).reason == "TREE_SIZE_UNKNOWN"


def test_the_receipt_of_an_entry_that_somebody_deleted_is_not_that_of_the_next(tmp_path: Path) -> None:
    key, url = CheckpointKey.create(), sqlite_url(tmp_path / "gateway.sqlite")
    engine = filled(url, OLD, key)
    with writing(engine) as connection:
        connection.execute(delete(ENTRIES).where(ENTRIES.c.log_index == 5))
    engine.dispose()
    with gateway_world(url, checkpoint_key=key) as world:
        assert receipt(world, 6, members.AUDITOR).log_index == 6
        assert refusal_of(lambda: receipt(world, 5, members.AUDITOR)).reason == "LOG_ENTRY_UNKNOWN"


@pytest.mark.parametrize("size", [36, -37])
def test_there_is_no_checkpoint_where_no_batch_ended(world: GatewayWorld, size: int) -> None:
    assert refusal_of(lambda: newest(world, tree_size=size)).reason == "TREE_SIZE_UNKNOWN"


def test_a_witness_follows_the_log_and_its_cosignature_is_published_with_the_checkpoint(world: GatewayWorld) -> None:
    def proofs(first: int, second: int) -> Sequence[bytes]:
        return consistency(world, first, second)

    witness = Witness(WITNESS, world.config.checkpoint_key.verifier)
    seen = EMPTY
    for _ in range(2):
        shown = newest(world).checkpoint
        witnessed = witness.witness(seen, shown.note, proofs, TIME)
        seen = witnessed.checkpoint
        stored = cosign(world, shown.tree_size, witnessed.line).checkpoint
        assert stored.note == f"{shown.note}{witnessed.line}\n"
        assert newest(world, cosigned=True).checkpoint == stored
    entries = world.entries()
    assert next(e["event"] for e in entries[seen.size :]) == "COSIGNATURE"
    assert str(WITNESS.verifier) in newest(world).witness_keys
    got = receipt(world, 1, members.PORTAL, seen.size)
    assert WITNESS.verifier.open(seen.text(), got.checkpoint.splitlines()[-1]).time == TIME
    assert opened(world, got.checkpoint) == seen


def test_a_cosignature_that_is_there_already_changes_nothing(world: GatewayWorld) -> None:
    checkpoint = newest(world, tree_size=74).checkpoint
    line = WITNESS.sign(checkpoint.note.partition("\n\n")[0] + "\n", TIME)
    first = cosign(world, 74, line)
    size = newest(world).checkpoint.tree_size
    assert cosign(world, 74, line) == first
    assert newest(world).checkpoint.tree_size == size
    later = WITNESS.sign(checkpoint.note.partition("\n\n")[0] + "\n", datetime(2026, 4, 1, tzinfo=UTC))
    assert cosign(world, 74, later).checkpoint.note == f"{checkpoint.note}{later}\n"


def test_the_empty_logs_checkpoint_is_cosigned_and_stays_the_one_that_0_is_about(tmp_path: Path) -> None:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), witnesses=(WITNESS.verifier,)) as world:
        checkpoint = newest(world).checkpoint
        line = WITNESS.sign(checkpoint.note.partition("\n\n")[0] + "\n", TIME)

        stored = cosign(world, 0, line).checkpoint
        again = cosign(world, 0, line).checkpoint

        assert (stored.tree_size, stored.note) == (0, f"{checkpoint.note}{line}\n")
        assert again == stored
        assert [leaf["event"] for leaf in world.entries()].count("COSIGNATURE") == 1


def test_every_witness_cosigns_every_checkpoint_beside_the_others(tmp_path: Path) -> None:
    key, other = CheckpointKey.create(), CosigningKey.create("witness.test/w2")
    url = sqlite_url(tmp_path / "gateway.sqlite")
    filled(url, 74, key).dispose()
    with gateway_world(url, checkpoint_key=key, witnesses=(WITNESS.verifier, other.verifier)) as world:
        notes = {size: newest(world, tree_size=size).checkpoint.note for size in (37, 74)}
        lines = {
            (size, witness): witness.sign(opened(world, notes[size]).text(), TIME)
            for size in notes
            for witness in (other, WITNESS)
        }
        for (size, _), line in lines.items():
            cosign(world, size, line)

        for size, note in notes.items():
            published = newest(world, tree_size=size).checkpoint.note
            assert published == f"{note}{lines[size, WITNESS]}\n{lines[size, other]}\n"


def test_an_older_cosignature_does_not_take_the_place_of_a_newer_one(world: GatewayWorld) -> None:
    checkpoint = newest(world, tree_size=148).checkpoint
    text = checkpoint.note.partition("\n\n")[0] + "\n"
    older, newer = (WITNESS.sign(text, datetime(2026, month, 1, tzinfo=UTC)) for month in (5, 6))
    cosign(world, 148, older)
    cosign(world, 148, newer)

    assert newer in cosign(world, 148, older).checkpoint.note.splitlines()


def test_of_cosignatures_that_come_at_once_the_newest_is_kept_and_each_that_is_kept_is_recorded_once(
    world: GatewayWorld,
) -> None:
    assert isinstance(world.gateway, GatewayServer)
    log = world.gateway.log
    before = sum(leaf["event"] == "COSIGNATURE" for leaf in world.entries())
    text = newest(world, tree_size=185).checkpoint.note.partition("\n\n")[0] + "\n"
    older, newer = (WITNESS.sign(text, datetime(2026, month, 1, tzinfo=UTC)) for month in (5, 6))
    with ThreadPoolExecutor(3) as callers:
        with writing(world.gateway.engine):
            # All of them have looked at what is kept before any of them is written.
            log.append(Job(entry(0)))
            wait_until(lambda: log.depth == 0)
            calls: list[Future[pb.AddCosignatureResponse]] = []
            for line in (newer, older, newer):
                calls.append(callers.submit(cosign, world, 185, line))
                wait_until(lambda: log.depth == len(calls))
        answers = [call.result().checkpoint.note.splitlines()[-1] for call in calls]

    assert answers == [newer] * 3
    assert sum(leaf["event"] == "COSIGNATURE" for leaf in world.entries()) == before + 1


def test_the_files_of_the_log_carry_the_cosignature(world: GatewayWorld) -> None:
    assert isinstance(world.gateway, GatewayServer)
    shown = newest(world).checkpoint
    assert TileSource(world.gateway.engine).checkpoint().decode() == shown.note


FORGED: dict[str, Callable[[str], str]] = {
    "another witness": lambda text: CosigningKey.create("witness.test/w1").sign(text, TIME),
    "another checkpoint": lambda text: WITNESS.sign(f"{text}x\n", TIME),
    "nothing": lambda _: "",
    "the log's own": lambda _: "— lienthong.sandbox.test/exchange-log AAAA",
    "two lines": lambda text: f"{WITNESS.sign(text, TIME)}\nmore",
    "too long": lambda text: WITNESS.sign(text, TIME) + "A" * 1_000,
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_cosignature_that_does_not_hold_is_refused(world: GatewayWorld, forged: str) -> None:
    checkpoint = newest(world, tree_size=111).checkpoint
    line = FORGED[forged](checkpoint.note.partition("\n\n")[0] + "\n")
    why = refusal_of(lambda: cosign(world, 111, line))
    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "COSIGNATURE_INVALID")
    assert newest(world, tree_size=111).checkpoint == checkpoint


def test_where_no_witness_has_cosigned_there_is_no_cosigned_checkpoint(tmp_path: Path) -> None:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        assert newest(world).checkpoint.tree_size == 0
        assert refusal_of(lambda: newest(world, cosigned=True)).reason == "TREE_SIZE_UNKNOWN"


def remotely(world: GatewayWorld, seen: Checkpoint | None = None) -> Verification:
    return verify_gateway(world.channel(members.AUDITOR), world.config.checkpoint_key.verifier, seen)


def test_a_running_gateways_log_verifies_and_later_only_what_came_after(world: GatewayWorld) -> None:
    assert str(verifier_key(world.channel(members.AUDITOR))) == str(world.config.checkpoint_key.verifier)
    whole = remotely(world)
    assert (whole.fault, whole.checkpoints > 10) == (None, True)
    for _ in range(3):
        before = len(world.entries())
        world.read()
        seen = opened(world, whole.note)
        again = remotely(world, seen)
        assert (again.fault, again.size >= before) == (None, True)
        assert again.checkpoints < OLD / 37
        whole = again


def test_a_log_that_has_not_grown_verifies_without_being_read(world: GatewayWorld) -> None:
    seen = opened(world, newest(world).checkpoint.note)
    again = remotely(world, seen)
    assert (again.fault, again.size, again.checkpoints) == (None, seen.size, 0)
    assert newest(world).checkpoint.tree_size == seen.size


@pytest.mark.parametrize("size", [1, 37, 64, 256, OLD])
def test_a_gateway_that_shows_another_history_is_caught(world: GatewayWorld, tmp_path: Path, size: int) -> None:
    def other(number: int) -> Entry:
        return entry(number + 1)

    key = world.config.checkpoint_key
    url = sqlite_url(tmp_path / "gateway.sqlite")
    filled(url, size, key, make=other).dispose()
    with gateway_world(url, checkpoint_key=key) as forked:
        seen = opened(forked, newest(forked).checkpoint.note)
    verification = remotely(world, seen)
    assert verification.fault is not None
    assert (verification.fault.kind, verification.fault.last) == (FaultKind.FORK, size - 1)


def test_a_gateway_whose_log_was_put_back_or_altered_is_caught(tmp_path: Path) -> None:
    key = CheckpointKey.create()
    filled(sqlite_url(tmp_path / "long.sqlite"), 100, key).dispose()
    filled(sqlite_url(tmp_path / "short.sqlite"), 90, key, make=entry).dispose()
    with gateway_world(sqlite_url(tmp_path / "long.sqlite"), checkpoint_key=key) as world:
        seen = opened(world, newest(world).checkpoint.note)
        assert isinstance(world.gateway, GatewayServer)
        with writing(world.gateway.engine) as connection:
            connection.execute(update(ENTRIES).where(ENTRIES.c.log_index == 40).values(leaf=b"{}"))
        world.accesses()
        altered = remotely(world, seen).fault
    with gateway_world(sqlite_url(tmp_path / "short.sqlite"), checkpoint_key=key) as world:
        truncated = remotely(world, seen).fault
    assert altered is None, "what was seen is known; only what came after it is read"
    assert truncated is not None
    assert (truncated.kind, truncated.first, truncated.last) == (FaultKind.LOG_TRUNCATED, 90, 99)
