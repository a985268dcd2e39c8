import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from lienthong_sandbox.world import World
from tests.support.waiting import wait_until

README = Path(__file__).parents[2] / "README.md"
WHO = ("who", "whom", "what")


def run(lienthong: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([lienthong, *arguments], capture_output=True, text=True, check=False, timeout=50)


def test_the_demo_ends_well_and_tells_every_step_as_json(lienthong: str) -> None:
    done = run(lienthong, "demo", "--json")
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["number"] for step in steps] == [1, 2, 3, 4, 5, 6, 7]
    assert all(step["as_expected"] for step in steps)
    prefilled = [happening for happening in steps[2]["happenings"] if happening["released"]]
    assert {"identity.basic", "residence", "household"} == {name for h in prefilled for name in h["released"]}
    assert "health.blood_group" in prefilled[0]["withheld"]
    assert set(prefilled[0]) == {*WHO, "outcome", "expected", "released", "withheld", "log_index", "note"}
    refusals = {happening["outcome"] for happening in steps[4]["happenings"]} - {"OK"}
    assert refusals == {
        "CONSENT_MISSING",
        "CONSENT_REVOKED",
        "ACCOUNT_LEVEL_TOO_LOW",
        "TOKEN_NOT_YOURS",
        "ACCESS_RIGHT_MISSING",
        "CONSENT_FOR_OTHER_PURPOSE",
    }
    assert all(h["log_index"] is not None for h in steps[4]["happenings"] if h["outcome"] != "OK")
    revoked = next(h for h in steps[4]["happenings"] if h["outcome"] == "CONSENT_REVOKED")
    shown = re.findall(r"log #(\d+)", README.read_text(encoding="utf-8"))
    assert shown == [str(prefilled[0]["log_index"]), str(revoked["log_index"])]


def test_the_demo_tells_in_one_form_only(lienthong: str) -> None:
    done = run(lienthong, "demo", "--plain", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name one of --plain and --json" in done.stderr


def test_what_the_demo_cannot_start_with_is_said_without_a_traceback(lienthong: str) -> None:
    command = ["bash", "-c", f"ulimit -f 1000; exec {lienthong} demo --plain"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 1
    assert done.stderr.startswith("Not started: a database of the folder cannot be used: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_what_the_demo_does_not_reach_is_said_without_a_traceback(lienthong: str, tmp_path: Path) -> None:
    World(tmp_path).create("https://127.0.0.1:1")
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\ncp -r "{tmp_path}/clients" "$4"\n')
    docker.chmod(0o700)
    nowhere = json.dumps({"portal": "https://127.0.0.1:1", "identity": "https://127.0.0.1:1"})
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "LIENTHONG_URLS": nowhere}
    command = [lienthong, "demo", "--against", "compose"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("The journey broke off: 127.0.0.1:1 does not answer: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("--plain",), ()], ids=["plain", "in a pipe"])
def test_the_demo_writes_plain_lines_where_nobody_looks(lienthong: str, arguments: tuple[str, ...]) -> None:
    done = run(lienthong, "demo", *arguments)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "step 7: The log proves itself" in done.stdout
    assert "FAIL" not in done.stdout


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    ids=["Ctrl-C", "told to end", "terminal closed"],
)
def test_a_demo_that_is_ended_leaves_nothing_behind(lienthong: str, tmp_path: Path, number: signal.Signals) -> None:
    returncode, errors = demo_that_is_sent(number, lienthong, tmp_path)
    assert returncode == 128 + number
    assert "Traceback" not in errors
    assert not any(tmp_path.iterdir())


def test_a_demo_that_was_started_with_nohup_outlives_its_terminal(lienthong: str, tmp_path: Path) -> None:
    returncode, errors = demo_that_is_sent(signal.SIGHUP, lienthong, tmp_path, handler=signal.SIG_IGN)
    assert returncode == 0, errors
    assert not any(tmp_path.iterdir())


def demo_that_is_sent(
    number: signal.Signals, lienthong: str, folder: Path, handler: signal.Handlers = signal.SIG_DFL
) -> tuple[int, str]:
    """Start the demo and send it a signal once it has begun; return how it ended, and what it wrote of errors.

    `handler` is what it inherits for the signal, whatever the tests themselves were started with.
    """
    environment = {**os.environ, "TMPDIR": str(folder)}
    pipe = subprocess.PIPE
    before = signal.signal(number, handler)
    try:
        process = subprocess.Popen([lienthong, "demo"], stdout=pipe, stderr=pipe, text=True, env=environment)
    finally:
        signal.signal(number, before)
    with process:
        wait_until(lambda: any(folder.glob("*/clients")))
        process.send_signal(number)
        _, errors = process.communicate(timeout=50)
    return process.returncode, errors
