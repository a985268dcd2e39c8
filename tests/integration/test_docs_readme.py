"""What the README shows works as it stands there."""

import json
import re
import shlex
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lienthong_sandbox import Sandbox
from lienthong_seeds import members
from tests.support.documents import ROOT, blocks

README = ROOT / "README.md"


@pytest.fixture(scope="module")
def vn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(citizens=200, data=tmp_path_factory.mktemp("readme") / "world") as sandbox:
        yield sandbox


def command_with(words: str, vn: Sandbox) -> list[str]:
    """Return the README's command that begins with these words, for this sandbox in place of the one that it names."""
    (command,) = [block for block in blocks(README, "sh") if block.startswith(words)]
    command = command.replace("127.0.0.1:7440", vn.endpoints.gateway)
    command = command.replace("https://127.0.0.1:7444", vn.endpoints.identity_url)
    return shlex.split(command.replace("world/", f"{vn.world.folder}/"))


def test_the_example_reads_what_was_consented_to_and_nothing_else() -> None:
    (example,) = blocks(README, "python")
    names: dict[str, Any] = {}
    exec(compile(example, str(README), "exec"), names)  # noqa: S102 (our own document)
    citizen = names["answer"].citizen
    assert citizen.name.full_name == "Nguyễn Thị Mai"
    released = {field.name for field, _ in citizen.ListFields()}
    assert released <= {"personal_number", "name", "other_name", "birth_date", "sex", "nationality"}


def test_the_command_for_buf_verifies_a_citizen(vn: Sandbox) -> None:
    _, *arguments = command_with(".venv/bin/buf curl", vn)
    called = subprocess.run(
        [str(Path(sys.executable).parent / "buf"), *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout) == {"exists": True, "fullName": "MATCH_RESULT_MATCH"}


def test_the_command_for_curl_names_where_the_provider_describes_itself(vn: Sandbox) -> None:
    *_, authority, address = command_with("curl", vn)
    answer = httpx2.get(address, verify=ssl.create_default_context(cafile=authority), timeout=10, trust_env=False)
    assert answer.json()["issuer"] == vn.endpoints.identity_url


def test_the_secret_is_where_the_readme_says(vn: Sandbox) -> None:
    (path,) = re.findall(r"`world/(\S+client_secret)`", README.read_text(encoding="utf-8"))
    assert (vn.world.folder / path).read_text(encoding="utf-8").strip() == vn.world.client_secret(members.YOUR_SYSTEM)


def test_the_redirect_uri_of_the_readme_is_registered_for_its_client(vn: Sandbox) -> None:
    (come_back,) = re.findall(r"the redirect URI is\s`(\S+)`", README.read_text(encoding="utf-8"))
    asked = {"client_id": members.YOUR_SYSTEM.subsystem, "redirect_uri": come_back, "response_type": "code"}
    trusted = ssl.create_default_context(cafile=vn.world.folder / "clients" / "your-system" / "ca.crt")
    answer = httpx2.get(
        f"{vn.endpoints.identity_url}/authorize", params=asked, verify=trusted, timeout=10, trust_env=False
    )
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, come_back)
