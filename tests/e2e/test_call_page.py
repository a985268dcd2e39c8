"""Calls that a person makes from the gateway's own page, in a browser that shows a system's certificate."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lienthong.client import Header
from lienthong_core.certificates import TlsIdentity
from lienthong_core.database import sqlite_url
from lienthong_gateway.edge.limits import Anybody, Limits, Rate
from lienthong_seeds import members
from tests.support.chromium import page_at, width_with_long_words
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, GatewayWorld, gateway_world

pytestmark = pytest.mark.alone

GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        world.consent()
        yield world


@pytest.fixture
def page(world: GatewayWorld, tmp_path: Path) -> Iterator[Page]:
    yield from opened(world, tmp_path, world.identity(members.PORTAL))


@pytest.fixture
def page_of_nobody(world: GatewayWorld, tmp_path: Path) -> Iterator[Page]:
    yield from opened(world, tmp_path, None)


@pytest.fixture
def page_of_the_administration(world: GatewayWorld, tmp_path: Path) -> Iterator[Page]:
    yield from opened(world, tmp_path, world.identity(members.ADMINISTRATION))


def opened(world: GatewayWorld, folder: Path, tls: TlsIdentity | None) -> Iterator[Page]:
    origin = f"https://{world.config.web_host}:{world.config.web_port}"
    with page_at(origin, folder / "browser", tls) as page:
        page.goto(f"{origin}/")
        page.get_by_role("link", name="GET /call").click()
        yield page


def ask_about(page: Page, number: str, token: str, purpose: str = PURPOSE) -> None:
    """Fill the form in as a person would, and send it."""
    page.get_by_label("Method").select_option(GET_CITIZEN)
    page.get_by_label(Header.PURPOSE, exact=True).fill(purpose)
    page.get_by_label(Header.AUTHORIZATION, exact=True).fill(f"Bearer {token}")
    page.get_by_label("Body").fill(f'{{"personalNumber": "{number}"}}')
    page.get_by_role("button", name="Call").click()


def test_a_call_shows_what_was_released_and_its_place_in_the_log(page: Page, world: GatewayWorld) -> None:
    ask_about(page, LAN, world.token())

    expect(page.locator("#outcome")).to_contain_text("200 OK")
    expect(page.locator("#message")).to_contain_text(f'"personalNumber": "{LAN}"')
    expect(page.locator("#trailers")).to_contain_text(Header.LOG_INDEX)
    expect(page.locator("#curl")).to_contain_text(GET_CITIZEN)
    assert world.entries()[2]["method"] == GET_CITIZEN


def test_a_refusal_shows_its_reason_and_what_to_do(page: Page, world: GatewayWorld) -> None:
    ask_about(page, LAN, world.token(), purpose="nonsense")

    expect(page.locator("#outcome")).to_contain_text("400 Từ chối. Refused: PURPOSE_UNKNOWN")
    expect(page.locator("#advice")).to_contain_text("the catalogue lists those that are")


def test_without_a_certificate_the_page_opens_and_the_call_says_what_is_missing(
    page_of_nobody: Page, world: GatewayWorld
) -> None:
    ask_about(page_of_nobody, LAN, world.token())

    expect(page_of_nobody.locator("#outcome")).to_contain_text("401 Từ chối. Refused: CERTIFICATE_MISSING")


def test_what_an_answer_says_is_shown_and_never_run(page: Page, world: GatewayWorld) -> None:
    ask_about(page, "<img src=x onerror=document.title='run'>", world.token())

    expect(page.locator("#outcome")).to_contain_text("PERSONAL_NUMBER_INVALID")
    expect(page.locator("#curl")).to_contain_text("<img src=x")
    expect(page).to_have_title("Gọi thử · Liên Thông gateway · SIMULATION")


def test_the_form_begins_with_the_fields_of_the_chosen_method(page: Page) -> None:
    page.get_by_label("Method").select_option("/lienthong.api.consent.v1.ConsentService/GetConsent")

    expect(page.get_by_label("Body")).to_have_value('{\n  "consentId": ""\n}')
    expect(page.get_by_label(Header.PURPOSE, exact=True)).to_have_count(0)


def test_what_may_not_be_empty_is_left_out_of_the_body_that_the_form_begins_with(page: Page) -> None:
    page.get_by_label("Method").select_option("/lienthong.api.consent.v1.ConsentService/RequestConsent")

    body = page.get_by_label("Body")
    expect(body).to_have_value(re.compile("subjectNumber"))
    expect(body).not_to_have_value(re.compile("validFor|usesPer|retention"))


def test_what_is_registered_is_changed_from_the_page_in_an_officers_name(page_of_the_administration: Page) -> None:
    page = page_of_the_administration
    page.get_by_label("Method").select_option("/lienthong.api.exchange.v1.AdministrationService/AdmitOfficer")
    page.get_by_label(Header.OFFICER, exact=True).fill(members.ADMINISTRATOR)
    page.get_by_label("Body").fill(f'{{"officer": {{"systemId": "{members.PORTAL}", "officerId": "officer-9"}}}}')
    page.get_by_role("button", name="Call").click()

    expect(page.locator("#outcome")).to_contain_text("200 OK")


@pytest.mark.parametrize("path", ["/", "/call"])
def test_a_page_of_the_gateway_fits_a_screen_of_320_pixels(
    page_of_nobody: Page, world: GatewayWorld, path: str
) -> None:
    page_of_nobody.set_viewport_size({"width": 320, "height": 640})
    page_of_nobody.goto(f"https://{world.config.web_host}:{world.config.web_port}{path}")
    assert page_of_nobody.evaluate("document.documentElement.scrollWidth") <= 320
    assert width_with_long_words(page_of_nobody) <= 320


def test_a_page_that_is_not_told_what_can_be_called_says_why(tmp_path: Path) -> None:
    page_style_and_script = 3
    limits = Limits(anybody=Anybody(rate=Rate(0.001, page_style_and_script)))
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        origin = f"https://{world.config.web_host}:{world.config.web_port}"
        with page_at(origin, tmp_path / "browser", None) as page:
            page.goto(f"{origin}/call")
            expect(page.locator("#outcome")).to_contain_text("RATE_LIMITED")
            expect(page.locator("#advice")).to_contain_text("connect with the certificate of a registered system")
