"""Sessions of browsers, forms that were tampered with, and logins that fail."""

from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest
from sqlalchemy.orm import Session

from lienthong_services.identity.authorization import LARGEST_REQUEST
from lienthong_services.identity.model import BrowserSession
from lienthong_services.identity.rules import (
    INTERACTION_LIFETIME,
    MAX_FAILURES,
    MOST_INTERACTIONS,
    MOST_UNKNOWN_BROWSERS,
)
from tests.support.browser import Page
from tests.support.identity import INACTIVE, LEVEL_ONE, LOCKED, MAI, NOBODY, IdentityWorld, identity_world


@pytest.fixture
def world(database_url: str) -> Iterator[IdentityWorld]:
    with identity_world(database_url) as started:
        yield started


def test_the_provider_by_itself_leads_to_the_account_page(world: IdentityWorld) -> None:
    browser = world.browser()
    assert browser.log_in(browser.get("/")).path == "/account"


def test_who_is_logged_in_is_not_asked_again_for_the_same_client(world: IdentityWorld) -> None:
    browser, _ = world.signed_in()
    assert "code" in browser.get(world.portal.authorize()).answer
    assert "code" in browser.get(world.portal.authorize(prompt="none")).answer


def test_another_client_is_approved_without_a_new_login(world: IdentityWorld) -> None:
    browser, _ = world.signed_in()
    page = browser.get(world.portal.authorize(client_id="bank"))
    assert page.path == "/approve"
    assert "Test bank" in page.response.text


def test_a_client_that_wants_to_act_for_her_is_approved_for_it_also_when_she_approved_it_before(
    world: IdentityWorld,
) -> None:
    browser, _ = world.signed_in()
    silent = browser.get(world.portal.authorize(scope="openid rights", prompt="none")).answer
    page = browser.get(world.portal.authorize(scope="openid rights"))

    assert silent["error"] == "interaction_required"
    assert page.path == "/approve"
    assert "Xem ai đã sử dụng dữ liệu của bạn" in page.response.text
    assert "See who has used your data" in page.response.text
    assert "code" in browser.submit(page, decision="approve").answer
    assert "code" in browser.get(world.portal.authorize(scope="openid rights")).answer
    assert "code" in browser.get(world.portal.authorize()).answer


def test_a_client_that_does_not_want_to_act_for_her_is_approved_without_it(world: IdentityWorld) -> None:
    browser = world.browser()
    page = browser.log_in(browser.get(world.portal.authorize(scope="openid profile")))
    assert page.path == "/approve"
    assert "Xem ai đã sử dụng dữ liệu của bạn" not in page.response.text


def test_who_denies_a_client_to_act_for_her_gives_it_nothing(world: IdentityWorld) -> None:
    browser, _ = world.signed_in()
    denied = browser.submit(browser.get(world.portal.authorize(scope="openid rights")), decision="deny")
    assert denied.answer["error"] == "access_denied"
    assert browser.get(world.portal.authorize(scope="openid rights")).path == "/approve"


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "0"}])
def test_a_client_can_ask_for_a_new_login(world: IdentityWorld, changes: dict[str, str | None]) -> None:
    browser, _ = world.signed_in()
    page = browser.get(world.portal.authorize(**changes))
    assert page.path == "/login"
    assert browser.log_in(page).path == "/approve"


def test_a_login_that_is_older_than_max_age_is_made_again(world: IdentityWorld) -> None:
    browser, _ = world.signed_in()
    world.clock.advance(timedelta(seconds=100))
    assert "code" in browser.get(world.portal.authorize(max_age="200")).answer
    assert browser.get(world.portal.authorize(max_age="100")).path == "/login"


def test_a_client_is_told_of_the_login_that_was_made_not_of_the_one_that_was_spared(world: IdentityWorld) -> None:
    browser, page = world.signed_in()
    at_login = world.portal.exchange(page.answer["code"]).json()
    world.clock.advance(timedelta(minutes=10))
    later = world.portal.exchange(browser.get(world.portal.authorize()).answer["code"]).json()
    for name in ("access_token", "id_token"):
        before, after = (jwt.decode(body[name], options={"verify_signature": False}) for body in (at_login, later))
        assert after["auth_time"] == before["auth_time"]
        assert after["iat"] - before["iat"] >= 600


def test_a_session_ends_by_the_sandbox_clock(world: IdentityWorld) -> None:
    browser, _ = world.signed_in()
    world.clock.advance(timedelta(minutes=29))
    assert "code" in browser.get(world.portal.authorize()).answer
    world.clock.advance(timedelta(minutes=1))
    assert browser.get(world.portal.authorize()).path == "/login"


def test_prompt_none_shows_no_page(world: IdentityWorld) -> None:
    answer = world.browser().get(world.portal.authorize(prompt="none")).answer
    assert (answer["error"], answer["state"]) == ("login_required", "st-1")
    browser, _ = world.signed_in()
    assert (
        browser.get(world.portal.authorize(prompt="none", client_id="bank")).answer["error"] == "interaction_required"
    )


def test_a_client_that_asks_again_and_again_without_pages_ends_no_login_under_way(world: IdentityWorld) -> None:
    browser = world.browser()
    page = browser.get(world.portal.authorize())
    for _ in range(MOST_INTERACTIONS):
        world.clock.advance(timedelta(seconds=1))
        assert browser.get(world.portal.authorize(prompt="none")).answer["error"] == "login_required"
    assert browser.log_in(page).path == "/approve"


def test_the_session_changes_at_login_and_the_old_cookie_is_worth_nothing(world: IdentityWorld) -> None:
    browser = world.browser()
    login = browser.get(world.portal.authorize())
    before = dict(browser.http.cookies)
    approve = browser.log_in(login)
    assert dict(browser.http.cookies) != before
    thief = world.browser()
    thief.http.cookies.update(before)
    assert thief.get(f"/approve?interaction={approve.fields['interaction']}").response.status_code == 400


def test_a_new_login_ends_the_session_of_the_one_before(world: IdentityWorld) -> None:
    browser, _ = world.signed_in()
    before = dict(browser.http.cookies)
    assert browser.log_in(browser.get(world.portal.authorize(prompt="login")), LEVEL_ONE).path == "/approve"
    thief = world.browser()
    thief.http.cookies.update(before)
    assert thief.get("/account").path == "/login"


def test_what_ends_for_one_citizen_ends_for_nobody_else(world: IdentityWorld) -> None:
    other = world.browser()
    other.citizen = LEVEL_ONE
    page = other.submit(other.log_in(other.get(world.portal.authorize())), decision="approve")
    token = world.portal.exchange(page.answer["code"]).json()["access_token"]
    under_way = other.get(world.portal.authorize(client_id="bank"))

    browser, page = world.signed_in()
    for _ in range(2):
        world.portal.exchange(page.answer["code"])
    denied = browser.submit(browser.get(world.portal.authorize(client_id="bank")), decision="deny")
    assert denied.answer["error"] == "access_denied"
    assert browser.submit(browser.get("/account")).path == "/logged-out"
    world.store.lock_account(MAI, "lost her phone", world.clock.now())

    assert world.portal.get("/userinfo", Authorization=f"Bearer {token}").status_code == 200
    assert other.get("/account").path == "/account"
    assert "code" in other.submit(under_way, decision="approve").answer


def test_the_cookie_is_out_of_reach_for_scripts_other_sites_and_plain_http(world: IdentityWorld) -> None:
    response = world.browser().http.get(world.portal.authorize())
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie


def test_an_interaction_of_another_browser_or_none_at_all_is_refused(world: IdentityWorld) -> None:
    page = world.browser().get(world.portal.authorize())
    other = world.browser()
    other.get(world.portal.authorize())
    assert other.get(f"/login?interaction={page.fields['interaction']}").response.status_code == 400
    for made_up in ("made-up", "%00"):
        assert other.get(f"/login?interaction={made_up}").response.status_code == 400
    assert other.get("/approve").response.status_code == 400


def test_a_form_without_its_csrf_field_changes_nothing(world: IdentityWorld) -> None:
    browser = world.browser()
    page = browser.get(world.portal.authorize())
    for csrf in ("", "made-up"):
        assert browser.submit(page, csrf=csrf, personal_number=MAI, passcode="135790").response.status_code == 403
    approve = browser.log_in(page)
    assert approve.path == "/approve"
    assert browser.submit(approve, csrf=page.fields["csrf"], decision="approve").response.status_code == 403
    assert "code" in browser.submit(approve, decision="approve").answer


def test_a_form_that_cannot_be_read_is_answered_with_a_page(world: IdentityWorld) -> None:
    browser = world.browser()
    page = browser.get(world.portal.authorize())
    pasted = browser.submit(page, personal_number="0991\u00a09000\u00a00001", passcode="135790")
    assert pasted.response.status_code == 400
    assert "Không đọc được biểu mẫu vừa gửi." in pasted.response.text
    assert "send printable text" in pasted.response.text
    assert browser.log_in(page).path == "/approve"


def test_a_page_runs_no_script_and_its_form_leads_to_the_provider_and_to_its_client_alone(world: IdentityWorld) -> None:
    everywhere = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    browser = world.browser()
    login = browser.get(world.portal.authorize())
    for page in (login, browser.log_in(login)):
        assert page.response.headers["content-security-policy"] == f"{everywhere} https://localhost:9"
    assert browser.get("/account").response.headers["content-security-policy"] == everywhere


def test_no_step_can_be_left_out(world: IdentityWorld) -> None:
    browser = world.browser()
    login = browser.get(world.portal.authorize())
    login.action = "/approve"
    assert browser.submit(login, decision="approve").path == "/login"


def test_an_answer_that_is_neither_yes_nor_no_is_asked_again(world: IdentityWorld) -> None:
    browser = world.browser()
    page = browser.log_in(browser.get(world.portal.authorize()))
    assert browser.submit(page, decision="perhaps").response.status_code == 400
    assert "code" in browser.submit(page, decision="approve").answer


def test_an_interaction_ends_with_its_code(world: IdentityWorld) -> None:
    browser = world.browser()
    page = browser.log_in(browser.get(world.portal.authorize()))
    browser.submit(page, decision="approve")
    assert browser.submit(page, decision="approve").response.status_code == 400


def test_an_interaction_is_over_after_ten_minutes(world: IdentityWorld) -> None:
    slow, slower = world.browser(), world.browser()
    pages = [browser.get(world.portal.authorize()) for browser in (slow, slower)]
    world.clock.advance(timedelta(minutes=9))
    assert slow.log_in(pages[0]).path == "/approve"
    world.clock.advance(timedelta(minutes=1))
    assert slower.log_in(pages[1]).response.status_code == 400


def test_a_browser_has_only_so_many_logins_under_way_and_the_newest_stay(world: IdentityWorld) -> None:
    browser = world.browser()
    pages: list[Page] = []
    for _ in range(MOST_INTERACTIONS + 1):
        pages.append(browser.get(world.portal.authorize()))
        world.clock.advance(timedelta(seconds=1))
    for page, status in ((pages[0], 400), (pages[1], 200), (pages[-1], 200)):
        assert browser.get(f"/login?interaction={page.fields['interaction']}").response.status_code == status


def test_only_so_many_browsers_are_remembered_that_nobody_has_logged_in_with_and_the_newest_stay(
    world: IdentityWorld,
) -> None:
    logged_in, _ = world.signed_in()
    # Her session is over before theirs would be.
    world.clock.advance(timedelta(minutes=25))
    earlier = world.browser()
    begun = earlier.get(world.portal.authorize())
    later = int(world.clock.now().timestamp()) + int(INTERACTION_LIFETIME.total_seconds())
    with Session(world.server.engine) as session, session.begin():
        session.add_all(
            BrowserSession(session_digest=f"{number:064x}", csrf_token="made-up", expires_at=later + 1)
            for number in range(MOST_UNKNOWN_BROWSERS - 1)
        )
    assert earlier.get(f"/login?interaction={begun.fields['interaction']}").response.status_code == 200

    newest = world.browser()
    assert newest.log_in(newest.get(world.portal.authorize())).path == "/approve"
    assert earlier.log_in(begun).response.status_code == 400
    assert logged_in.get("/account").path == "/account"


def test_an_authorization_request_of_which_too_much_would_be_kept_is_sent_back(world: IdentityWorld) -> None:
    answer = world.browser().get(world.portal.authorize(nonce="n" * LARGEST_REQUEST)).answer
    assert (answer["error"], answer["state"]) == ("invalid_request", "st-1")
    assert f"{LARGEST_REQUEST} bytes" in answer["error_description"]


def test_an_unknown_number_and_a_wrong_passcode_get_the_same_answer(world: IdentityWorld) -> None:
    texts = set[str]()
    for number in (MAI, NOBODY):
        browser = world.browser()
        page = browser.log_in(browser.get(world.portal.authorize()), number, "000000")
        assert page.response.status_code == 403
        secrets = (number, page.fields["csrf"], page.fields["interaction"])
        text = page.response.text
        for secret in secrets:
            text = text.replace(secret, "")
        texts.add(text)
    assert len(texts) == 1


@pytest.mark.parametrize("number", [MAI, NOBODY])
def test_five_wrong_passcodes_in_a_row_lock_the_number_for_a_quarter_of_an_hour(
    world: IdentityWorld, number: str
) -> None:
    def attempt(passcode: str) -> int:
        browser = world.browser()
        return browser.log_in(browser.get(world.portal.authorize()), number, passcode).response.status_code

    assert [attempt("000000") for _ in range(5)] == [403] * 5
    assert attempt("135790") == 429
    world.clock.advance(timedelta(minutes=15) - timedelta(seconds=10))
    assert attempt("135790") == 429
    world.clock.advance(timedelta(seconds=10))
    assert attempt("135790") == (200 if number == MAI else 403)


def test_a_login_starts_the_count_of_wrong_passcodes_anew(world: IdentityWorld) -> None:
    browser = world.browser()
    for _ in range(2):
        page = browser.get(world.portal.authorize(prompt="login"))
        for _ in range(MAX_FAILURES - 1):
            page = browser.log_in(page, passcode="000000")
        assert browser.log_in(page).path == "/approve"


def test_who_logs_in_neither_shares_nor_forgives_the_wrong_passcodes_of_others(world: IdentityWorld) -> None:
    def attempt(number: str, passcode: str) -> int:
        browser = world.browser()
        return browser.log_in(browser.get(world.portal.authorize()), number, passcode).response.status_code

    assert [attempt(MAI, "000000") for _ in range(4)] == [403] * 4
    assert attempt(LEVEL_ONE, "000000") == 403
    assert attempt(MAI, "000000") == 403
    assert attempt(LEVEL_ONE, "135790") == 200
    assert attempt(MAI, "135790") == 429


@pytest.mark.parametrize(("number", "why"), [(LOCKED, "is locked"), (INACTIVE, "has not been activated")])
def test_an_account_that_is_not_active_cannot_log_in(world: IdentityWorld, number: str, why: str) -> None:
    browser = world.browser()
    login = browser.get(world.portal.authorize())
    page = browser.log_in(login, number)
    assert page.response.status_code == 403
    assert why in page.response.text
    page = browser.log_in(login, number, "000000")
    assert why not in page.response.text


def test_a_number_is_taken_with_the_spaces_that_people_read_it_with(world: IdentityWorld) -> None:
    browser = world.browser()
    spaced = f"{MAI[:3]} {MAI[3:6]} {MAI[6:9]} {MAI[9:]}"
    assert browser.log_in(browser.get(world.portal.authorize()), spaced).path == "/approve"


def test_what_somebody_typed_is_shown_as_text(world: IdentityWorld) -> None:
    browser = world.browser()
    text = browser.log_in(browser.get(world.portal.authorize()), '"><i>0991</i>').response.text
    assert "<i>" not in text
    assert 'value="&#34;&gt;&lt;i&gt;0991&lt;/i&gt;"' in text


@pytest.mark.parametrize("number", ["", "12345", "٠٩٩١٩٠٠٠٠٠٠١", "0991900000011", "' OR 1=1 --"])
def test_a_malformed_number_is_just_wrong(world: IdentityWorld, number: str) -> None:
    browser = world.browser()
    page = browser.log_in(browser.get(world.portal.authorize()), number)
    assert (page.path, page.response.status_code) == ("/login", 403)
