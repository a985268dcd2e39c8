import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import engine_answers
from tests.support.documents import ROOT, blocks

PAGE = ROOT / "docs" / "containers.md"
REPOSITORY = Path(__file__).parents[2]
COMPOSE = ("docker", "compose", "--project-name", "lienthong-test", "--project-directory", str(REPOSITORY))
READY_WITHIN_S = 30.0
FETCH = """
import ssl, urllib.request
context = ssl.create_default_context(cafile="/world/gateway/ca.crt")
context.load_cert_chain("/world/gateway/tls.crt", "/world/gateway/tls.key")
print(urllib.request.urlopen("https://localhost:7446/metrics", context=context, timeout=10).read().decode())
"""


def compose(*arguments: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
    command = (*COMPOSE, *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, cwd=REPOSITORY)


@pytest.fixture(scope="module")
def seconds_until_ready() -> Iterator[float]:
    if not engine_answers():
        pytest.skip("left out: no container engine answers")
    built = compose("build")
    assert built.returncode == 0, built.stderr
    try:
        took = start()
        if took > READY_WITHIN_S:
            # Something else may have kept the machine busy just then.
            end()
            took = start()
        yield took
    finally:
        end()


def start() -> float:
    began = time.monotonic()
    started = compose("up", "--detach", "--wait")
    assert started.returncode == 0, started.stderr + compose("logs").stdout
    return time.monotonic() - began


def end() -> None:
    compose("down", "--volumes", "--timeout", "5")


@pytest.mark.timeout(400)
def test_compose_is_ready_in_time_and_runs_the_same_journey(seconds_until_ready: float, lienthong: str) -> None:
    assert seconds_until_ready < READY_WITHIN_S
    environment = {"COMPOSE_PROJECT_NAME": "lienthong-test", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    demo = subprocess.run(
        [lienthong, "demo", "--against", "compose", "--plain"],
        capture_output=True, text=True, check=False, timeout=120, cwd=REPOSITORY, env=environment,
    )  # fmt: skip
    assert demo.returncode == 0, demo.stdout + demo.stderr


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("seconds_until_ready")
def test_the_gateway_serves_https_and_writes_json_lines_with_one_for_each_call() -> None:
    page = compose("exec", "-T", "gateway", "python", "-c", FETCH)
    assert "lienthong_gateway" in page.stdout, page.stderr
    lines = [json.loads(line) for line in compose("logs", "--no-log-prefix", "gateway").stdout.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert "RELEASED" in {line.get("reason") for line in lines}


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("seconds_until_ready")
def test_the_commands_of_the_page_verify_export_and_prune_the_log_in_postgresql(lienthong: str, tmp_path: Path) -> None:
    copied = compose("cp", "init:/world/clients", str(tmp_path))
    assert copied.returncode == 0, copied.stderr
    (block,) = [block for block in blocks(PAGE, "sh") if block.startswith(".venv/bin/lienthong log")]
    said: list[str] = []
    for line in block.replace("\\\n", "").splitlines():
        command = [lienthong, *shlex.split(line)[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    for expected, text in zip(("checkpoints verified", "are in log.jsonl", "Nothing is pruned"), said, strict=True):
        assert expected in text
    assert (tmp_path / "log.jsonl").read_bytes().count(b"\n") > 1


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("seconds_until_ready")
def test_no_container_runs_as_root() -> None:
    for service in ("gateway", "identity", "population", "portal"):
        assert compose("exec", "-T", service, "id", "-u").stdout.strip() == "10001"


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("seconds_until_ready")
def test_a_service_sees_no_other_services_keys() -> None:
    listed = compose("exec", "-T", "population", "sh", "-c", "find /world -type f").stdout
    assert "/world/population/tls.key" in listed
    assert not any(f"/world/{other}/" in listed for other in ("ca", "clients", "gateway", "identity", "portal"))
