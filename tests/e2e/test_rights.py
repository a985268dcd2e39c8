"""`lienthong rights` against a gateway that runs: granting takes effect, withdrawing ends it, mistakes are told."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import explain
from lienthong_sandbox import Sandbox
from lienthong_seeds import members

SHOP = str(members.SHOP)
GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
RIGHT = (SHOP, GET_CITIZEN, members.MARKETING.code)
Rights = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def rights(vn: Sandbox, lienthong: str) -> Rights:
    folder = vn.world.client_folder(members.ADMINISTRATION)

    def run(*arguments: str, certificate: Path = folder, terminal: bool = False) -> "subprocess.CompletedProcess[str]":
        place = ("--gateway", vn.endpoints.gateway, "--certificate", str(certificate))
        command = [lienthong, "rights", *arguments, *place]
        shown = {**os.environ, "TTY_COMPATIBLE": "1", "COLUMNS": "120"} if terminal else None
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=shown)

    return run


def test_a_right_is_granted_used_withdrawn_and_listed_on_the_command_line(vn: Sandbox, rights: Rights) -> None:
    shop = vn.system(members.SHOP.subsystem)

    def read() -> str:
        with pytest.raises(grpc.RpcError) as caught:
            PopulationServiceStub(shop.channel).GetCitizen(
                GetCitizenRequest(personal_number="099190000001"),
                metadata=(("lienthong-purpose", members.MARKETING.code),),
                timeout=10,
            )
        return explain(caught.value).reason

    assert read() == "ACCESS_RIGHT_MISSING"
    granted = rights("grant", *RIGHT, "--basis", "consent", "--until", "2099-12-31")
    assert granted.returncode == 0, granted.stderr
    assert read() == "CONSENT_MISSING"
    withdrawn = rights("withdraw", *RIGHT)
    assert withdrawn.returncode == 0, withdrawn.stderr
    assert read() == "ACCESS_RIGHT_NOT_IN_FORCE"

    listed = rights("list", "--consumer", SHOP)
    assert listed.returncode == 0, listed.stderr
    (line,) = listed.stdout.splitlines()
    cells = line.split("\t")
    assert cells[:5] == [*RIGHT, "consent", "identity.basic"]
    assert cells[6:] == ["2099-12-31", "withdrawn"]


def test_a_right_is_granted_as_it_was_asked_for_and_by_the_officer_who_was_named(rights: Rights) -> None:
    system = str(members.YOUR_SYSTEM)
    right = (system, GET_CITIZEN, members.EKYC.code)
    asked = "--basis consent --basis contract_19_1_d --dataset identity.basic --dataset residence --from 2090-01-31"
    days = ("2090-01-31", "2099-12-31")
    cells = (*right, "consent,contract_19_1_d", "identity.basic,residence", *days)
    grant = ("grant", *right, *asked.split(), "--until", days[1])
    for refused in (rights(*grant, "--officer", "nobody"), rights("withdraw", *right, "--officer", "nobody")):
        assert (refused.returncode, refused.stderr.startswith("OFFICER_NOT_ALLOWED:")) == (1, True), refused.stderr
    granted = rights(*grant)
    assert granted.stdout.splitlines() == ["\t".join((*cells, "granted"))], granted.stderr
    assert "from 2090-01-31 to 2099-12-31" in rights("list", "--consumer", system, terminal=True).stdout
    of_method = rights("list", "--method", GET_CITIZEN).stdout.splitlines()
    assert "\t".join((*cells, "granted")) in of_method
    assert {line.split("\t")[1] for line in of_method} == {GET_CITIZEN}
    assert rights("withdraw", *right).stdout.splitlines() == ["\t".join((*cells, "withdrawn"))]
    table = rights("list", "--method", GET_CITIZEN, "--consumer", system, terminal=True).stdout
    assert ("withdrawn" in table, "from 2090" in table) == (True, False)


def test_what_is_named_on_the_command_line_goes_before_what_the_folder_says(vn: Sandbox, lienthong: str) -> None:
    vn.endpoints.save(vn.world.folder)
    command = [lienthong, "rights", "list", "--data", str(vn.world.folder)]
    shop = str(vn.world.client_folder(members.SHOP))
    for named, said in (
        (("--gateway", "127.0.0.1:1"), "CONNECTION_FAILED:"),
        (("--certificate", shop), "CALLER_NOT_ALLOWED:"),
    ):
        done = subprocess.run([*command, *named], capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stderr.startswith(said)) == (1, True), done.stderr


def test_a_worlds_folder_alone_leads_to_its_gateway(vn: Sandbox, lienthong: str) -> None:
    vn.endpoints.save(vn.world.folder)
    command = [lienthong, "rights", "list", "--data", str(vn.world.folder)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert listed.returncode == 0, listed.stderr
    assert len(listed.stdout.splitlines()) >= len(members.ACCESS_RIGHTS)


def test_on_a_narrow_terminal_every_name_can_still_be_read(vn: Sandbox, lienthong: str) -> None:
    vn.endpoints.save(vn.world.folder)
    command = [lienthong, "rights", "list", "--data", str(vn.world.folder), "--consumer"]
    narrow = {**os.environ, "TTY_COMPATIBLE": "1", "COLUMNS": "60"}
    told: list[str] = []
    for consumer in (members.BANK, members.AUDITOR):
        done = subprocess.run(
            [*command, str(consumer)], capture_output=True, text=True, check=True, timeout=30, env=narrow
        )
        told.append(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))
    for name in (str(members.BANK), "PopulationService/VerifyCitizen", "identity.verification", members.EKYC.code):
        assert name in told[0]
    assert max(map(len, told[0].splitlines())) <= 60
    assert told[1] == "no access rights\n"


def test_what_the_gateway_refuses_is_told_with_its_reason(vn: Sandbox, rights: Rights) -> None:
    twice = rights("grant", str(members.BANK), GET_CITIZEN, members.EKYC.code, "--basis", "consent")
    assert (twice.returncode, "REGISTERED_ALREADY" in twice.stderr, twice.stdout) == (1, True, "")
    stranger = rights("list", certificate=vn.world.client_folder(members.SHOP))
    assert (stranger.returncode, "CALLER_NOT_ALLOWED" in stranger.stderr) == (1, True)
    quoted = rights(
        "grant", str(members.SHOP), GET_CITIZEN, members.EKYC.code, "--basis", "consent", "--dataset", "[/x]"
    )
    assert (quoted.returncode, "'[/x]'" in quoted.stderr, "Traceback" in quoted.stderr) == (1, True, False)


def test_a_folder_that_does_not_say_where_the_gateway_is_is_named(lienthong: str, tmp_path: Path) -> None:
    for written in ("nothing", "[]", '{"addresses": {}}', '{"addresses": {}, "urls": {}}'):
        (tmp_path / "endpoints.json").write_text(written, encoding="utf-8")
        command = [lienthong, "rights", "list", "--data", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert "endpoints.json does not say where the services are" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("grant", *RIGHT, "--basis", "because", "--data", "nowhere"), 2, "because"),
        (("grant", *RIGHT, "--basis", "consent", "--from", "tomorrow", "--data", "nowhere"), 2, "tomorrow"),
        (("withdraw", *RIGHT, "--officer", "Nguyễn Văn Quản", "--gateway", "localhost:1"), 2, "--officer"),
        (("withdraw", *RIGHT, "--officer", "quan-tri-0001\n", "--gateway", "localhost:1"), 2, "--officer"),
        (("list",), 2, "--data"),
        (("list", "--data", "nowhere"), 1, "endpoints.json"),
    ],
    ids=["no basis", "no date", "no header", "no printable header", "no gateway", "no such folder"],
)
def test_a_mistake_on_the_command_line_is_told_without_a_traceback(
    lienthong: str, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    command = [lienthong, "rights", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd=tmp_path)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
