"""The identity provider's own decisions."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong_services.identity.rules import (
    Step,
    check_passcode,
    check_verifier,
    decoy_passcode_hash,
    hash_passcode,
    login_too_old,
    next_step,
    period_text,
    pkce_challenge,
)

# The form takes no control characters; to scrypt, as to any HMAC, zeros at a passcode's end are nothing.
PASSCODES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)


@settings(max_examples=20)
@given(passcode=PASSCODES, other=PASSCODES, salt=st.binary(min_size=8, max_size=32))
def test_a_passcode_checks_against_its_own_hash_alone(passcode: str, other: str, salt: bytes) -> None:
    stored = hash_passcode(passcode, salt)
    assert check_passcode(passcode, stored)
    assert check_passcode(other, stored) == (other == passcode)


def test_a_stored_passcode_says_how_it_was_made() -> None:
    scheme, n, r, p, salt, digest = hash_passcode("135790", b"salt").split("$")
    assert (scheme, n, r, p) == ("scrypt", "4096", "8", "1")
    assert base64.b64decode(salt) == b"salt"
    assert len(base64.b64decode(digest)) == 32


def test_no_passcode_fits_the_decoy_and_it_costs_the_same() -> None:
    assert not check_passcode("135790", decoy_passcode_hash())
    assert decoy_passcode_hash().split("$")[:4] == hash_passcode("135790", b"salt").split("$")[:4]


def test_a_hash_of_another_kind_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="scrypt"):
        check_passcode("135790", "md5$1$1$1$c2FsdA==$aGFzaA==")


def test_the_challenge_is_the_one_of_the_standard() -> None:
    # RFC 7636 appendix B.
    verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert pkce_challenge(verifier) == challenge
    assert check_verifier(verifier, challenge)


@given(st.text(max_size=42))
def test_a_verifier_that_is_too_short_is_never_taken(verifier: str) -> None:
    assert not check_verifier(verifier, pkce_challenge(verifier))


@pytest.mark.parametrize("verifier", ["v" * 129, "v" * 42 + "+", "v" * 42 + "é", "v" * 43 + "\n"])
def test_a_verifier_of_another_form_is_never_taken(verifier: str) -> None:
    assert not check_verifier(verifier, pkce_challenge(verifier))


@pytest.mark.parametrize(
    ("logged_in", "approved", "consent_open", "step"),
    [
        (False, False, False, Step.LOGIN),
        (False, True, True, Step.LOGIN),
        (True, False, True, Step.APPROVE),
        (True, True, True, Step.CONSENT),
        (True, True, False, Step.DONE),
    ],
)
def test_the_steps_come_in_one_order(*, logged_in: bool, approved: bool, consent_open: bool, step: Step) -> None:
    assert next_step(logged_in=logged_in, approved=approved, consent_open=consent_open) is step


def test_a_login_is_too_old_once_it_has_reached_the_age() -> None:
    assert not login_too_old(auth_time=100, max_age=None, now=10_000)
    assert not login_too_old(auth_time=100, max_age=60, now=159)
    assert login_too_old(auth_time=100, max_age=60, now=160)
    assert login_too_old(auth_time=100, max_age=0, now=100)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (86_400, ("1 ngày", "1 day")),
        (30 * 86_400, ("30 ngày", "30 days")),
        (3_600, ("1 giờ", "1 hour")),
        (5_400, ("90 phút", "90 minutes")),
        (61, ("61 giây", "61 seconds")),
    ],
)
def test_a_period_is_said_in_the_largest_whole_unit(seconds: int, text: tuple[str, str]) -> None:
    assert period_text(seconds) == text
