"""docs/verify.md: its programs prove a real receipt and nothing that was changed, its commands do what it says."""

import base64
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.api.population.v1.population_pb2 import VerifyCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext, Receipt
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointKey
from lienthong_gateway.log.merkle import leaf_hash
from lienthong_gateway.log.proofs import Prover
from lienthong_gateway.log.verdict import FaultKind
from lienthong_sandbox import Sandbox
from lienthong_seeds.personas import PERSONAS
from tests.support.documents import ROOT, blocks, table_rows
from tests.support.tiles import TilesInMemory

PAGE = ROOT / "docs" / "verify.md"
TIMEOUT_S = 30.0
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="left out: Node.js is not on the PATH, so nothing runs JavaScript")
LANGUAGES = ["python", pytest.param("js", marks=needs_node)]


@pytest.fixture(scope="module")
def proved(vn: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the receipt of a real exchange, had as the page says, and the log's key."""
    folder = tmp_path_factory.mktemp("receipt")
    (command,) = [block for block in blocks(PAGE, "sh") if block.startswith(".venv/bin/buf curl")]
    command = command.replace("127.0.0.1:7440", vn.endpoints.gateway).replace("world/", f"{vn.world.folder}/")
    command = command.replace('"12"', f'"{exchange(vn).log_index}"')
    _, *arguments = shlex.split(command.partition(" > ")[0])
    called = subprocess.run(
        [str(Path(sys.executable).parent / "buf"), *arguments],
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert called.returncode == 0, called.stderr.decode()
    (folder / "receipt.json").write_bytes(called.stdout)
    shutil.copy(vn.world.folder / "gateway" / "log.vkey", folder / "log.vkey")
    return folder


def exchange(vn: Sandbox) -> Receipt:
    stub = PopulationServiceStub(vn.system("your-system").channel)
    context = CallContext("integration-test", legal_basis="state_19_1_c", legal_reference="TEST-1", officer="officer-1")
    request = VerifyCitizenRequest(personal_number=PERSONAS[0].personal_number, full_name="NGUYEN")
    _, call = stub.VerifyCitizen.with_call(request, metadata=context.metadata(), timeout=TIMEOUT_S)
    assert isinstance(call, grpc.Call)
    return Receipt.of(call.trailing_metadata())


def run(language: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    (program,) = blocks(PAGE, language)
    file = folder / {"python": "check.py", "js": "check.cjs"}[language]
    file.write_text(program, encoding="utf-8")
    command = [sys.executable if language == "python" else str(NODE), "-X" if language == "python" else "--no-warnings"]
    command += ["utf8"] if language == "python" else []
    return subprocess.run(
        [*command, file.name],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=TIMEOUT_S,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_program_of_the_page_proves_a_real_receipt(language: str, proved: Path) -> None:
    done = run(language, proved)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["method"].endswith("/VerifyCitizen")


@pytest.mark.parametrize("language", ["python", "js"])
def test_the_check_is_ten_lines(language: str) -> None:
    (program,) = blocks(PAGE, language)
    _imported, _read, check, _told = program.split("\n\n")
    assert len(check.splitlines()) == 10


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("index", "size"),
    [
        (0, 1),
        (0, 2),
        (1, 2),
        (2, 3),
        (3, 4),
        (0, 5),
        (4, 5),
        (5, 7),
        (6, 7),
        (0, 8),
        (7, 8),
        (8, 13),
        (12, 13),
        (21, 22),
    ],
)
def test_the_program_of_the_page_goes_every_way_to_the_root(
    language: str, index: int, size: int, tmp_path: Path
) -> None:
    write_receipt(tmp_path, index, size)
    done = run(language, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"entry {index}\n"


def write_receipt(folder: Path, index: int, size: int) -> None:
    """Write the receipt of an entry of a log of that size, and the log's key."""
    leaves = [f"entry {number}".encode() for number in range(size)]
    prover = Prover(TilesInMemory([leaf_hash(leaf) for leaf in leaves]), size)
    key = CheckpointKey.create()
    receipt = {
        "logIndex": str(index),
        "leaf": base64.b64encode(leaves[index]).decode(),
        "inclusionProof": [base64.b64encode(sibling).decode() for sibling in prover.inclusion(index)],
        "checkpoint": key.sign(Checkpoint(size, prover.root())),
    }
    (folder / "receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    (folder / "log.vkey").write_text(f"{key.verifier}\n", encoding="ascii")


def forged_leaf(receipt: dict[str, Any]) -> None:
    leaf = base64.b64decode(receipt["leaf"]).replace(b"officer-1", b"officer-2")
    receipt["leaf"] = base64.b64encode(leaf).decode()


def forged_root(receipt: dict[str, Any]) -> None:
    origin, size, root, *rest = receipt["checkpoint"].split("\n")
    receipt["checkpoint"] = "\n".join([origin, size, base64.b64encode(bytes(32)).decode() if root else "", *rest])


FORGERIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "another leaf": forged_leaf,
    "another root": forged_root,
    "another index": lambda receipt: receipt.update(logIndex=str(int(receipt["logIndex"]) - 1)),
    "an index before the log": lambda receipt: receipt.update(logIndex=str(int(receipt["logIndex"]) - (1 << 40))),
    "an index beyond the log": lambda receipt: receipt.update(logIndex=str(int(receipt["logIndex"]) + (1 << 40))),
    "a proof cut short": lambda receipt: receipt["inclusionProof"].pop(),
    "a proof made longer": lambda receipt: receipt["inclusionProof"].append(receipt["inclusionProof"][0]),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("forgery", FORGERIES)
def test_the_program_of_the_page_refuses_a_receipt_that_was_changed(
    language: str, forgery: str, proved: Path, tmp_path: Path
) -> None:
    receipt = json.loads((proved / "receipt.json").read_text(encoding="utf-8"))
    FORGERIES[forgery](receipt)
    (tmp_path / "receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    shutil.copy(proved / "log.vkey", tmp_path / "log.vkey")
    done = run(language, tmp_path)
    assert done.returncode != 0
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["verify", "export --out a.jsonl"])
def test_a_log_that_is_in_postgresql_is_not_looked_for_in_the_folder(
    command: str, lienthong: str, tmp_path: Path
) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "database_url").write_text("postgresql+psycopg://", encoding="utf-8")
    arguments = [lienthong, "log", *command.split(), "--data", "."]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, cwd=tmp_path)
    assert done.returncode == 1
    assert "in PostgreSQL, where no file can be looked at; name the running gateway with --gateway" in done.stderr


def test_the_page_names_everything_that_verification_can_find() -> None:
    assert {row[0].strip("`") for row in table_rows(PAGE)} == set(FaultKind)


@pytest.fixture
def lines(vn: Sandbox, tmp_path: Path) -> list[list[str]]:
    """Give the commands of the page, for this sandbox, as they follow one another in one folder."""
    (block,) = [block for block in blocks(PAGE, "sh") if block.startswith("lienthong log verify")]
    shutil.copy(vn.world.folder / "gateway" / "log.vkey", tmp_path / "log.vkey")
    block = block.replace("127.0.0.1:7440", vn.endpoints.gateway)
    return [
        [str(vn.world.folder / word[6:]) if word.split("/")[0] == "world" else word for word in shlex.split(line)[1:]]
        for line in (line.partition("#")[0] for line in block.splitlines())
    ]


def test_the_commands_of_the_page_verify_a_running_world(
    vn: Sandbox, lienthong: str, lines: list[list[str]], tmp_path: Path
) -> None:
    for _ in range(20):
        exchange(vn)
    for line in lines:
        done = subprocess.run(
            [lienthong, *line], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert "verified" in done.stdout or "are in march.jsonl" in done.stdout
    assert (tmp_path / "seen.txt").read_text(encoding="utf-8").startswith("lienthong.sandbox.test/exchange-log\n")


def test_the_witness_of_the_page_cosigns_twice_and_refuses_another_history(lienthong: str, tmp_path: Path) -> None:
    (block,) = [block for block in blocks(PAGE, "sh") if block.startswith("lienthong log witness-key")]
    make, cosign = (shlex.split(line.partition(" >> ")[0])[1:] for line in block.splitlines())

    def run_here(line: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [lienthong, *line], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )

    made = run_here(make)
    assert made.returncode == 0, made.stderr
    assert run_here(make).returncode == 1, "a key is never written over"
    with Sandbox(citizens=50, data=tmp_path / "world"):
        (tmp_path / "world" / "gateway" / "witnesses").write_text(made.stdout, encoding="utf-8")
    shutil.copy(tmp_path / "world" / "gateway" / "log.vkey", tmp_path / "log.vkey")
    with Sandbox(citizens=50, data=tmp_path / "world") as vn:
        command = [vn.endpoints.gateway if word == "127.0.0.1:7440" else word for word in cosign]
        for _ in range(2):
            done = run_here(command)
            assert done.returncode == 0, done.stderr
            assert "Cosigned" in done.stdout
        exchange(vn)
    (tmp_path / "witnessed.txt").write_text(forked_note(tmp_path / "world"), encoding="utf-8")
    with Sandbox(citizens=50, data=tmp_path / "world") as vn:
        command = [vn.endpoints.gateway if word == "127.0.0.1:7440" else word for word in cosign]
        refused = run_here(command)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Not cosigned: ")
    assert "does not continue the checkpoint of 3" in refused.stderr


def forked_note(world: Path) -> str:
    key = CheckpointKey.load(world / "gateway" / "checkpoint.pem")
    return key.sign(Checkpoint(3, bytes(32)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name exactly one of --data, --gateway and --export"),
        (["--data", "x", "--export", "y"], "name exactly one of --data, --gateway and --export"),
        (["--gateway", "127.0.0.1:1"], "--gateway and --certificate go together"),
        (["--export", "y"], "--export needs --key"),
        (["--export", "y", "--key", "k", "--checkpoint", "c"], "leave --checkpoint out"),
        (["--export", "missing", "--key", "missing"], "Not verified"),
        (["--gateway", "127.0.0.1:1", "--certificate", "missing"], "Not verified"),
    ],
)
def test_what_cannot_be_verified_is_said_without_a_traceback(
    lienthong: str, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = subprocess.run(
        [lienthong, "log", "verify", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        env={"COLUMNS": "200"},
    )
    assert done.returncode != 0
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
