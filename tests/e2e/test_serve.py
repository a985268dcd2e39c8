import os
import subprocess
from pathlib import Path

from lienthong_core.ports import reserved_port


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
