"""`lienthong log`, given what it cannot work with."""

import os
import subprocess
from io import StringIO
from pathlib import Path
from shutil import copyfile

import grpc
import pytest
import typer
from rich.console import Console
from sqlalchemy import text
from typer.testing import CliRunner, Result

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.database import sqlite_url, writing
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointKey, VerifierKey
from lienthong_gateway.log.verdict import Fault, FaultKind, Verification
from lienthong_sandbox import Sandbox
from lienthong_sandbox.cli import app
from lienthong_sandbox.cli.log_report import tell_verification
from tests.support.log import altered, filled
from tests.support.log_double import LogDouble, serving

DEADLINE_S = 40.0
WITNESS = "--gateway 127.0.0.1:1 --certificate {world}/clients/auditor --key {world}/gateway/log.vkey --name w --seen s"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    with Sandbox(citizens=100, data=folder):
        pass
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["log", *arguments])


def altered_world(world: Path, folder: Path, statement: str) -> None:
    (folder / "gateway").mkdir()
    copyfile(world / "gateway" / "log.vkey", folder / "gateway" / "log.vkey")
    altered(world / "gateway" / "gateway.sqlite", folder / "gateway", statement)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("verify --data {world} --save nowhere/seen.txt", "Not saved: nowhere/seen.txt: No such file or directory"),
        ("verify --data {world} --checkpoint nowhere.txt", "Not verified: nowhere.txt: No such file"),
        ("verify --data nowhere", "nowhere/gateway/gateway.sqlite does not exist; name the folder that was given to"),
        ("verify --data {world} --key {world}/ca/ca.key", "Not verified: what was named is not a verifier key"),
        ("verify --gateway 127.0.0.1:1 --certificate [/nowhere]", "Not verified: [/nowhere]/"),
        ("export --data {world} --from 3 --to 2 --out range.jsonl", "from 0 on; 3 to 2 is no range of them"),
        (
            "export --data {world} --out nowhere/range.jsonl",
            "Not exported: nowhere/range.jsonl: No such file",
        ),
        ("export --data {world} --out .", "Not exported: .: Is a directory"),
        (
            "export --gateway 127.0.0.1:1 --certificate {world}/clients/auditor --out range.jsonl",
            "Not exported: failed to connect",
        ),
        ("verify --data {world} --save .", "Not saved: .: Is a directory"),
        ("verify --data {world} --save {world}", "Not saved: {world}: Is a directory"),
        ("verify --data {world} --key {world}/gateway/gateway.sqlite", "gateway.sqlite is not text in UTF-8"),
        ("verify --data {world} --checkpoint {world}/gateway/gateway.sqlite", "gateway.sqlite is not text in UTF-8"),
        ("verify --export {world}/ca/ca.crt --key {world}/gateway/log.vkey", "Not verified: the first line is "),
        ("verify --gateway 127.0.0.1:1 --certificate {world}/clients/auditor", "Not verified: failed to connect"),
        ("witness-key --name w --out {world}", "Not made: {world}: "),
        (f"witness {WITNESS} --witness-key {{world}}/gateway/log.vkey", "log.vkey does not hold a private key in PEM"),
    ],
)
def test_what_it_cannot_do_is_said_without_a_traceback(
    lienthong: str, world: Path, tmp_path: Path, arguments: str, said: str
) -> None:
    command = [lienthong, "log", *arguments.format(world=world).split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S, cwd=tmp_path)
    assert done.returncode == 1
    assert said.format(world=world) in done.stderr
    assert "Traceback" not in done.stderr
    assert "PRIVATE KEY" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wanted", ["verify --data {world} --save {out}", "export --data {world} --out {out}"])
def test_what_is_no_file_is_never_replaced_by_one(lienthong: str, world: Path, tmp_path: Path, wanted: str) -> None:
    out = tmp_path / "pipe"
    os.mkfifo(out)
    command = [lienthong, "log", *wanted.format(world=world, out=out).split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert (done.returncode, out.is_fifo()) == (1, True)
    assert f"{out}: it is a device or a pipe; name a file" in done.stderr


def test_what_cannot_be_kept_is_not_left_behind_unfinished(world: Path) -> None:
    done = CliRunner().invoke(app, ["log", "verify", "--data", str(world), "--save", str(world)])
    assert "Is a directory" in done.output
    assert [file.name for file in world.parent.iterdir() if file.name.endswith(".unfinished")] == []


def test_a_checkpoint_that_an_export_holds_is_not_said_to_be_kept(world: Path, tmp_path: Path) -> None:
    key = f"{world}/gateway/log.vkey"
    runner = CliRunner()
    exported = runner.invoke(app, ["log", "export", "--data", str(world), "--out", f"{tmp_path}/range.jsonl"])
    assert exported.exit_code == 0, exported.output
    command = ["log", "verify", "--export", f"{tmp_path}/range.jsonl", "--key", key]
    assert runner.invoke(app, command).exit_code == 0
    refused = runner.invoke(app, [*command, "--save", f"{tmp_path}/seen.txt"])
    assert (refused.exit_code, "--export holds the checkpoint" in refused.output) == (2, True)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE log_entry SET subject = CAST(x'ff5b2f785d' AS TEXT) WHERE log_index = 0", "[/x]'."),
        ("UPDATE log_entry SET subject = CAST(x'ff1b5b324a' AS TEXT) WHERE log_index = 0", "\\x1b[2J'."),
        ("INSERT INTO log_tile VALUES (0, replace(hex(zeroblob(5000)), '0', 'a'), x'00', x'00')", "aaa..."),
    ],
)
def test_what_somebody_stored_is_quoted_and_does_not_reach_the_terminal_raw(
    world: Path, tmp_path: Path, statement: str, said: str
) -> None:
    altered_world(world, tmp_path, statement)
    done = run("verify", "--data", str(tmp_path))
    assert (done.exit_code, said in done.output) == (1, True)
    assert ("\x1b" in done.output, len(done.output) < 1_200) == (False, True)


def test_a_file_is_named_as_it_was_named(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("verify --save a[bold].txt", "export --out a[bold].jsonl"):
        name, *more = command.split()
        done = CliRunner().invoke(app, ["log", name, "--data", str(world), *more])
        assert f"in {more[1]}." in done.output


def test_what_was_verified_exported_and_kept_is_told_in_the_numbers_and_with_the_root_that_were_signed(
    world: Path, tmp_path: Path
) -> None:
    seen, out, key = tmp_path / "seen.txt", tmp_path / "range.jsonl", world / "gateway" / "log.vkey"
    verified = run("verify", "--data", str(world), "--save", str(seen))
    signed = VerifierKey.parse(key.read_text(encoding="utf-8")).open(seen.read_text(encoding="utf-8"))
    exported = run("export", "--data", str(world), "--from", "1", "--to", "2", "--out", str(out))
    proved = run("verify", "--export", str(out), "--key", str(key))
    assert f"{signed.size} entries and 2 checkpoints verified." in verified.output
    assert f"The checkpoint of {signed.size} entries is in" in verified.output
    assert "Entries 1 to 2 are in" in exported.output
    assert f"2 entries verified, 1 to 2 of {signed.size}." in proved.output
    for done in (verified, proved):
        assert f"root {signed.root.hex()}\n" in done.output


def test_a_log_is_held_to_the_key_and_to_the_checkpoint_that_somebody_kept_of_it(world: Path, tmp_path: Path) -> None:
    other, kept = tmp_path / "other.vkey", tmp_path / "kept.txt"
    other.write_text(str(CheckpointKey.create().verifier), encoding="utf-8")
    forked = CheckpointKey.load(world / "gateway" / "checkpoint.pem").sign(Checkpoint(3, bytes(32)))
    kept.write_text(forked, encoding="utf-8")
    with Sandbox(data=world) as sandbox:
        running = ("--gateway", sandbox.endpoints.gateway, "--certificate", f"{world}/clients/auditor")
        for place in (("--data", str(world)), running):
            unsigned = run("verify", *place, "--key", str(other))
            assert (unsigned.exit_code, "no valid signature" in unsigned.output) == (1, True)
            for named in (("--checkpoint", str(kept), "--save", str(kept)), ("--save", str(kept))):
                parted = run("verify", *place, *named)
                assert (parted.exit_code, f"{FaultKind.FORK}: " in parted.output) == (1, True), parted.output
                assert "continues the checkpoint" not in parted.output
    assert kept.read_text(encoding="utf-8") == forked


@pytest.mark.parametrize("statement", ["DELETE FROM schema_version", "UPDATE schema_version SET version = 999"])
def test_a_folder_whose_log_cannot_be_read_is_told_without_a_traceback(
    world: Path, tmp_path: Path, statement: str
) -> None:
    altered_world(world, tmp_path, statement)
    done = run("verify", "--data", str(tmp_path))
    assert (done.exit_code, done.output.startswith("Not verified: ")) == (1, True), done.output


def test_a_running_gateways_entries_are_exported_with_the_key_that_it_says_or_one_that_was_kept(
    world: Path, tmp_path: Path
) -> None:
    key, out = f"{world}/gateway/log.vkey", tmp_path / "range.jsonl"
    with Sandbox(data=world) as sandbox:
        running = ("--gateway", sandbox.endpoints.gateway, "--certificate", f"{world}/clients/auditor")
        said = run("export", *running, "--from", "1", "--to", "2", "--out", str(out))
        kept = run("export", *running, "--key", key, "--out", f"{tmp_path}/all.jsonl")
    assert (said.exit_code, "The gateway says that its key is" in said.output) == (0, True), said.output
    assert "Entries 1 to 2 are in" in said.output
    assert (kept.exit_code, "says that its key" in kept.output) == (0, False), kept.output
    assert "2 entries verified, 1 to 2 of" in run("verify", "--export", str(out), "--key", key).output
    assert run("verify", "--export", f"{tmp_path}/all.jsonl", "--key", key).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("export --out a", "name either --data or --gateway"),
        ("export --data a --gateway b --certificate c --out d", "name either --data or --gateway"),
        ("export --gateway a --out b", "--gateway and --certificate go together"),
        ("export --data a --certificate b --out c", "--gateway and --certificate go together"),
        ("verify --export a --certificate b", "--gateway and --certificate go together"),
        ("prune --before 2026-01-01 --out a", "name either --data, or --gateway, --certificate and --auditor"),
        ("prune --before 2026-01-01 --out a --gateway b --certificate c", "name either --data, or --gateway"),
        ("prune --before 2026-01-01 --out a --data b --auditor c", "name either --data, or --gateway"),
        ("prune --before 2026-01-01 --out a --data b --gateway c --certificate d --auditor e", "name either --data"),
    ],
)
def test_which_log_is_meant_has_to_be_said_and_only_once(arguments: str, said: str) -> None:
    done = run(*arguments.split())
    assert (done.exit_code, said in " ".join(done.output.replace("│", "").split())) == (2, True), done.output


class Pruning(LogDouble):
    """Shows a log of which more is pruned each time."""

    pruned = 0

    def GetCheckpoint(  # noqa: N802 (gRPC's name)
        self, request: pb.GetCheckpointRequest, context: grpc.ServicerContext
    ) -> pb.GetCheckpointResponse:
        """Show the newest checkpoint."""
        self.pruned += 1
        shown = super().GetCheckpoint(request, context)
        shown.minimum_index = self.pruned * 256
        return shown


def test_a_gateway_that_prunes_while_it_is_verified_is_told_from_one_that_lost_entries(tmp_path: Path) -> None:
    key = CheckpointKey.create()
    log = filled(sqlite_url(tmp_path / "log.sqlite"), 60, key)
    with writing(log) as connection:
        connection.execute(text("DELETE FROM log_entry WHERE log_index < 10"))
    for double, said in ((LogDouble, f"{FaultKind.ENTRY_MISSING}: "), (Pruning, "Not verified: Entry 0 is missing")):
        with serving(double(key.verifier, log, log, 60), tmp_path / "auditor") as address:
            done = run("verify", "--gateway", address, "--certificate", f"{tmp_path}/auditor")
        assert (done.exit_code, said in done.output) == (1, True), done.output
        assert ("verify it again" in done.output) is (double is Pruning)
    log.dispose()


def test_growth_that_is_verified_says_what_was_not_read_again(lienthong: str, world: Path, tmp_path: Path) -> None:
    with Sandbox(data=world) as sandbox:
        auditor = f"--certificate {world}/clients/auditor --key {world}/gateway/log.vkey"
        here = f"--gateway {sandbox.endpoints.gateway} {auditor}"
        said: list[str] = []
        for more in ("--save seen.txt", "--checkpoint seen.txt", "--save seen.txt"):
            command = [lienthong, "log", "verify", *here.split(), *more.split()]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE_S, cwd=tmp_path)
            said.append(done.stdout)
    assert ["only what came after it was read" in text for text in said] == [False, True, True]


@pytest.mark.parametrize(("kind", "told"), [(FaultKind.ENTRY_ALTERED, True), (FaultKind.FORK, False)])
def test_how_far_a_log_is_as_it_was_signed_is_told_unless_there_are_two_of_them(kind: FaultKind, *, told: bool) -> None:
    written = StringIO()
    verification = Verification(4, bytes(32), 1, Fault(kind, 4, 4, "What is wrong."), "")
    with pytest.raises(typer.Exit):
        tell_verification(Console(file=written), verification, None)
    assert written.getvalue().startswith(f"{kind}: What is wrong.")
    assert ("Up to 4 entries" in written.getvalue()) is told
