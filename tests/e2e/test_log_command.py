"""`lienthong log`, given what it cannot work with."""

import subprocess
from pathlib import Path

import pytest

from lienthong_sandbox import Sandbox

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
