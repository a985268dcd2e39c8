"""`lienthong log`, given what it cannot work with."""

import subprocess
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console

from lienthong_gateway.log.verify import Fault, FaultKind, Verification
from lienthong_sandbox import Sandbox
from lienthong_sandbox.cli.log_report import tell_verification

DEADLINE_S = 40.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    with Sandbox(citizens=100, data=folder):
        pass
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("verify --data {world} --save nowhere/seen.txt", "Not saved: nowhere/"),
        ("verify --data {world} --checkpoint nowhere.txt", "Not verified: nowhere.txt: No such file"),
        ("verify --data {world} --key {world}/ca/ca.key", "Not verified: what was named is not a verifier key"),
        ("verify --gateway 127.0.0.1:1 --certificate [/nowhere]", "Not verified: [/nowhere]/"),
        ("export --data {world} --from 3 --to 2 --out range.jsonl", "there is no range from 3 to 2"),
        ("export --data {world} --out nowhere/range.jsonl", "Not exported: nowhere/"),
        ("witness-key --name w --out {world}", "Not made: {world}: "),
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


def test_growth_that_is_verified_says_what_was_not_read_again(lienthong: str, world: Path, tmp_path: Path) -> None:
    with Sandbox(data=world) as sandbox:
        auditor = f"--certificate {world}/clients/auditor --key {world}/gateway/log.vkey"
        here = f"--gateway {sandbox.endpoints.gateway} {auditor}"
        said: list[str] = []
        for more in ("--save seen.txt", "--checkpoint seen.txt"):
            command = [lienthong, "log", "verify", *here.split(), *more.split()]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE_S, cwd=tmp_path)
            said.append(done.stdout)
    assert ["only what came after it was read" in text for text in said] == [False, True]


@pytest.mark.parametrize(("kind", "told"), [(FaultKind.ENTRY_ALTERED, True), (FaultKind.FORK, False)])
def test_how_far_a_log_is_as_it_was_signed_is_told_unless_there_are_two_of_them(kind: FaultKind, *, told: bool) -> None:
    written = StringIO()
    verification = Verification(4, bytes(32), 1, Fault(kind, 4, 4, "What is wrong."), "")
    with pytest.raises(typer.Exit):
        tell_verification(Console(file=written), verification, None)
    assert written.getvalue().startswith(f"{kind}: What is wrong.")
    assert ("Up to 4 entries" in written.getvalue()) is told
