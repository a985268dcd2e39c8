"""Lists of consents and of their revisions at a real gateway: each once and in order, however many there are."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

import grpc
import pytest

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.client import chain_fault
from lienthong_core.database import open_database, sqlite_url, writing
from lienthong_core.systems import SystemId
from lienthong_gateway import schema
from lienthong_gateway.consents.changes import change_consent
from lienthong_gateway.consents.revisions import Actor
from lienthong_gateway.consents.states import Change
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
SECONDS_AGO = (9, 4, 4, 20, 4, 0)
A_PLACE = "1795249800000000-7a3f0a54-1f2b-4f7e-9d0a-000000000000"


@pytest.fixture
def world(database_url: str) -> Iterator[GatewayWorld]:
    with gateway_world(database_url) as world:
        yield world


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Give one gateway to the tests that change nothing that others at it look at."""
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("pages") / "gateway.sqlite")) as world:
        yield world


def service(world: GatewayWorld, system: SystemId) -> ConsentServiceStub:
    return ConsentServiceStub(world.channel(system))


def given(world: GatewayWorld, seconds_ago: Sequence[int] = SECONDS_AGO, child: str = "") -> list[pb.Consent]:
    """Have Lan consent for herself or a small child; return the consents, newest first.

    She signed that many seconds before the identity provider came with each, some of them in one second.
    """
    now = int(world.clock.now().timestamp())
    represents = {"subject_age": "child_under_7", "approves_as": "representative", "approved_by": LAN} if child else {}
    consents: list[pb.Consent] = []
    for ago in seconds_ago:
        request = world.request_consent(number=child or LAN)
        statement = world.approval(request, 2, iat=now - ago, auth_time=now - ago, **represents)
        consents.append(world.decide(request.consent_request_id, statement).consent)
    return consents[::-1]


def page_of(
    world: GatewayWorld, size: int = 0, cursor: str = "", system: SystemId = members.IDENTITY
) -> pb.ListConsentsResponse:
    request = pb.ListConsentsRequest(subject_number=LAN, include_represented=True, cursor=cursor, page_size=size)
    return service(world, system).ListConsents(request, timeout=TIMEOUT_S)


def pages_after(
    world: GatewayWorld, page: pb.ListConsentsResponse, size: int = 0, system: SystemId = members.IDENTITY
) -> list[list[pb.Consent]]:
    """Return the consents of a page and of all that follow it."""
    pages = [list(page.consents)]
    while page.next_cursor:
        page = page_of(world, size, page.next_cursor, system)
        pages.append(list(page.consents))
    return pages


def changed(world: GatewayWorld, consent_id: str, times: int) -> None:
    """Pause and resume a consent that many times in all: at the database itself, where that takes little time."""
    citizen, now = Actor(str(members.IDENTITY), pb.Capacity.CAPACITY_SUBJECT), world.clock.now()
    engine = open_database(world.config.database_url, schema.metadata(), version=schema.VERSION)
    with writing(engine) as connection:
        for number in range(times):
            change_consent(connection, consent_id, Change.RESUMED if number % 2 else Change.PAUSED, citizen, now)
    engine.dispose()


def revisions_page(
    world: GatewayWorld, record_id: str, size: int = 0, cursor: str = ""
) -> pb.ListConsentRevisionsResponse:
    request = pb.ListConsentRevisionsRequest(id=record_id, cursor=cursor, page_size=size)
    return service(world, members.PORTAL).ListConsentRevisions(request, timeout=TIMEOUT_S)


def revision_pages(world: GatewayWorld, record_id: str, size: int = 0) -> list[list[pb.ConsentRevision]]:
    page = revisions_page(world, record_id, size)
    pages = [list(page.revisions)]
    while page.next_cursor:
        page = revisions_page(world, record_id, size, page.next_cursor)
        pages.append(list(page.revisions))
    return pages


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_every_consent_is_on_one_page_newest_first_also_those_of_one_second(world: GatewayWorld, size: int) -> None:
    first = given(world)
    expected = [*given(world, (4, 30), child=MAI), *first]

    pages = pages_after(world, page_of(world, size), size)

    assert [consent for page in pages for consent in page] == expected
    assert {len(page) for page in pages[:-1]} == {size}
    assert all(pages)


def test_a_consumers_pages_are_filled_with_its_own_consents(world: GatewayWorld) -> None:
    banks: list[pb.Consent] = []
    for _ in range(3):
        banks.append(world.consent(members.BANK, purpose="ekyc"))
        world.consent(members.PORTAL)

    pages = pages_after(world, page_of(world, 2, system=members.BANK), 2, members.BANK)

    assert [consent for page in pages for consent in page] == banks[::-1]
    assert [len(page) for page in pages] == [2, 1]


def test_a_consent_that_is_given_while_pages_are_read_moves_none_of_the_others(world: GatewayWorld) -> None:
    expected = given(world)
    first = page_of(world, 2)
    world.clock.advance(timedelta(seconds=1))
    world.consent()

    pages = pages_after(world, first, 2)

    assert [consent for page in pages for consent in page] == expected


def test_a_list_says_who_paused_what_is_paused_as_reading_it_alone_does(world: GatewayWorld) -> None:
    kept, paused = given(world, (4, 9))
    request = pb.PauseConsentRequest(consent_id=paused.consent_id, capacity=pb.Capacity.CAPACITY_REPRESENTATIVE)
    alone = service(world, members.IDENTITY).PauseConsent(request, timeout=TIMEOUT_S).consent

    assert alone.paused_as == pb.Capacity.CAPACITY_REPRESENTATIVE
    assert list(page_of(world).consents) == [kept, alone]


def test_without_a_page_size_a_page_has_fifty_consents(world: GatewayWorld) -> None:
    given(world, [0] * 51)

    assert [len(page) for page in pages_after(world, page_of(world))] == [50, 1]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "5",
        "-1",
        A_PLACE[17:],
        A_PLACE.upper(),
        f" {A_PLACE}",
        f"{A_PLACE}\n",
        f"9{A_PLACE}9",
        "9" * 30 + A_PLACE[16:],
        "٣" + A_PLACE[1:],
    ],
)
def test_a_cursor_that_was_never_given_is_refused(shared_world: GatewayWorld, cursor: str) -> None:
    why = refusal_of(lambda: page_of(shared_world, cursor=cursor))

    assert (why.status, why.reason) == (INVALID, "CURSOR_INVALID")


@pytest.mark.parametrize("size", [-1, 101, (1 << 31) - 1])
def test_a_page_size_out_of_its_range_is_refused(shared_world: GatewayWorld, size: int) -> None:
    why = refusal_of(lambda: page_of(shared_world, size))

    assert (why.status, why.reason) == (INVALID, "PAGE_SIZE_INVALID")


@pytest.mark.parametrize(("size", "lengths"), [(1, [1] * 6), (4, [4, 2]), (6, [6]), (0, [6])])
def test_every_revision_is_on_one_page_oldest_first(world: GatewayWorld, size: int, lengths: list[int]) -> None:
    consent = world.consent()
    changed(world, consent.consent_id, 5)

    pages = revision_pages(world, consent.consent_id, size)

    assert [len(page) for page in pages] == lengths
    assert not chain_fault(revision for page in pages for revision in page)
    assert [[each.change for each in page] for page in revision_pages(world, consent.consent_request_id, 1)] == [
        ["REQUESTED"],
        ["APPROVED"],
    ]


def test_a_chain_of_more_than_clients_read_at_once_is_whole_page_by_page(shared_world: GatewayWorld) -> None:
    consent_id = shared_world.consent().consent_id
    changed(shared_world, consent_id, 3_100)

    chain = [revision for page in revision_pages(shared_world, consent_id, 100) for revision in page]

    assert len(chain) == 3_101
    assert sum(len(revision.document) for revision in chain) > 4 << 20
    assert not chain_fault(chain)


def test_the_receipt_of_a_consent_that_was_changed_often_has_its_newest_events(shared_world: GatewayWorld) -> None:
    consent_id = shared_world.consent().consent_id
    changed(shared_world, consent_id, 1_002)

    request = pb.GetConsentReceiptRequest(consent_id=consent_id)
    found = json.loads(service(shared_world, members.PORTAL).GetConsentReceipt(request, timeout=TIMEOUT_S).receipt)

    assert [event["revision"] for event in found["events"]] == list(range(4, 1_004))
    assert found["record"]["revision_digest"] == found["events"][-1]["digest"]


def test_no_revision_comes_after_the_last(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id

    for cursor in ("1", "9" * 18):
        assert revisions_page(world, consent_id, cursor=cursor) == pb.ListConsentRevisionsResponse()


@pytest.mark.parametrize(
    ("size", "cursor", "reason"),
    [(-1, "", "PAGE_SIZE_INVALID"), (101, "", "PAGE_SIZE_INVALID"), (0, "x", "CURSOR_INVALID")],
)
def test_a_page_of_revisions_that_there_cannot_be_is_refused(
    shared_world: GatewayWorld, size: int, cursor: str, reason: str
) -> None:
    consent_id = shared_world.consent().consent_id

    why = refusal_of(lambda: revisions_page(shared_world, consent_id, size, cursor))

    assert (why.status, why.reason) == (INVALID, reason)
