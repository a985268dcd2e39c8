"""What the portal refuses, what it passes on, and what is left behind: nothing by halves."""

import threading
from collections.abc import Callable
from datetime import timedelta

import grpc
import pytest
from sqlalchemy import text

from lienthong.api.portal.v1 import portal_pb2 as pb
from lienthong.client import Header, explain
from lienthong_core.errors import Refusal, denied, exhausted, precondition, unavailable
from lienthong_core.systems import SystemId
from lienthong_seeds import members
from tests.support.portal_world import (
    NEW_ADDRESS,
    OFFICER,
    SESSION_COOKIE,
    TIMEOUT_S,
    Citizen,
    PortalWorld,
    State,
    refused,
)
from tests.support.waiting import wait_until

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
BY_GATEWAY = {"origin": "gateway", "exchange_id": "e1", "log_index": "4"}
REVOKED = denied("CONSENT_REVOKED", "She has revoked it.").with_metadata(**BY_GATEWAY)
OUT_OF_ORDER = precondition("RESIDENCE_OUT_OF_ORDER", "Too early.").with_metadata(origin=str(members.POPULATION))


def list_dossiers(world: PortalWorld, system: SystemId, *metadata: tuple[str, str]) -> None:
    world.stub(system).ListDossiers(pb.ListDossiersRequest(), metadata=metadata, timeout=TIMEOUT_S)


def list_accesses(citizen: Citizen) -> None:
    citizen.app.ListAccesses(pb.ListAccessesRequest(), metadata=citizen.metadata, timeout=TIMEOUT_S)


def stored_dossiers(world: PortalWorld) -> int:
    with world.portal.engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM dossier")).scalar_one())


def test_what_the_gateway_refuses_comes_back_unchanged(world: PortalWorld) -> None:
    lan = world.logged_in()
    dossier_id = lan.consented().dossier_id
    world.gateway.answers["GetHousehold"] = REVOKED
    with refused("CONSENT_REVOKED", DENIED) as why:
        lan.prefill(dossier_id)
    assert (why[0].message, dict(why[0].metadata)) == ("She has revoked it.", BY_GATEWAY)
    assert not any(field.value for field in lan.sees(dossier_id).form)


@pytest.mark.parametrize(("call", "method"), [(Citizen.start, "RequestConsent"), (list_accesses, "ListAccesses")])
def test_when_the_gateway_has_room_again_is_passed_on(
    world: PortalWorld, call: Callable[[Citizen], object], method: str
) -> None:
    lan = world.logged_in()
    world.gateway.answers[method] = exhausted("OVERLOADED", "Try again when RetryInfo says.", 2.5)
    with refused("OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED) as why:
        call(lan)
    assert why[0].retry_after_s == 2.5


def test_a_draft_without_its_request_for_consent_is_not_kept(world: PortalWorld) -> None:
    lan = world.logged_in()
    world.gateway.answers["RequestConsent"] = denied("ACCESS_RIGHT_MISSING", "No right.")
    with refused("ACCESS_RIGHT_MISSING", DENIED):
        lan.start()
    assert stored_dossiers(world) == 0


@pytest.mark.parametrize("call", [Citizen.start, list_accesses])
def test_a_gateway_that_is_down_is_named(world: PortalWorld, call: Callable[[Citizen], object]) -> None:
    lan = world.logged_in()
    world.gateway_server.stop()
    with refused("GATEWAY_UNAVAILABLE", UNAVAILABLE) as why:
        call(lan)
    assert "127.0.0.1" not in why[0].message
    assert stored_dossiers(world) == 0


def test_an_outcome_that_is_refused_leaves_the_dossier_where_it_was(stored: PortalWorld) -> None:
    lan, code = stored.in_processing()
    before = lan.sees(code)
    stored.gateway.answers["UpdateResidence"] = OUT_OF_ORDER
    with refused("RESIDENCE_OUT_OF_ORDER", PRECONDITION) as why:
        stored.officers_move(code, State.DOSSIER_STATE_FINISHED)
    assert why[0].metadata["origin"] == str(members.POPULATION)
    assert lan.sees(code) == before
    stopped = stored.officers_move(code, State.DOSSIER_STATE_STOPPED, "Địa chỉ không hợp lệ").dossier
    assert stopped.state_name_vi == "Dừng xử lý"


@pytest.mark.parametrize(
    "lost",
    [
        unavailable("EXCHANGE_LOG_UNAVAILABLE", "Withheld."),
        Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "PROVIDER_TIMEOUT", "Too slow."),
        Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID", "No message."),
    ],
    ids=lambda refusal: refusal.reason,
)
def test_an_outcome_that_nobody_knows_can_only_be_finished_later(stored: PortalWorld, lost: Refusal) -> None:
    lan, code = stored.in_processing()
    before, usual = lan.sees(code), stored.gateway.answers["UpdateResidence"]
    stored.gateway.answers["UpdateResidence"] = lost
    with refused(lost.reason, lost.status):
        stored.officers_move(code, State.DOSSIER_STATE_FINISHED)
    stored.gateway.answers["UpdateResidence"] = usual
    assert lan.sees(code) == before
    stored.clock.advance(timedelta(minutes=1))
    for move in (
        lambda: stored.officers_move(code, State.DOSSIER_STATE_STOPPED),
        lambda: lan.move(code, State.DOSSIER_STATE_WITHDRAWN),
    ):
        with refused("MOVE_NOT_ALLOWED", PRECONDITION):
            move()
    assert stored.officers_move(code, State.DOSSIER_STATE_FINISHED).dossier.state == State.DOSSIER_STATE_FINISHED
    first, second = stored.gateway.received("UpdateResidence")
    assert first.request == second.request


def test_while_an_outcome_is_carried_out_nobody_else_moves_the_dossier(stored: PortalWorld) -> None:
    lan, code = stored.in_processing()
    finished: list[pb.MoveDossierResponse] = []
    with stored.gateway.holding("UpdateResidence"):
        first = threading.Thread(
            target=lambda: finished.append(stored.officers_move(code, State.DOSSIER_STATE_FINISHED))
        )
        first.start()
        wait_until(lambda: stored.gateway.received("UpdateResidence"))
        for move in (
            lambda: stored.officers_move(code, State.DOSSIER_STATE_FINISHED, officer="CA-2"),
            lambda: stored.officers_move(code, State.DOSSIER_STATE_STOPPED, officer="CA-2"),
            lambda: lan.move(code, State.DOSSIER_STATE_WITHDRAWN),
        ):
            with refused("MOVE_NOT_ALLOWED", PRECONDITION):
                move()
    first.join()
    assert [answer.dossier.state for answer in finished] == [State.DOSSIER_STATE_FINISHED]
    assert len(stored.gateway.received("UpdateResidence")) == 1


def test_of_officers_who_move_a_dossier_at_once_one_wins(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    code = lan.submitted().code
    targets = [State.DOSSIER_STATE_RECEIVED, State.DOSSIER_STATE_NOT_RECEIVED] * 2
    start, outcomes = threading.Barrier(len(targets)), list[str]()
    stored.stub(members.RESIDENCE_DESK)

    def move(target: State.ValueType) -> None:
        start.wait(TIMEOUT_S)
        try:
            stored.officers_move(code, target)
            outcomes.append("moved")
        except grpc.RpcError as error:
            outcomes.append(explain(error).reason)

    threads = [threading.Thread(target=move, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["MOVE_NOT_ALLOWED"] * 3 + ["moved"]
    assert len(lan.sees(code).events) == 2


def test_only_an_officer_moves_what_is_an_officers_to_move(world: PortalWorld) -> None:
    lan = world.logged_in()
    code = lan.submitted().code
    with refused("MOVE_NOT_YOURS", DENIED):
        lan.move(code, State.DOSSIER_STATE_RECEIVED)
    with refused("MOVE_NOT_YOURS", DENIED):
        world.officers_move(code, State.DOSSIER_STATE_WITHDRAWN)
    assert lan.sees(code).state == State.DOSSIER_STATE_REGISTERED


@pytest.mark.parametrize("number", [0, 1, 9, 10, 11, -1, 2**31 - 1])
def test_a_state_that_is_not_next_is_refused_with_those_that_are(world: PortalWorld, number: int) -> None:
    code = world.logged_in().submitted().code
    with refused("MOVE_NOT_ALLOWED", PRECONDITION) as why:
        world.officers_move(code, State.ValueType(number))
    assert "2 Được tiếp nhận" in why[0].message


@pytest.mark.parametrize("note", ["x" * 2_001, "a\x00b"])
def test_a_note_that_is_no_text_is_refused(stored: PortalWorld, note: str) -> None:
    code = stored.logged_in().submitted().code
    with refused("NOTE_INVALID", INVALID):
        stored.officers_move(code, State.DOSSIER_STATE_RECEIVED, note)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "SESSION_MISSING"),
        ((("authorization", "Basic abc"),), "SESSION_MISSING"),
        ((("authorization", "Bearer invented"),), "SESSION_INVALID"),
        ((("authorization", "bearer invented"),), "SESSION_INVALID"),
    ],
)
def test_a_citizens_call_needs_a_session(
    world: PortalWorld, metadata: tuple[tuple[str, str], ...], reason: str
) -> None:
    with refused(reason, UNAUTHENTICATED):
        list_dossiers(world, members.PORTAL_APP, *metadata)


def test_a_session_sent_twice_is_refused(world: PortalWorld) -> None:
    lan = world.logged_in()
    with refused("HEADER_DUPLICATED", INVALID):
        list_dossiers(world, members.PORTAL_APP, *lan.metadata, *lan.metadata)


def test_a_session_is_over_after_eight_hours(world: PortalWorld) -> None:
    lan = world.logged_in()
    world.clock.advance(timedelta(hours=8))
    with refused("SESSION_EXPIRED", UNAUTHENTICATED):
        lan.dossiers()
    assert "Log in" in lan.browser.get("/").text


def test_what_needs_the_access_token_asks_to_log_in_again_once_it_is_over(world: PortalWorld) -> None:
    lan = world.logged_in()
    dossier_id = lan.consented().dossier_id
    world.clock.advance(timedelta(minutes=15))
    assert lan.dossiers()
    for call in (lambda: lan.prefill(dossier_id), lambda: list_accesses(lan)):
        with refused("SESSION_EXPIRED", UNAUTHENTICATED) as why:
            call()
        assert "/login" in why[0].message
    assert {call.method for call in world.gateway.calls} == {"RequestConsent", "FetchConsentRequest"}


def test_consent_can_be_given_in_a_session_in_force_only(world: PortalWorld) -> None:
    lan = world.logged_in()
    url = lan.start().consent_url
    lan.browser.cookies.delete(SESSION_COOKIE)
    page = lan.browser.get(url)
    assert (page.status_code, "SESSION_INVALID" in page.text) == (401, True)


def test_an_officers_call_names_the_officer(world: PortalWorld) -> None:
    code = world.logged_in().submitted().code
    with refused("OFFICER_MISSING", UNAUTHENTICATED):
        world.officers_move(code, State.DOSSIER_STATE_RECEIVED, officer="")
    with refused("HEADER_INVALID", INVALID):
        world.officers_move(code, State.DOSSIER_STATE_RECEIVED, officer="citizen")
    with refused("HEADER_INVALID", INVALID):
        world.officers_move(code, State.DOSSIER_STATE_RECEIVED, officer="x" * 65)


def test_an_officers_system_does_not_act_for_citizens(world: PortalWorld) -> None:
    lan = world.logged_in()
    officer = ((str(Header.OFFICER), OFFICER),)
    with refused("CALLER_NOT_ALLOWED", DENIED):
        list_dossiers(world, members.RESIDENCE_DESK, *lan.metadata, *officer)


def test_a_citizens_app_does_not_act_for_officers(world: PortalWorld) -> None:
    lan = world.logged_in()
    code = lan.submitted().code
    request = pb.MoveDossierRequest(code=code, state=State.DOSSIER_STATE_RECEIVED)
    with refused("SESSION_MISSING", UNAUTHENTICATED):
        lan.app.MoveDossier(request, metadata=((str(Header.OFFICER), OFFICER),), timeout=TIMEOUT_S)


def test_other_systems_are_not_let_in_and_not_told_to_go_where_the_portal_is_not(world: PortalWorld) -> None:
    with refused("CALLER_NOT_ALLOWED", DENIED) as why:
        list_dossiers(world, members.SHOP)
    assert "call it through the gateway" not in why[0].message


def test_a_large_form_is_refused(world: PortalWorld) -> None:
    lan = world.logged_in()
    dossier_id = lan.start().dossier.dossier_id
    with refused("MESSAGE_TOO_LARGE", grpc.StatusCode.RESOURCE_EXHAUSTED):
        lan.submit(dossier_id, **{**NEW_ADDRESS, "request": "x" * (3 << 19)})
