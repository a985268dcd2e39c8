import os
import stat
import subprocess
from pathlib import Path

import pytest


def init(lienthong: str, data: Path) -> str:
    command = [lienthong, "init", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def test_init_makes_a_world_for_containers_once(lienthong: str, tmp_path: Path) -> None:
    data = tmp_path / "not" / "there" / "yet"
    assert init(lienthong, data) == "world made"
    made = {file: file.read_bytes() for file in data.rglob("*") if file.is_file()}
    assert init(lienthong, data) == "the world is there already"
    assert {file: file.read_bytes() for file in data.rglob("*") if file.is_file()} == made


def secrets_of(data: Path) -> list[Path]:
    secret = [*data.rglob("*.key"), *data.rglob("*.pem"), *data.rglob("client_secret"), *data.rglob("database_url")]
    assert len(secret) > 10
    return secret


def test_nobody_else_reads_the_keys_and_secrets_that_init_makes(lienthong: str, tmp_path: Path) -> None:
    init(lienthong, tmp_path)
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets_of(tmp_path)} == {0o600}


def test_nobody_else_reads_the_secrets_that_are_made_anew_where_others_could_read_what_was_there(
    lienthong: str, tmp_path: Path
) -> None:
    init(lienthong, tmp_path)
    for file in secrets_of(tmp_path):
        file.chmod(0o644)
    (tmp_path / "ca" / "ca.crt").unlink()
    assert init(lienthong, tmp_path) == "world made"
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets_of(tmp_path)} == {0o600}


@pytest.mark.parametrize(
    ("arguments", "otherwise"),
    [(["init"], "not made"), (["serve", "gateway"], "not started"), (["demo", "--against", "compose"], "Not started")],
    ids=["init", "serve", "demo"],
)
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LIENTHONG_CITIZENS", "0"),
        ("LIENTHONG_URLS", '{"portal": '),
        ("LIENTHONG_URLS", '{"population": "https://localhost"}'),
        ("LIENTHONG_ADDRESSES", "7"),
        ("LIENTHONG_ADDRESSES", '{"gatway": "localhost:1"}'),
    ],
)
def test_a_variable_that_is_not_understood_is_named_in_one_line_and_nothing_is_done(
    lienthong: str, tmp_path: Path, arguments: list[str], otherwise: str, variable: str, value: str
) -> None:
    environment = {**os.environ, "LIENTHONG_DATA": str(tmp_path / "world"), variable: value}
    done = subprocess.run(
        [lienthong, *arguments], capture_output=True, text=True, check=False, timeout=30, env=environment
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{otherwise}: {variable}: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "world").exists()
