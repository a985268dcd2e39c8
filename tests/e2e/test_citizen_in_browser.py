"""A citizen at a real browser, on the pages of the portal and of the identity provider."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lienthong.api.consent.v1.consent_pb2 import ConsentState, GetConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.portal.v1.portal_pb2 import GetDossierRequest, PrefillDossierRequest, StartDossierRequest
from lienthong.api.portal.v1.portal_pb2_grpc import PortalServiceStub
from lienthong_sandbox import Sandbox
from lienthong_seeds import members
from lienthong_seeds.personas import persona
from lienthong_services.identity.rules import PASSCODE
from tests.support.chromium import page_at, width_with_long_words

pytestmark = pytest.mark.alone

DEADLINE_S = 20.0
NARROW = 320
MAI, HOA = persona("nguyen-thi-mai"), persona("do-thuy-hoa")


@pytest.fixture(scope="module")
def vn() -> Iterator[Sandbox]:
    with Sandbox(citizens=100) as sandbox:
        yield sandbox


@pytest.fixture
def page(vn: Sandbox, tmp_path: Path) -> Iterator[Page]:
    """Give a browser that nobody is logged in with, at the portal's first page."""
    with page_at(vn.endpoints.portal_url, tmp_path / "browser", None) as page:
        page.goto(vn.endpoints.portal_url)
        yield page


def log_in(page: Page, passcode: str = PASSCODE, number: str = MAI.personal_number) -> None:
    page.get_by_label("Personal number").fill(number)
    page.get_by_label("Passcode").fill(passcode)
    page.get_by_role("button", name="Log in").click()


def log_in_at_portal(page: Page) -> None:
    page.get_by_role("link", name="Log in").click()
    log_in(page)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Đã đăng nhập")


class Portal:
    """The portal's app, which uses the session of the browser's cookie."""

    def __init__(self, vn: Sandbox, page: Page) -> None:
        cookies = {cookie.get("name"): cookie.get("value") for cookie in page.context.cookies()}
        self._session = (("authorization", f"Bearer {cookies['__Host-portal-session']}"),)
        self._stub = PortalServiceStub(vn.system(members.PORTAL_APP.subsystem).channel_to(vn.endpoints.portal))

    def start(self) -> tuple[str, str]:
        """Start a dossier; return its id and where she is asked for her consent."""
        request = StartDossierRequest(procedure_code=members.PERMANENT_RESIDENCE.code)
        started = self._stub.StartDossier(request, metadata=self._session, timeout=DEADLINE_S)
        return started.dossier.dossier_id, started.consent_url

    def consent_of(self, dossier: str) -> str:
        request = GetDossierRequest(dossier=dossier)
        return self._stub.GetDossier(request, metadata=self._session, timeout=DEADLINE_S).dossier.consent_id

    def prefill(self, dossier: str) -> list[str]:
        request = PrefillDossierRequest(dossier_id=dossier)
        form = self._stub.PrefillDossier(request, metadata=self._session, timeout=DEADLINE_S).dossier.form
        return [field.value for field in form]


def test_she_logs_in_consents_pauses_resumes_takes_her_receipt_and_revokes(vn: Sandbox, page: Page) -> None:
    log_in_at_portal(page)
    portal = Portal(vn, page)
    dossier, consent_url = portal.start()

    page.goto(consent_url)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Consent to sharing data?")
    expect(page.locator("main")).to_contain_text(MAI.personal_number)
    page.get_by_role("button", name="Approve").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Đã ghi nhận sự đồng ý")
    consent_id = portal.consent_of(dossier)
    assert MAI.full_name in portal.prefill(dossier)

    page.goto(f"{vn.endpoints.identity_url}/account")
    state = page.locator("article .state")
    expect(state).to_contain_text("In force")
    page.get_by_role("button", name="Pause").click()
    expect(state).to_contain_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(state).to_contain_text("In force")
    with page.expect_download() as download:
        page.get_by_role("link", name="Receipt").click()
    assert consent_id in download.value.path().read_text(encoding="utf-8")
    page.get_by_role("button", name="Revoke").click()
    expect(state).to_contain_text("Revoked")


def test_she_ends_a_consent_that_is_too_old_for_the_first_page_of_her_account(vn: Sandbox, page: Page) -> None:
    bank = vn.system("ekyc")
    session = bank.login(HOA.key)
    oldest = session.consent("ekyc", ["identity.basic"])
    vn.clock.advance(timedelta(minutes=1))
    for _ in range(50):
        session.consent("ekyc", ["identity.basic"])

    page.goto(f"{vn.endpoints.identity_url}/account")
    log_in(page, number=HOA.personal_number)
    expect(page.locator("article")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("article")).to_have_count(1)
    page.get_by_role("button", name="Revoke").click()

    expect(page.locator("article")).to_have_count(50)
    request = GetConsentRequest(consent_id=oldest.consent_id)
    found = ConsentServiceStub(bank.channel).GetConsent(request, timeout=DEADLINE_S).consent
    assert found.state == ConsentState.CONSENT_STATE_REVOKED


def test_a_wrong_passcode_is_said_and_the_number_kept(page: Page) -> None:
    page.get_by_role("link", name="Log in").click()

    log_in(page, passcode="000000")

    expect(page.get_by_role("alert")).to_contain_text("Wrong personal number or passcode.")
    expect(page.get_by_label("Personal number")).to_have_value(MAI.personal_number)


def test_a_denial_leads_back_to_the_portal_and_gives_no_consent(vn: Sandbox, page: Page) -> None:
    log_in_at_portal(page)
    portal = Portal(vn, page)
    dossier, consent_url = portal.start()

    page.goto(consent_url)
    page.get_by_role("button", name="Deny").click()

    expect(page).to_have_url(re.compile(f"^{re.escape(vn.endpoints.portal_url)}/"))
    expect(page.locator("main")).to_contain_text("CONSENT_DENIED")
    assert not portal.consent_of(dossier)


def test_who_logs_out_is_asked_to_log_in_again(vn: Sandbox, page: Page) -> None:
    log_in_at_portal(page)

    page.goto(f"{vn.endpoints.identity_url}/account")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{vn.endpoints.identity_url}/logged-out")
    page.goto(f"{vn.endpoints.identity_url}/account")

    expect(page.get_by_label("Passcode")).to_be_visible()


def test_no_word_however_long_makes_a_page_wider_than_a_narrow_screen(vn: Sandbox, page: Page) -> None:
    def width() -> int:
        return width_with_long_words(page)

    page.set_viewport_size({"width": NARROW, "height": 640})
    widths = {"first page": width()}
    page.get_by_role("link", name="Log in").click()
    log_in(page, passcode="000000")
    expect(page.get_by_role("alert")).to_be_visible()
    widths["log in"] = width()
    log_in(page)
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    widths["approve"] = width()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Đã đăng nhập")
    widths["arrived"] = width()
    page.goto(Portal(vn, page).start()[1])
    widths["consent"] = width()
    page.get_by_role("button", name="Approve").click()
    page.goto(f"{vn.endpoints.identity_url}/account")
    widths["account"] = width()
    page.goto(f"{vn.endpoints.portal_url}/oidc/callback")
    widths["refused"] = width()

    assert widths == dict.fromkeys(widths, NARROW)


def test_who_logs_out_at_the_portal_is_logged_out_at_the_identity_provider_too(vn: Sandbox, page: Page) -> None:
    log_in_at_portal(page)

    page.goto(vn.endpoints.portal_url)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{vn.endpoints.portal_url}/logged-out")
    page.get_by_role("link", name="Log in").click()

    expect(page.get_by_label("Passcode")).to_be_visible()


def test_a_page_of_another_origin_of_the_portals_site_does_not_log_her_out(vn: Sandbox, page: Page) -> None:
    log_in_at_portal(page)
    form = f'<form method="post" action="{vn.endpoints.portal_url}/logout"><button>Win a prize</button></form>'
    elsewhere = "https://127.0.0.1:9/"
    page.route(elsewhere, lambda route: route.fulfill(content_type="text/html", body=form))

    page.goto(elsewhere)
    page.get_by_role("button", name="Win a prize").click()

    expect(page).to_have_url(f"{vn.endpoints.portal_url}/")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def test_who_is_sent_to_log_out_by_whoever_it_be_is_asked_first_and_then_led_back(vn: Sandbox, page: Page) -> None:
    log_in_at_portal(page)
    back = f"{vn.endpoints.portal_url}/logged-out"
    asked = f"{vn.endpoints.identity_url}/end-session?client_id=portal&post_logout_redirect_uri={back}"

    page.goto(asked)
    page.get_by_role("link", name="Stay logged in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Account")
    page.goto(asked)
    page.get_by_role("button", name="Log out").click()

    expect(page).to_have_url(back)
    page.goto(f"{vn.endpoints.identity_url}/account")
    expect(page.get_by_label("Passcode")).to_be_visible()
