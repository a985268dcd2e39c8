"""Which access tokens are believed, to the second and to the byte, and how long one that was is remembered."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from lienthong_core.errors import Refusal
from lienthong_core.metadata import CallHeaders
from lienthong_core.signing import SigningKey
from lienthong_gateway.exchange import Caller, TokenHolder
from lienthong_gateway.steps.authenticate import Authenticator
from lienthong_seeds import members

ISSUER, AUDIENCE = "https://identity.test", members.GATEWAY.spiffe_id
ISSUED = datetime(2026, 11, 30, 8, tzinfo=UTC)
OVER = ISSUED + timedelta(minutes=15)
A_MOMENT = timedelta(milliseconds=1)
KEY = SigningKey.create()
CALLER = Caller(members.PORTAL, "thumbprint", "")
MORE_THAN_REMEMBERED = 5_000


@dataclass
class TheTime:
    """A clock that stands still."""

    at: datetime = ISSUED

    def now(self) -> datetime:
        return self.at


class OneKey:
    """The keys of a provider that has one."""

    def __init__(self) -> None:
        self._key = jwt.PyJWK(KEY.jwk)

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        return self._key if key_id == KEY.key_id else None


def authenticator(clock: TheTime | None = None) -> Authenticator:
    return Authenticator(ISSUER, AUDIENCE, OneKey(), clock or TheTime())


def token(kind: str = "at+jwt", number: int = 0, **more: object) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "lan",
        "exp": int(OVER.timestamp()),
        "iat": int(ISSUED.timestamp()),
        "jti": str(number),
        "client_id": "portal",
        "cnf": {"x5t#S256": CALLER.thumbprint},
        "personal_number": "099190000001",
        "account_level": 2,
        **more,
    }
    return KEY.sign(claims, token_type=kind)


def bearer(text: str) -> CallHeaders:
    return CallHeaders([("authorization", f"Bearer {text}")])


def believed(by: Authenticator, text: str) -> TokenHolder | str:
    """Return whom a token stands for, or why it is refused."""
    try:
        holder = asyncio.run(by.authenticate(CALLER, bearer(text)))
    except Refusal as refusal:
        return refusal.reason
    assert holder is not None
    return holder


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_an_access_token_says_that_it_is_one_in_either_form_and_any_case(kind: str) -> None:
    assert isinstance(believed(authenticator(), token(kind)), TokenHolder)


@pytest.mark.parametrize("kind", ["", "JWT", "logout+jwt"])
def test_what_does_not_say_that_it_is_an_access_token_is_none(kind: str) -> None:
    assert believed(authenticator(), token(kind)) == "TOKEN_MALFORMED"


def test_a_token_holds_from_a_second_before_it_was_issued_until_it_is_over() -> None:
    clock, text = TheTime(), token()
    by = authenticator(clock)
    second = timedelta(seconds=1)

    for at in (ISSUED - second, ISSUED, OVER - A_MOMENT):
        clock.at = at
        assert isinstance(believed(by, text), TokenHolder)
    for at in (ISSUED - second - A_MOMENT, OVER):
        clock.at = at
        assert believed(by, text) == "TOKEN_EXPIRED"


def test_a_token_has_the_scopes_that_spaces_set_apart_and_none_if_it_names_none() -> None:
    assert believed(authenticator(), token()) == TokenHolder("099190000001", 2, frozenset())
    some = believed(authenticator(), token(scope="openid,rights profile"))
    assert some == TokenHolder("099190000001", 2, frozenset({"openid,rights", "profile"}))


@pytest.mark.parametrize("value", ["DPoP {}", "Basic {}", "{}", " {}", " "])
def test_a_token_under_another_scheme_is_none(value: str) -> None:
    headers = CallHeaders([("authorization", value.format(token()))])

    with pytest.raises(Refusal, match="TOKEN_MALFORMED"):
        asyncio.run(authenticator().authenticate(CALLER, headers))


@pytest.mark.parametrize("bound_to", ["", "thumb", "thumbprints", "Thumbprint"])
def test_a_token_is_for_the_whole_thumbprint_of_its_certificate(bound_to: str) -> None:
    assert believed(authenticator(), token(cnf={"x5t#S256": bound_to})) == "TOKEN_NOT_YOURS"


def changed(text: str) -> Iterator[str]:
    """Give a token with another header, without its signature, and with that of another token."""
    header, claims, signature = text.split(".")
    yield f"{token('application/at+jwt').split('.')[0]}.{claims}.{signature}"
    yield f"{header}.{claims}."
    yield f"{header}.{claims}.{token(number=1).split('.')[2]}"


def test_that_a_token_was_believed_speaks_for_no_other_that_has_a_part_of_it() -> None:
    by, text = authenticator(), token()
    assert isinstance(believed(by, text), TokenHolder)

    assert [believed(by, other) for other in changed(text)] == ["TOKEN_SIGNATURE_INVALID"] * 3


def test_of_more_tokens_than_are_remembered_the_oldest_are_forgotten() -> None:
    by = authenticator()
    texts = [token(number=number) for number in range(MORE_THAN_REMEMBERED)]

    async def holders() -> list[TokenHolder | None]:
        return [await by.authenticate(CALLER, bearer(text)) for text in texts]

    oldest, *_, newest = asyncio.run(holders())

    # What is remembered is not read again.
    assert believed(by, texts[-1]) is newest
    again = believed(by, texts[0])
    assert again == oldest
    assert again is not oldest
