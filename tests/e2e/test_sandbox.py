import json
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.api.consent.v1.consent_pb2 import ListConsentRevisionsRequest, RequestConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1.log_pb2 import Access, ListAccessesRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.identity.v1.identity_pb2 import GetAccountRequest, LockAccountRequest, UnlockAccountRequest
from lienthong.api.identity.v1.identity_pb2_grpc import IdentityServiceStub
from lienthong.api.population.v1.citizen_pb2 import RESIDENCE_KIND_TEMPORARY
from lienthong.api.population.v1.population_pb2 import (
    GetCitizenRequest,
    GetCitizenResponse,
    UpdateResidenceRequest,
    VerifyCitizenRequest,
)
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.types.v1.types_pb2 import Address, PartialDate
from lienthong.client import CallContext, explain
from lienthong_sandbox import CitizenSession, LoginRefused, Sandbox, SystemClient
from lienthong_sandbox.locks import FolderInUseError
from lienthong_seeds import members
from lienthong_seeds.personas import persona
from tests.support.threads import left_behind

DEADLINE_S = 10.0
MAI = persona("nguyen-thi-mai").personal_number


def read(system: SystemClient, session: CitizenSession) -> GetCitizenResponse:
    request = GetCitizenRequest(personal_number=session.personal_number)
    stub = PopulationServiceStub(system.channel)
    return stub.GetCitizen(request, metadata=session.metadata("ekyc"), timeout=DEADLINE_S)


def consented_name(sandbox: Sandbox) -> str:
    bank = sandbox.system("ekyc")
    mai = bank.login("nguyen-thi-mai")
    mai.consent("ekyc", ["identity.basic"])
    return read(bank, mai).citizen.name.full_name


def accesses_shown_to(bank: SystemClient, session: CitizenSession) -> list[Access]:
    context = CallContext("", token=session.token)
    stub = ExchangeLogServiceStub(bank.channel)
    answer = stub.ListAccesses(ListAccessesRequest(), metadata=context.metadata(), timeout=DEADLINE_S)
    return list(answer.accesses)


def child_processes() -> set[str]:
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


def can_be_bound(address: str) -> bool:
    host, _, port = address.removeprefix("https://").rpartition(":")
    with socket.socket() as probe:
        # Connections that have ended linger in the kernel for a minute; they are nobody's.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def test_a_sandbox_leaves_no_thread_process_file_or_port_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = (set(threading.enumerate()), child_processes())
    with Sandbox(citizens=100) as sandbox:
        consented_name(sandbox)
        addresses = [*sandbox.endpoints.addresses.values(), *sandbox.endpoints.urls.values()]
        assert not any(can_be_bound(address) for address in addresses)
    assert (left_behind(before[0]), child_processes()) == (set(), before[1])
    assert list(tmp_path.iterdir()) == []
    assert all(can_be_bound(address) for address in addresses)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_sandbox_that_a_whole_suite_shares_does_not_hold_more_files_with_every_test() -> None:
    with Sandbox(citizens=100) as sandbox:
        consented_name(sandbox)
        sandbox.log()
        before = open_files()
        for _ in range(10):
            consented_name(sandbox)
            sandbox.log()
        # A few more than before may be of a connection that the other side has not closed yet.
        assert open_files() < before + 10
        sandbox.system("ekyc").close()
        assert consented_name(sandbox) == "Nguyễn Thị Mai"


def test_two_sandboxes_at_once_do_not_disturb_each_other() -> None:
    with Sandbox(citizens=100) as one, Sandbox(citizens=100) as other, ThreadPoolExecutor(2) as pool:
        names = list(pool.map(consented_name, (one, other)))
        assert names == ["Nguyễn Thị Mai"] * 2
        other.clock.advance(timedelta(days=400))
        assert len(one.log()) == len(other.log())
        stranger = one.system("ekyc")
        request = GetCitizenRequest(personal_number="099190000001")
        with pytest.raises(grpc.RpcError) as refused:
            PopulationServiceStub(stranger.channel_to(other.endpoints.gateway)).GetCitizen(request, timeout=DEADLINE_S)
        assert explain(refused.value).reason == "CONNECTION_FAILED"


@pytest.mark.parametrize("variable", ["https_proxy", "http_proxy", "grpc_proxy"])
def test_a_proxy_that_the_environment_names_is_not_asked(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    # Nobody listens there, so that whatever is sent to it is lost.
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with Sandbox(citizens=100) as sandbox:
        assert consented_name(sandbox) == "Nguyễn Thị Mai"


def test_a_test_asserts_what_the_gateway_logged(vn: Sandbox) -> None:
    bank = vn.system("ekyc")
    citizen = bank.login("truong-bich-loc")
    consent = citizen.consent("ekyc", ["identity.basic"])
    answer = read(bank, citizen)
    assert not answer.citizen.HasField("permanent_residence")
    (entry,) = [e for e in vn.log() if e["consent_id"] == consent.consent_id and e["event"] == "EXCHANGE"]
    assert entry["consumer"] == "VN-SANDBOX/COM/BANK01/ekyc"
    assert entry["datasets_released"] == ["identity.basic"]
    assert "residence" in entry["datasets_withheld"]


def test_what_is_released_does_not_tell_that_something_changed_which_is_not(vn: Sandbox) -> None:
    bank, agency = vn.system("ekyc"), vn.system("your-system")
    citizen = bank.login("giang-a-pao")
    citizen.consent("ekyc", ["identity.basic"])
    before = read(bank, citizen)
    move = UpdateResidenceRequest(
        personal_number=citizen.personal_number,
        kind=RESIDENCE_KIND_TEMPORARY,
        address=Address(province_code="01", commune_code="00008", detail="Số 5"),
        from_date=PartialDate(year=2025, month=8, day=1),
        case_reference="G01.99-20261121-0000099",
    )
    metadata = CallContext("integration-test", "", "state_19_1_c", "TEST-1", "officer-1").metadata()
    PopulationServiceStub(agency.channel).UpdateResidence(move, metadata=metadata, timeout=DEADLINE_S)

    assert read(bank, citizen) == before


def test_a_revoked_consent_is_refused_from_the_next_call_on(vn: Sandbox) -> None:
    bank = vn.system("ekyc")
    citizen = bank.login("do-thuy-hoa")
    consent = citizen.consent("ekyc", ["identity.basic"])
    read(bank, citizen)
    citizen.revoke(consent)
    with pytest.raises(grpc.RpcError) as refused:
        read(bank, citizen)
    assert explain(refused.value).reason == "CONSENT_REVOKED"


def test_a_consent_that_a_citizen_revokes_was_revoked_by_her_and_not_by_the_system(vn: Sandbox) -> None:
    bank = vn.system("ekyc")
    citizen = bank.login("do-thuy-hoa")
    consent = citizen.revoke(citizen.consent("ekyc", ["identity.basic"]))
    asked = ListConsentRevisionsRequest(id=consent.consent_id)
    last = ConsentServiceStub(bank.channel).ListConsentRevisions(asked, timeout=DEADLINE_S).revisions[-1]
    by = {"system": str(members.BANK), "capacity": "subject"}
    assert (last.change, json.loads(last.document)["changed_by"]) == ("REVOKED", by)


def test_a_system_sees_who_used_her_data_once_she_has_let_it(vn: Sandbox) -> None:
    bank = vn.system("ekyc")
    without, citizen = bank.login("h-blok-enuol"), bank.login("h-blok-enuol", rights=True)
    with pytest.raises(grpc.RpcError) as refused:
        accesses_shown_to(bank, without)
    assert explain(refused.value).reason == "SCOPE_MISSING"
    # She is logged in anew for a consent, with the same scope.
    citizen.consent("ekyc", ["identity.basic"])
    read(bank, citizen)
    assert accesses_shown_to(bank, citizen)[1].consumer == "VN-SANDBOX/COM/BANK01/ekyc"


def test_a_citizen_sees_who_verified_him_by_a_number_that_was_replaced(vn: Sandbox) -> None:
    agency, citizen = vn.system("your-system"), vn.system("ekyc").login("ngo-quang-lich", rights=True)
    metadata = CallContext("integration-test", "", "state_19_1_c", "TEST-1", "officer-1").metadata()
    request = VerifyCitizenRequest(personal_number=persona("ngo-quang-lich").former_number)
    assert PopulationServiceStub(agency.channel).VerifyCitizen(request, metadata=metadata, timeout=DEADLINE_S).exists

    verified = accesses_shown_to(vn.system("ekyc"), citizen)[1]

    assert (verified.consumer, verified.method.rpartition("/")[2]) == (str(members.YOUR_SYSTEM), "VerifyCitizen")


def test_a_consent_that_she_denies_is_not_given(vn: Sandbox) -> None:
    citizen = vn.system("ekyc").login("phan-thi-kim-loan")
    with pytest.raises(LoginRefused, match="access_denied"):
        citizen.consent("ekyc", ["identity.basic"], approve=False)


def test_who_is_asked_by_a_number_that_was_replaced_is_told_to_be_asked_by_the_one_he_has(vn: Sandbox) -> None:
    bank, formerly = vn.system("ekyc"), persona("ngo-quang-lich").former_number
    request = RequestConsentRequest(
        subject_number=formerly,
        provider="VN-SANDBOX/GOV/G01/population",
        datasets=["identity.basic"],
        purpose="ekyc",
    )
    asked = ConsentServiceStub(bank.channel).RequestConsent(request).consent_request

    with pytest.raises(LoginRefused, match="If you had that number before, you must be asked anew by the one you have"):
        bank.login("ngo-quang-lich").answer_consent(asked.consent_request_id)


def test_a_term_that_there_is_not_is_refused_and_no_consent_given_without_it(vn: Sandbox) -> None:
    mai = vn.system("loyalty").login("nguyen-thi-mai")
    unlimited: Any = {"use": 1}
    with pytest.raises(TypeError, match="no term 'use'; there are: reference, retention, uses, uses_per, valid_for"):
        mai.consent("marketing", ["identity.basic"], **unlimited)


def test_a_system_that_was_closed_opens_nothing_that_would_stay_open_and_says_how_to_go_on(vn: Sandbox) -> None:
    shop = vn.system("loyalty")
    shop.close()
    with pytest.raises(RuntimeError, match="closed"):
        shop.channel_to(vn.endpoints.gateway)
    with pytest.raises(RuntimeError, match="closed"):
        shop.login("nguyen-thi-mai")
    assert vn.system("loyalty").login("nguyen-thi-mai").token


@pytest.mark.parametrize("nobody", ["nguyen-thi-may", "09919000000", ""])
def test_who_is_neither_a_persona_nor_a_number_is_told_who_there_is(vn: Sandbox, nobody: str) -> None:
    with pytest.raises(KeyError, match="nguyen-thi-mai"):
        vn.system("ekyc").login(nobody)


def test_a_child_who_is_neither_a_persona_nor_a_number_is_told_who_there_is(vn: Sandbox) -> None:
    mai = vn.system("ekyc").login("nguyen-thi-mai")
    with pytest.raises(KeyError, match="nguyen-thi-mai"):
        mai.ask_consent("ekyc", ["identity.basic"], about="nguyen-gia-bao-")


def test_the_persona_who_revoked_every_consent_is_refused_with_that_reason(vn: Sandbox) -> None:
    bank = vn.system("ekyc")
    with pytest.raises(grpc.RpcError) as refused:
        read(bank, bank.login("duong-thi-thom"))
    assert explain(refused.value).reason == "CONSENT_REVOKED"


@pytest.mark.parametrize("persona", ["vo-thi-lanh", "hoang-manh-tuyen"])
def test_who_has_no_account_or_a_locked_one_cannot_log_in(vn: Sandbox, persona: str) -> None:
    with pytest.raises(LoginRefused):
        vn.system("ekyc").login(persona)


def test_what_the_identity_provider_refuses_an_agency_with_reaches_it_in_the_contracts_words(vn: Sandbox) -> None:
    accounts = IdentityServiceStub(vn.system("your-system").channel)
    metadata = CallContext("integration-test", "", "state_19_1_c", "KT-2026-0001", "officer-1").metadata()
    with pytest.raises(grpc.RpcError) as unknown:
        accounts.GetAccount(GetAccountRequest(personal_number="099190000099"), metadata=metadata, timeout=DEADLINE_S)
    with pytest.raises(grpc.RpcError) as unexplained:
        accounts.LockAccount(LockAccountRequest(personal_number=MAI), metadata=metadata, timeout=DEADLINE_S)
    whys = [explain(unknown.value), explain(unexplained.value)]
    assert [(why.status, why.reason) for why in whys] == [
        (grpc.StatusCode.NOT_FOUND, "ACCOUNT_UNKNOWN"),
        (grpc.StatusCode.INVALID_ARGUMENT, "REASON_MISSING"),
    ]
    assert whys[0].message == "This personal number has no e-identity account; check it."


def test_the_account_of_a_citizen_who_has_died_stays_locked(vn: Sandbox) -> None:
    accounts = IdentityServiceStub(vn.system("your-system").channel)
    request = UnlockAccountRequest(personal_number=persona("dang-dinh-tho").personal_number, reason="found again")
    metadata = CallContext("integration-test", "", "state_19_1_c", "KT-2026-0002", "officer-1").metadata()
    with pytest.raises(grpc.RpcError) as refused:
        accounts.UnlockAccount(request, metadata=metadata, timeout=DEADLINE_S)
    why = explain(refused.value)
    assert (why.status, why.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "HOLDER_DECEASED")
    with pytest.raises(LoginRefused):
        vn.system("ekyc").login("dang-dinh-tho")


def test_tokens_and_consents_follow_the_sandboxs_clock() -> None:
    with Sandbox(citizens=100) as sandbox:
        bank = sandbox.system("ekyc")
        mai = bank.login("nguyen-thi-mai")
        mai.consent("ekyc", ["identity.basic"])
        sandbox.clock.advance(timedelta(minutes=30))
        with pytest.raises(grpc.RpcError) as refused:
            read(bank, mai)
        assert explain(refused.value).reason == "TOKEN_EXPIRED"
        again = bank.login("nguyen-thi-mai")
        read(bank, again)
        sandbox.clock.advance(timedelta(minutes=31))
        with pytest.raises(grpc.RpcError) as refused:
            read(bank, bank.login("nguyen-thi-mai"))
        assert explain(refused.value).reason == "CONSENT_EXPIRED"


def test_a_data_folder_keeps_everything_across_restarts(tmp_path: Path) -> None:
    with Sandbox(citizens=100, data=tmp_path) as sandbox:
        bank = sandbox.system("ekyc")
        mai = bank.login("nguyen-thi-mai")
        mai.consent("ekyc", ["identity.basic"])
        read(bank, mai)
        before = sandbox.log()
    with Sandbox(citizens=100, data=tmp_path) as sandbox:
        bank = sandbox.system("ekyc")
        assert read(bank, bank.login("nguyen-thi-mai")).citizen.name.given_name == "Mai"
        assert sandbox.log()[: len(before)] == before


def test_a_data_folder_belongs_to_one_sandbox_at_a_time(tmp_path: Path) -> None:
    with (
        Sandbox(citizens=100, data=tmp_path),
        pytest.raises(FolderInUseError, match="stop what runs on it"),
        Sandbox(citizens=100, data=tmp_path),
    ):
        pytest.fail("two of them write one log")
    with Sandbox(citizens=100, data=tmp_path) as sandbox:
        assert sandbox.log()


@pytest.mark.parametrize("listens", [True, False], ids=["by a server", "by a client"])
def test_a_taken_port_is_said_and_nothing_is_left_running(listens: bool) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        if listens:
            taken.listen()
        port = taken.getsockname()[1]
        before = set(threading.enumerate())
        with pytest.raises(OSError, match=r"port \d+ of 127\.0\.0\.1 is taken"):
            Sandbox(citizens=100, first_port=port).start()
        assert left_behind(before) == set()


@pytest.mark.parametrize("first", [-7, 65_533, 80_000])
def test_a_port_that_is_none_is_said_and_nothing_is_left_running(first: int) -> None:
    before = set(threading.enumerate())
    with pytest.raises(OSError, match="is none; choose one from 1 to 65535"):
        Sandbox(citizens=100, first_port=first).start()
    assert left_behind(before) == set()


def test_a_sandbox_that_runs_cannot_be_started_again_and_goes_on() -> None:
    before = set(threading.enumerate())
    with Sandbox(citizens=100) as sandbox:
        with pytest.raises(RuntimeError, match=r"runs already; call stop\(\) first"):
            sandbox.start()
        assert sandbox.log()
    assert left_behind(before) == set()


@pytest.mark.parametrize("data", ["world", Path("world")], ids=["text", "a path"])
def test_a_relative_data_folder_stays_where_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str | Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with Sandbox(citizens=100, data=data) as sandbox:
        monkeypatch.chdir("/")
        assert sandbox.log()
        assert sandbox.world.folder == tmp_path / "world"


def test_a_data_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "Liên Thông: 50%41 [1]? #2"
    with Sandbox(citizens=100, data=folder) as sandbox:
        assert sandbox.log()
    assert (folder / "gateway" / "gateway.sqlite").exists()
    assert list(tmp_path.iterdir()) == [folder]


def test_using_a_sandbox_that_does_not_run_says_how_to_start_it() -> None:
    with pytest.raises(RuntimeError, match="with Sandbox"):
        Sandbox().system("ekyc")
