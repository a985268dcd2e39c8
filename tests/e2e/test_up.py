import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from lienthong_core.health import is_serving
from tests.support.waiting import wait_until

DEADLINE_S = 40.0


@contextlib.contextmanager
def running(lienthong: str, data: Path) -> Generator["subprocess.Popen[str]"]:
    command = [lienthong, "up", "--data", str(data), "--citizens", "200", "--first-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("ready"):
                assert str(data) in line
                # In a pipe a path is not broken off at the end of a line, nor at its spaces.
                assert f"your certificate\t{data / 'clients' / 'your-system'}\t" in "".join(said)
                break
        else:
            pytest.fail(f"not ready: {''.join(said)}")
        yield process
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(DEADLINE_S) == 0


def verify(lienthong: str, data: Path) -> "subprocess.CompletedProcess[str]":
    command = [lienthong, "log", "verify", "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


def gateway_is_serving(data: Path) -> bool:
    endpoints = json.loads((data / "endpoints.json").read_text())
    return is_serving(data / "clients" / "your-system", int(endpoints["addresses"]["gateway"].rpartition(":")[2]))


def test_up_serves_from_what_it_wrote_ends_cleanly_and_starts_again_on_the_same_folder(
    lienthong: str, tmp_path: Path
) -> None:
    data = tmp_path / "my [own] world"
    for _ in range(2):
        with running(lienthong, data):
            wait_until(lambda: gateway_is_serving(data))
    checked = verify(lienthong, data)
    assert checked.returncode == 0, checked.stdout
    assert "entries" in checked.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "told to end"])
def test_up_that_is_ended_while_it_starts_ends_at_once_and_leaves_no_half_of_a_world(
    lienthong: str, tmp_path: Path, number: signal.Signals
) -> None:
    command = [lienthong, "up", "--data", str(tmp_path), "--citizens", "1000000", "--first-port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("citizens made" in line for line in process.stdout)
            process.send_signal(number)
            _, errors = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert (process.returncode, "Traceback" in errors) == (128 + number, False), errors
    with running(lienthong, tmp_path):
        wait_until(lambda: gateway_is_serving(tmp_path))


def test_verifying_a_stored_log_names_the_entry_that_was_altered(lienthong: str, tmp_path: Path) -> None:
    with running(lienthong, tmp_path):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "gateway" / "gateway.sqlite")) as database:
        database.execute("UPDATE log_entry SET leaf = replace(leaf, 'GIVEN', 'TAKEN') WHERE log_index = 1")
        database.commit()
    checked = verify(lienthong, tmp_path)
    assert checked.returncode == 1
    assert "Entry 1 was altered" in " ".join(checked.stdout.split())


def test_verifying_where_there_is_no_log_says_so(lienthong: str, tmp_path: Path) -> None:
    checked = verify(lienthong, tmp_path)
    assert checked.returncode == 1
    assert "name the folder that was given to `lienthong up --data`" in " ".join(checked.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--citizens", "2000000"], "1000000"),
        (["--citizens", "0"], "--citizens"),
        (["--first-port", "70000"], "--first-port"),
        (["--first-port", "0", "--otlp-endpoint", "127.0.0.1:4318"], "--otlp-endpoint"),
        (["--first-port", "0", "--data", "/dev/null"], "Not started"),
    ],
)
def test_what_up_cannot_do_is_said_without_a_traceback(lienthong: str, arguments: list[str], said: str) -> None:
    command = [lienthong, "up", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_up_cannot_start_with_is_said_without_a_traceback(lienthong: str, tmp_path: Path) -> None:
    with running(lienthong, tmp_path):
        pass
    witnesses = tmp_path / "gateway" / "witnesses"
    for line in (b"[/nonsense]\n", b"\xff\xfe"):
        witnesses.write_bytes(line)
        assert f"Not started: {witnesses} does not hold verifier keys" in refused(lienthong, tmp_path)
    witnesses.unlink()
    for name, says in (
        ("gateway/checkpoint.pem", "does not hold a private key in PEM"),
        ("identity/signing.pem", "does not hold a private key in PEM"),
        ("identity/clients.json", "does not hold the clients that were registered"),
    ):
        file = tmp_path / name
        kept = file.read_bytes()
        file.write_text("{")
        assert f"Not started: {file} {says}" in refused(lienthong, tmp_path)
        file.write_bytes(kept)
    endpoints = tmp_path / "endpoints.json"
    endpoints.unlink()
    endpoints.mkdir()
    assert f"Not started: {endpoints}: Is a directory" in refused(lienthong, tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "gateway" / "gateway.sqlite")) as database:
        database.execute("UPDATE checkpoint SET note = 'x'")
        database.commit()
    assert "Not started: the checkpoint carries no valid signature" in refused(lienthong, tmp_path)


def test_a_database_that_up_cannot_use_is_said_without_a_traceback(lienthong: str, tmp_path: Path) -> None:
    with running(lienthong, tmp_path):
        pass
    file = tmp_path / "identity" / "identity.sqlite"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        said = "Not started: a database of the folder cannot be used: database is locked"
        assert refused(lienthong, tmp_path).strip() == said
    file.write_bytes(b"no database" * 1_000)
    assert "cannot be used: file is not a database" in refused(lienthong, tmp_path)


def refused(lienthong: str, data: Path) -> str:
    command = [lienthong, "up", "--data", str(data), "--first-port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    return done.stderr


@pytest.mark.parametrize(
    ("variable", "value"), [("LIENTHONG_CITIZENS", "many"), ("LIENTHONG_OTLP_ENDPOINT", "collector:4318")]
)
def test_a_service_names_the_variable_that_it_does_not_understand(lienthong: str, variable: str, value: str) -> None:
    environment = {**os.environ, variable: value}
    command = [lienthong, "serve", "gateway"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(f"not started: {variable}: ")
