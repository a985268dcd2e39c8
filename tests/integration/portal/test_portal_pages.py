"""What all of the portal's pages are like, and what is answered where there is none."""

import pytest

from tests.support.citizens import MAI
from tests.support.databases import file_away
from tests.support.portal_world import PortalWorld, assert_refused

UNAUTHENTICATED, DENIED, UNAVAILABLE = 401, 403, 503


def test_every_page_says_that_it_is_a_simulation_and_speaks_both_languages(world: PortalWorld) -> None:
    browser = world.browser()
    for page in (browser.get("/"), browser.get("/login"), browser.get("/oidc/callback")):
        assert "SIMULATION" in page.text
        assert "Đăng nhập" in page.text or "Đã đăng nhập" in page.text
        assert "og in" in page.text or "ogged in" in page.text
        assert "no-store" in page.headers["cache-control"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/logged-out/", "/static"])
def test_no_header_says_where_a_path_with_another_slash_leads(world: PortalWorld, path: str) -> None:
    answer = world.browser().get(path, headers={"Host": "attacker.example"}, follow_redirects=False)
    assert_refused(answer, 404, "PAGE_UNKNOWN")
    assert "location" not in answer.headers


def test_a_path_that_takes_another_method_says_which(world: PortalWorld) -> None:
    answer = world.browser().get("/logout")
    assert_refused(answer, 405, "PAGE_UNKNOWN")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/logout", "/login", "/nothing"])
def test_a_request_larger_than_any_form_is_refused_on_a_page_and_does_nothing(world: PortalWorld, path: str) -> None:
    browser = world.logged_in().browser
    large = browser.post(path, content=bytes(40 << 10))
    assert_refused(large, 413, "MESSAGE_TOO_LARGE")
    assert "larger than 32768 bytes" in large.text
    assert "SIMULATION" in large.text
    assert "Nguyễn Thị Lan" in browser.get("/").text


def test_what_is_english_on_a_page_is_marked_for_who_has_it_read_aloud(world: PortalWorld) -> None:
    browser = world.browser()
    for path, english in (("/", "Log in"), ("/nothing", "There is no such page"), ("/logged-out", "Log in")):
        page = browser.get(path).text
        assert '<html lang="vi">' in page
        for said in (english, "Every person here is synthetic"):
            before = page[: page.index(said)]
            assert before.rindex('<span lang="en">') > before.rindex("</")


def test_an_address_without_a_page_gets_a_page_that_says_so(world: PortalWorld) -> None:
    browser = world.browser()
    assert_refused(browser.get("/nowhere"), 404, "PAGE_UNKNOWN")
    assert_refused(browser.post("/login"), 405, "PAGE_UNKNOWN")


def test_pages_take_their_style_from_the_portal_itself_and_run_nothing(world: PortalWorld) -> None:
    browser = world.browser()
    policy = browser.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "font" in browser.get("/static/style.css").text


def test_the_page_that_she_arrives_at_can_be_loaded_again_and_its_address_holds_no_code(world: PortalWorld) -> None:
    lan = world.logged_in()
    for start, shown in (("/login", "Đã đăng nhập"), (lan.start().consent_url, "Đã ghi nhận sự đồng ý")):
        page = lan.browser.get(start)
        again = lan.browser.get(page.url)
        assert (page.url.query, shown in page.text) == (b"", True)
        assert (again.status_code, again.text) == (200, page.text)


def test_nobody_is_shown_to_have_arrived_who_has_not(world: PortalWorld) -> None:
    lan, page = world.logged_in(), "/dossiers/{}/arrived"
    dossier = lan.start().dossier.dossier_id
    assert_refused(world.browser().get("/arrived"), UNAUTHENTICATED, "SESSION_INVALID")
    for somebody, of in ((lan, dossier), (lan, "another"), (world.logged_in(MAI), dossier)):
        assert_refused(somebody.browser.get(page.format(of)), DENIED, "CONSENT_DENIED")


def test_a_database_that_is_away_is_told_on_the_page_and_back_again_all_goes_on(world: PortalWorld) -> None:
    browser = world.browser()
    with file_away(world.portal.engine):
        assert_refused(browser.get("/login", follow_redirects=False), UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert browser.get("/login").status_code == 200
