import os
import stat
import subprocess
from pathlib import Path


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


def test_init_says_of_a_variable_that_it_does_not_understand_that_nothing_was_made(
    lienthong: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "LIENTHONG_CITIZENS": "0"}
    command = [lienthong, "init", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("not made: LIENTHONG_CITIZENS: ")
