"""Reading authorization requests, and addresses that answers go to."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.systems import SystemId
from lienthong_services.identity.authorization import (
    AuthorizationRequest,
    ReturnAddress,
    answer_url,
    read_request,
    read_return_address,
)
from lienthong_services.identity.clients import make_client
from lienthong_services.identity.errors import OAuthError, PageError

PORTAL = SystemId.parse("VN-SANDBOX/GOV/G02/portal")
CALLBACK = "https://localhost:9/callback?from=identity"
CLIENT = make_client(
    "portal", str(PORTAL), ("Cổng", "Portal"), "secret", "thumbprint", [CALLBACK, "http://localhost/app"]
)
TO = ReturnAddress(CLIENT, CALLBACK, "st-1")
NAMES = st.sampled_from(
    [
        *("response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age"),
        *("acr_values", "authorization_details", "request", "response_mode"),
    ]
)
VALUES = st.text() | st.sampled_from(["code", "openid", "S256", "A" * 43, "login", "10", "[]", '[{"type":1}]'])


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_whatever_is_sent_is_read_or_refused_in_words_that_oauth_allows(pairs: list[tuple[str, str]]) -> None:
    said = "read"
    try:
        read_request(pairs, TO)
    except OAuthError as refusal:
        said = refusal.description
    assert said.isascii()
    assert said.isprintable()
    assert not set(said) & set('"\\')


@given(st.lists(st.tuples(st.sampled_from(["client_id", "redirect_uri", "state"]), st.text())))
def test_no_answer_goes_to_an_address_that_is_not_registered(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(PageError):
        read_return_address(pairs, {"portal": CLIENT}.get)


def test_a_request_that_was_read_survives_being_stored() -> None:
    pairs = {
        "response_type": "code",
        "scope": "openid",
        "code_challenge": "A" * 43,
        "code_challenge_method": "S256",
        "max_age": "10",
        "authorization_details": '[{"type": "lienthong_consent", '
        '"consent_request_id": "6A1F0F7E-6F0B-4F0E-9C53-0D6C6A3B5D11"}]',
    }
    request = read_request(pairs.items(), TO)
    assert request.consent_request_id == "6a1f0f7e-6f0b-4f0e-9c53-0d6c6a3b5d11"
    assert AuthorizationRequest.from_json(request.to_json()) == request


@given(state=st.none() | st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_an_answer_carries_the_state_as_it_was_and_keeps_the_address(state: str | None) -> None:
    address = answer_url(CALLBACK, state, "https://localhost:8", code="c")
    assert address.startswith(CALLBACK + "&")
    found = parse_qs(urlsplit(address).query, keep_blank_values=True)
    assert found.pop("state", [None]) == [state]
    assert found == {"from": ["identity"], "code": ["c"], "iss": ["https://localhost:8"]}


@pytest.mark.parametrize(
    "address",
    ["", "/callback", "http://portal.test/callback", "https://a.test/#f", "https:///x", "javascript:alert(1)",
     "https://a.test/a b", "https://bé.test/"],
)  # fmt: skip
def test_an_address_that_no_answer_may_go_to_is_not_registered(address: str) -> None:
    with pytest.raises(ValueError, match="redirect URI"):
        make_client("portal", str(PORTAL), ("Cổng", "Portal"), "secret", "thumbprint", [address])
