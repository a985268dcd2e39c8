"""Pruning: old entries are deleted from the log by whoever may, the log says so, and everything else still holds."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
from sqlalchemy import Engine, text

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import CallContext
from lienthong_core.database import open_database, snapshot, writing
from lienthong_core.systems import SystemId
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import Checkpoint
from lienthong_gateway.log.export import verify_export, write_export
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.log.proofs import check_consistency, check_inclusion
from lienthong_gateway.log.store import read_checkpoints
from lienthong_gateway.log.stored_range import StoredRange
from lienthong_gateway.log.verdict import FaultKind, Verification
from lienthong_gateway.log.verify import verify_log
from lienthong_sandbox.remote_log import PrunedMeanwhile, verify_gateway
from lienthong_seeds import members
from tests.support.administration import BY_OFFICER, administration, admit, dismiss
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.log import BEGIN, entry, extend
from tests.support.replicas import two_replicas

SIZE = 600
"""Entries of 1 March 2026, which fill two tiles, before those that a test makes."""
PRUNABLE = datetime(2026, 9, 2, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 1, 17, tzinfo=UTC)
"""In Vietnam, six months before that day."""
ARCHIVE = sha256(b"a file").digest()
INVALID, PRECONDITION = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
DENIED = grpc.StatusCode.PERMISSION_DENIED


def database(world: GatewayWorld) -> Engine:
    return open_database(world.config.database_url, schema.metadata(), version=schema.VERSION)


@pytest.fixture
def world(database_url: str) -> Iterator[GatewayWorld]:
    """Give a gateway whose log has old entries, in September."""
    with gateway_world(database_url) as world:
        fill(world)
        yield world


def fill(world: GatewayWorld) -> None:
    engine = database(world)
    extend(engine, 0, SIZE, world.config.checkpoint_key)
    engine.dispose()
    world.clock.set(PRUNABLE)


def log(world: GatewayWorld, system: SystemId = members.AUDITOR) -> ExchangeLogServiceStub:
    return ExchangeLogServiceStub(world.channel(system))


def prune(
    world: GatewayWorld,
    minimum: int,
    archive: bytes = ARCHIVE,
    system: SystemId = members.ADMINISTRATION,
    metadata: tuple[tuple[str, str], ...] = BY_OFFICER,
) -> int:
    request = pb.PruneEntriesRequest(minimum_index=minimum, archive_digest=archive)
    return log(world, system).PruneEntries(request, metadata=metadata, timeout=TIMEOUT_S).minimum_index


def listed(world: GatewayWorld, start: int) -> list[pb.LogEntry]:
    return list(log(world).ListEntries(pb.ListEntriesRequest(start=start), timeout=TIMEOUT_S).entries)


def newest(world: GatewayWorld) -> pb.GetCheckpointResponse:
    return log(world).GetCheckpoint(pb.GetCheckpointRequest(), timeout=TIMEOUT_S)


def receipt(world: GatewayWorld, index: int) -> pb.GetReceiptResponse:
    return log(world).GetReceipt(pb.GetReceiptRequest(log_index=index), timeout=TIMEOUT_S)


def stored(world: GatewayWorld, seen: Checkpoint | None = None) -> Verification:
    engine = database(world)
    try:
        return verify_log(engine, world.config.checkpoint_key.verifier, seen=seen)
    finally:
        engine.dispose()


def running(world: GatewayWorld, seen: Checkpoint | None = None) -> Verification:
    return verify_gateway(world.channel(members.AUDITOR), world.config.checkpoint_key.verifier, seen)


def run(world: GatewayWorld, statement: str) -> None:
    engine = database(world)
    with writing(engine) as connection:
        assert connection.execute(text(statement)).rowcount > 0
    engine.dispose()


def of_the_summer(number: int) -> Entry:
    return replace(entry(number), time=BEGIN + timedelta(days=100))


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    refusal = refusal_of(call)
    return refusal.status, refusal.reason


def missing(verification: Verification) -> tuple[FaultKind, int, int]:
    assert verification.fault is not None
    return verification.fault.kind, verification.fault.first, verification.fault.last


def test_what_was_pruned_is_gone_and_the_log_verifies_wherever_it_is_read(world: GatewayWorld) -> None:
    assert prune(world, 256) == 256
    assert prune(world, 512) == 512
    assert newest(world).minimum_index == 512
    for verification in (stored(world), running(world)):
        assert (verification.fault, verification.pruned) == (None, 512)
        assert verification.size > SIZE
    hashes, whole = listed(world, 256), listed(world, 512)
    assert [(entry.log_index, entry.leaf) for entry in hashes[:2]] == [(256, b""), (257, b"")]
    assert whole[0].log_index == 512
    assert all(leaf_hash(entry.leaf) == entry.leaf_hash for entry in whole)


def test_the_hashes_of_what_was_pruned_come_in_pages_as_long_as_asked_for(world: GatewayWorld) -> None:
    hashes = [entry.leaf_hash for start in range(0, SIZE, 100) for entry in listed(world, start)]
    prune(world, 512)
    request = pb.ListEntriesRequest(start=100, page_size=300)
    page = log(world).ListEntries(request, timeout=TIMEOUT_S).entries
    assert [(entry.log_index, entry.leaf_hash) for entry in page] == list(enumerate(hashes[100:400], 100))


def test_the_log_says_who_pruned_it_up_to_where_and_which_file_holds_the_rest(world: GatewayWorld) -> None:
    prune(world, 512)
    leaf = json.loads(listed(world, SIZE)[0].leaf)
    assert (leaf["event"], leaf["reason"], leaf["decision"]) == ("PRUNING", "ENTRIES_PRUNED", "")
    assert (leaf["consumer"], leaf["officer"]) == (str(members.ADMINISTRATION), members.ADMINISTRATOR)
    said = json.loads(leaf["registered"])
    assert (said["minimum_index"], base64.b64decode(said["archive_digest"])) == ("512", ARCHIVE)


@pytest.mark.parametrize("minimum", [0, -256, 100, 768, 256 * 17, 1 << 62])
def test_a_minimum_index_that_cannot_be_is_refused(world: GatewayWorld, minimum: int) -> None:
    assert refused(lambda: prune(world, minimum)) == (INVALID, "MINIMUM_INDEX_INVALID")
    assert newest(world).minimum_index == 0


def test_no_more_than_4096_entries_are_pruned_at_once(world: GatewayWorld) -> None:
    key, engine = world.config.checkpoint_key, database(world)
    extend(engine, SIZE, 4_096, key, batch=437)
    extend(engine, 4_096, 4_600, key, batch=252)
    world.clock.set(PRUNABLE + timedelta(days=4))

    assert refused(lambda: prune(world, 4_352)) == (INVALID, "MINIMUM_INDEX_INVALID")
    assert prune(world, 4_096) == 4_096

    with snapshot(engine) as connection:
        sizes = [size for size, _ in read_checkpoints(connection, 0, 3)]
    engine.dispose()
    assert sizes == [0, 4_096, 4_096 + 252], "the checkpoint of just as many entries is not of a smaller tree"


def test_what_is_pruned_already_is_not_pruned_again(world: GatewayWorld) -> None:
    prune(world, 512)
    assert refused(lambda: prune(world, 512)) == (INVALID, "MINIMUM_INDEX_INVALID")
    assert refused(lambda: prune(world, 256)) == (INVALID, "MINIMUM_INDEX_INVALID")


@pytest.mark.parametrize("digest", [b"", b"short", bytes(33)])
def test_nothing_is_pruned_without_the_digest_of_the_file_that_holds_it(world: GatewayWorld, digest: bytes) -> None:
    assert refused(lambda: prune(world, 256, digest)) == (INVALID, "ARCHIVE_DIGEST_INVALID")
    assert newest(world).minimum_index == 0


@pytest.mark.parametrize(
    ("system", "officer", "status", "reason"),
    [
        (members.AUDITOR, "", DENIED, "CALLER_NOT_ALLOWED"),
        (members.BANK, "", DENIED, "CALLER_NOT_ALLOWED"),
        (members.ADMINISTRATION, "", INVALID, "OFFICER_MISSING"),
        (members.ADMINISTRATION, "can-bo-0107", DENIED, "OFFICER_NOT_ALLOWED"),
    ],
)
def test_only_an_administrators_officer_prunes(
    world: GatewayWorld, system: SystemId, officer: str, status: grpc.StatusCode, reason: str
) -> None:
    by = CallContext("", officer=officer).metadata()
    assert refused(lambda: prune(world, 256, system=system, metadata=by)) == (status, reason)
    assert newest(world).minimum_index == 0


def test_an_officer_who_was_dismissed_at_another_replica_prunes_no_more(database_url: str) -> None:
    administrators = str(members.ADMINISTRATION)
    with two_replicas(database_url) as (first, second):
        fill(first)
        admit(administration(first), administrators, "ql-02")
        assert listed(second, 0)
        dismiss(administration(first), administrators, members.ADMINISTRATOR)
        assert refused(lambda: prune(second, 256)) == (DENIED, "OFFICER_NOT_ALLOWED")
        assert newest(second).minimum_index == 0


def test_an_entry_is_kept_until_six_months_are_over_in_vietnam(world: GatewayWorld) -> None:
    # 1 March ends in Vietnam at 17:00 UTC; so does 1 September.
    world.clock.set(datetime(2026, 9, 1, 16, 59, tzinfo=UTC))
    refusal = refusal_of(lambda: prune(world, 256))
    assert (refusal.status, refusal.reason) == (PRECONDITION, "ENTRY_STILL_KEPT")
    assert "Entry 0 is of 2026-03-01" in refusal.message
    world.clock.set(datetime(2026, 9, 1, 17, tzinfo=UTC))
    assert prune(world, 256) == 256


def test_what_was_written_as_a_day_began_is_kept_as_long_as_the_rest_of_that_day(world: GatewayWorld) -> None:
    engine = database(world)
    extend(engine, SIZE, 768, world.config.checkpoint_key, make=lambda number: replace(entry(number), time=MIDNIGHT))
    engine.dispose()
    assert refusal_of(lambda: prune(world, 768)).reason == "ENTRY_STILL_KEPT"


def test_a_refusal_deletes_nothing_though_most_entries_are_old_enough(world: GatewayWorld) -> None:
    engine = database(world)
    extend(engine, SIZE, 1024, world.config.checkpoint_key, make=of_the_summer)
    engine.dispose()
    assert refusal_of(lambda: prune(world, 1024)).reason == "ENTRY_STILL_KEPT"
    assert listed(world, 0)[0].leaf
    assert prune(world, 512) == 512


def test_receipts_of_before_still_verify_and_new_ones_are_refused_with_the_reason(world: GatewayWorld) -> None:
    kept = receipt(world, 300)
    prune(world, 512)
    assert refusal_of(lambda: receipt(world, 300)).reason == "ENTRY_PRUNED"
    then, now = (
        world.config.checkpoint_key.verifier.open(note) for note in (kept.checkpoint, newest(world).checkpoint.note)
    )
    growth = pb.GetConsistencyProofRequest(first_size=then.size, second_size=now.size)
    hashes = log(world).GetConsistencyProof(growth, timeout=TIMEOUT_S).hashes
    check_consistency(then.size, now.size, hashes, then.root, now.root)
    request = pb.GetInclusionProofRequest(log_index=300, tree_size=now.size)
    proof = log(world).GetInclusionProof(request, timeout=TIMEOUT_S)
    assert proof.leaf_hash == leaf_hash(kept.leaf)
    check_inclusion(300, now.size, leaf_hash(kept.leaf), proof.hashes, now.root)


def test_a_proof_for_a_tree_that_ended_among_what_was_pruned_is_still_given(world: GatewayWorld) -> None:
    request = pb.GetInclusionProofRequest(log_index=257, tree_size=300)
    before = log(world).GetInclusionProof(request, timeout=TIMEOUT_S)
    prune(world, 512)
    assert log(world).GetInclusionProof(request, timeout=TIMEOUT_S) == before


def test_a_monitor_finds_the_hashes_of_what_was_pruned_and_no_entries(world: GatewayWorld, tmp_path: Path) -> None:
    auditor = world.curl(tmp_path, members.AUDITOR)
    tiles = [auditor.get(f"/tile/0/{path}").body for path in ("000", "001", "000.p/7")]
    prune(world, 512)
    assert [auditor.get(f"/tile/0/{path}").body for path in ("000", "001", "000.p/7")] == tiles
    for path in ("000", "001", "001.p/9"):
        answer = auditor.get(f"/tile/entries/{path}")
        assert (answer.status, json.loads(answer.body)["reason"]) == (404, "ENTRY_PRUNED")
    assert auditor.get("/tile/entries/002.p/9").status == 200


def test_a_checkpoint_that_was_kept_is_still_continued_wherever_it_ended(world: GatewayWorld) -> None:
    leaves = [entry.leaf for start in range(0, SIZE, 100) for entry in listed(world, start)]
    prune(world, 512)
    for size in (1, 255, 256, 300, 512, 555):
        seen = Checkpoint(size, Tree.of(map(leaf_hash, leaves[:size])).root())
        assert stored(world, seen).fault is None
        assert running(world, seen).fault is None
    forked = Checkpoint(300, Tree.of(map(leaf_hash, leaves[1:301])).root())
    assert missing(stored(world, forked))[0] is FaultKind.FORK
    assert missing(running(world, forked))[0] is FaultKind.FORK


@pytest.mark.parametrize("pruned", [0, 256])
def test_what_is_deleted_by_hand_is_missing_however_much_was_pruned(world: GatewayWorld, pruned: int) -> None:
    if pruned:
        prune(world, pruned)
    run(world, "DELETE FROM log_entry WHERE log_index < 512")
    for verification in (stored(world), running(world)):
        assert missing(verification) == (FaultKind.ENTRY_MISSING, pruned, 511)
        assert verification.size == 0


def test_a_log_that_is_pruned_while_a_gateway_is_verified_is_not_taken_for_tampered_with(world: GatewayWorld) -> None:
    engine = database(world)
    extend(engine, SIZE, 1_400, world.config.checkpoint_key)
    engine.dispose()
    world.clock.set(PRUNABLE + timedelta(days=1))
    steps = iter([1_280])

    def pruned(_entries: int, _all: int) -> None:
        # The first 1,000 have been read by now, and of the others some have not.
        for step in steps:
            prune(world, step)

    key, channel = world.config.checkpoint_key.verifier, world.channel(members.AUDITOR)
    with pytest.raises(PrunedMeanwhile, match="verify it again"):
        verify_gateway(channel, key, progress=pruned)
    assert running(world).fault is None


def test_a_hash_that_was_altered_in_place_of_a_pruned_entrys_is_found(world: GatewayWorld) -> None:
    prune(world, 512)
    run(
        world,
        "UPDATE log_tile SET hashes = (SELECT hashes FROM log_tile WHERE level = 0 AND tile_index = 1) "
        "WHERE level = 0 AND tile_index = 0",
    )
    assert missing(stored(world))[0] is FaultKind.ENTRIES_DISAGREE


def test_what_is_not_what_was_hashed_is_not_pruned(world: GatewayWorld) -> None:
    run(world, "UPDATE log_entry SET leaf = (SELECT leaf FROM log_entry WHERE log_index = 5) WHERE log_index = 6")
    assert refusal_of(lambda: prune(world, 256)).reason == "EXCHANGE_LOG_UNAVAILABLE"
    assert listed(world, 5)[0].leaf


@pytest.mark.parametrize("pruned", [0, 256])
def test_what_was_deleted_by_hand_before_is_not_taken_for_pruned_by_the_next_pruning(
    world: GatewayWorld, pruned: int
) -> None:
    engine = database(world)
    extend(engine, SIZE, 768, world.config.checkpoint_key)
    engine.dispose()
    if pruned:
        prune(world, pruned)
    run(world, f"DELETE FROM log_entry WHERE log_index < {pruned + 256}")  # noqa: S608 (our own number)
    assert refusal_of(lambda: prune(world, pruned + 512)).reason == "EXCHANGE_LOG_UNAVAILABLE"
    assert missing(stored(world)) == (FaultKind.ENTRY_MISSING, pruned, pruned + 255)


def test_checkpoints_of_smaller_trees_go_but_for_those_that_a_witness_cosigned(world: GatewayWorld) -> None:
    run(world, "INSERT INTO checkpoint_cosignature VALUES (74, 'witness.test/w1', 'a line')")
    prune(world, 512)
    engine = database(world)
    with snapshot(engine) as connection:
        sizes = [size for size, _ in read_checkpoints(connection, 0, 1_000)]
    engine.dispose()
    assert sizes[:4] == [0, 74, 518, 555]
    assert stored(world).fault is None


def test_an_export_of_before_verifies_and_one_of_what_was_pruned_is_refused(
    world: GatewayWorld, tmp_path: Path
) -> None:
    key, engine = world.config.checkpoint_key.verifier, database(world)
    with snapshot(engine) as connection:
        write_export(StoredRange(connection), 0, 511, tmp_path / "old.jsonl", key)
    prune(world, 512)
    with snapshot(engine) as connection, pytest.raises(IndexError, match="has entries 100 to 511 no more"):
        write_export(StoredRange(connection), 100, None, tmp_path / "new.jsonl", key)
    with snapshot(engine) as connection:
        write_export(StoredRange(connection), 512, SIZE - 1, tmp_path / "new.jsonl", key)
    engine.dispose()
    assert [verify_export(tmp_path / name, key).end for name in ("old.jsonl", "new.jsonl")] == [512, SIZE]


def test_what_was_counted_still_is(world: GatewayWorld) -> None:
    request = pb.GetDailySummaryRequest(first_day="2026-03-01", last_day="2026-03-01")
    before = log(world).GetDailySummary(request, timeout=TIMEOUT_S).counts
    prune(world, 512)
    assert sum(count.entries for count in before) > SIZE
    assert log(world).GetDailySummary(request, timeout=TIMEOUT_S).counts == before


def test_a_gateway_goes_on_after_pruning_and_after_it_was_started_again(database_url: str) -> None:
    with gateway_world(database_url) as world:
        fill(world)
        prune(world, 512)
        key, before = world.config.checkpoint_key, newest(world).checkpoint.tree_size
    with gateway_world(database_url, checkpoint_key=key) as again:
        assert listed(again, 512)
        assert newest(again).checkpoint.tree_size > before
        assert stored(again).fault is None


def test_a_replica_that_knew_less_of_the_log_than_was_pruned_goes_on(database_url: str) -> None:
    with two_replicas(database_url) as (first, second):
        first.clock.set(BEGIN)
        assert listed(second, 0)
        fill(first)
        prune(first, 512)
        assert listed(second, 512)
        assert stored(first).fault is None
