import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from lienthong_core.ports import reserved_port
from tests.support.waiting import wait_until

# Of this machine alone, and not where another test's services or containers have the same ports.
HOST = f"127.7.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"


def world(lienthong: str, folder: Path) -> dict[str, str]:
    """Make a world whose services keep SQLite files; return the environment to serve it in."""
    subprocess.run([lienthong, "init", "--data", str(folder)], capture_output=True, check=True, timeout=30)
    for file in folder.glob("*/database_url"):
        file.unlink()
    return {**os.environ, "LIENTHONG_DATA": str(folder), "LIENTHONG_HOST": HOST, "LIENTHONG_CITIZENS": "20"}


def test_a_database_that_is_not_there_is_said_without_its_password(lienthong: str, tmp_path: Path) -> None:
    init = [lienthong, "init", "--data", str(tmp_path)]
    subprocess.run(init, capture_output=True, check=True, timeout=30)
    url_file = tmp_path / "population" / "database_url"
    environment = {**os.environ, "LIENTHONG_DATA": str(tmp_path)}
    with reserved_port("127.0.0.1") as port:
        url_file.write_text(f"postgresql+psycopg://user:secret-7f3a@127.0.0.1:{port}/nothing", encoding="utf-8")
        done = subprocess.run(
            [lienthong, "serve", "population"],
            capture_output=True, text=True, check=False, timeout=30, env=environment,
        )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "not started: the database cannot be opened (OperationalError)\n"


def test_a_file_of_witnesses_that_holds_no_keys_is_said_in_words(lienthong: str, tmp_path: Path) -> None:
    init = [lienthong, "init", "--data", str(tmp_path)]
    subprocess.run(init, capture_output=True, check=True, timeout=30)
    (tmp_path / "gateway" / "database_url").unlink()
    (tmp_path / "gateway" / "witnesses").write_text("nonsense", encoding="utf-8")
    done = subprocess.run(
        [lienthong, "serve", "gateway"],
        capture_output=True, text=True, check=False, timeout=30, env={**os.environ, "LIENTHONG_DATA": str(tmp_path)},
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"not started: {tmp_path}/gateway/witnesses does not hold verifier keys")


@pytest.mark.parametrize(("service", "port"), [("population", 7441), ("gateway", 7440), ("gateway", 7446)])
def test_a_port_that_another_service_has_is_said_and_not_shared(
    lienthong: str, tmp_path: Path, service: str, port: int
) -> None:
    environment = world(lienthong, tmp_path)
    with socket.socket() as taken:
        # As services themselves bind: the kernel would give each of the two some of the calls.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind((HOST, port))
        taken.listen()
        command = [lienthong, "serve", service]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=environment)
    assert done.returncode == 1
    assert done.stderr == f"not started: [Errno 98] port {port} of {HOST} is taken; choose another\n"


@pytest.mark.parametrize(
    ("service", "host"),
    [("population", "::1"), ("gateway", "::1"), ("population", HOST)],
    ids=["population, IPv6", "gateway, IPv6", "population, IPv4"],
)
def test_a_service_listens_where_it_is_told_to_and_ends_when_it_is_told_to(
    lienthong: str, tmp_path: Path, service: str, host: str
) -> None:
    environment = {**world(lienthong, tmp_path), "LIENTHONG_HOST": host}
    command = [lienthong, "serve", service]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        said = ""
        while "ready on port" not in said and (line := process.stderr.readline()):
            said += line
        process.send_signal(signal.SIGTERM)
        assert (process.wait(30), "ready on port" in said) == (0, True), said


def test_a_service_that_is_told_to_end_while_it_fills_its_database_ends_at_once(lienthong: str, tmp_path: Path) -> None:
    environment = {**world(lienthong, tmp_path), "LIENTHONG_CITIZENS": "1000000"}
    with subprocess.Popen([lienthong, "serve", "population"], stderr=subprocess.PIPE, env=environment) as process:
        try:
            # Made once the service is open, just before the people are.
            wait_until((tmp_path / "population" / "population.sqlite-wal").exists)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, errors) == (128 + signal.SIGTERM, b"")


def test_an_address_that_is_not_this_machines_is_said_to_be_that_and_not_taken(lienthong: str, tmp_path: Path) -> None:
    environment = {**world(lienthong, tmp_path), "LIENTHONG_HOST": "192.0.2.1"}
    command = [lienthong, "serve", "population"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "port 7441 of 192.0.2.1 cannot be had: " in done.stderr


def test_a_folder_that_no_world_can_be_made_in_is_said_in_words(lienthong: str) -> None:
    command = [lienthong, "init", "--data", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("not made: ")
    assert len(done.stderr.splitlines()) == 1
