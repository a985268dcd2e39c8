"""An identity provider whose keys cannot be had: callers are told so, in time, and served as soon as they can be."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing
from pathlib import Path

import grpc
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse

from lienthong.api.exchange.v1.catalogue_pb2 import ListSystemsRequest
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.client import CallContext
from lienthong_core.certificates import Authority
from lienthong_core.database import sqlite_url
from lienthong_core.errors import Refusal
from lienthong_core.metadata import CallHeaders
from lienthong_core.ports import reserved_port
from lienthong_core.signing import SigningKey
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.exchange import Caller
from lienthong_gateway.issuer_keys import JwksKeys
from lienthong_gateway.steps.authenticate import Authenticator
from lienthong_seeds import members
from tests.support.doubles import KeySetDouble
from tests.support.gateway_world import (
    AUDIENCE,
    HOST,
    ISSUER,
    PURPOSE,
    TIMEOUT_S,
    GatewayWorld,
    gateway_world,
    refusal_of,
)
from tests.support.waiting import wait_until

REASON = "IDENTITY_PROVIDER_UNAVAILABLE"
IN_TIME_S = 8.0
"""The gateway waits three seconds for the keys; twice that, and some, is in time on a busy machine."""


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "gateway.sqlite")


@pytest.fixture
def world(database_url: str) -> Iterator[GatewayWorld]:
    with gateway_world(database_url) as world:
        yield world


def has_consented(world: GatewayWorld) -> bool:
    """Return whether she could consent: that rests on the keys as well."""
    try:
        world.consent()
    except grpc.RpcError:
        return False
    return True


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("not yet", 503),
        PlainTextResponse("<html>"),
        JSONResponse([]),
        JSONResponse({}),
        JSONResponse({"keys": []}),
        JSONResponse({"keys": 7}),
        JSONResponse({"keys": ["key"]}),
        JSONResponse({"keys": [{"kty": "unheard-of"}]}),
        JSONResponse({"keys": [SigningKey.create().jwk]}, 503),
    ],
    ids=["error", "page", "list", "no set", "empty set", "number", "texts", "unknown kind of key", "set in an error"],
)
def test_a_provider_that_answers_no_keys_is_unavailable_until_it_does(world: GatewayWorld, answer: Response) -> None:
    context = CallContext(PURPOSE, world.token())
    world.key_set.answer = answer
    why = refusal_of(lambda: world.get_citizen(context))
    world.key_set.answer = None

    assert (why.status, why.reason) == (grpc.StatusCode.UNAVAILABLE, REASON)
    wait_until(lambda: has_consented(world))
    world.get_citizen(context)


def test_a_provider_that_is_down_is_unavailable_until_it_is_back(database_url: str) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port(HOST))
        world = stack.enter_context(gateway_world(database_url, jwks_url=f"https://{HOST}:{port}/jwks.json"))
        context = CallContext(PURPOSE, world.token())
        why = refusal_of(lambda: world.get_citizen(context))

        server = world.key_set.server(HOST, port, world.authority.issue(members.IDENTITY))
        stack.callback(server.stop)
        server.start()

        assert (why.status, why.reason) == (grpc.StatusCode.UNAVAILABLE, REASON)
        wait_until(lambda: has_consented(world))
        world.get_citizen(context)


@pytest.mark.parametrize("who", ["of another authority", "of another host"])
def test_keys_are_taken_from_nobody_but_the_server_that_the_authority_vouches_for(who: str) -> None:
    authority = Authority.create()
    identity = (
        Authority.create().issue(members.IDENTITY)
        if who == "of another authority"
        else authority.issue(members.IDENTITY, ["identity.test"])
    )
    key = SigningKey.create()
    with reserved_port(HOST) as port:
        server = KeySetDouble([key]).server(HOST, port, identity)
        server.start()

        try:
            url = f"https://{HOST}:{port}/jwks.json"
            assert asyncio.run(refused_at(url, authority, key)) == REASON
        finally:
            server.stop()


def test_keys_are_taken_from_nowhere_that_the_provider_sends_to(world: GatewayWorld) -> None:
    key = SigningKey.create()
    with reserved_port(HOST) as port:
        elsewhere = KeySetDouble([key])
        server = elsewhere.server(HOST, port, world.authority.issue(members.BANK))
        server.start()
        world.key_set.answer = RedirectResponse(f"https://{HOST}:{port}/jwks.json")

        try:
            assert asyncio.run(refused_at(world.config.jwks_url, world.authority, key)) == REASON
        finally:
            server.stop()
    assert elsewhere.asked == 0


def test_keys_are_fetched_from_the_provider_itself_whatever_proxy_the_machine_has(
    world: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reserved_port(HOST) as nobody:
        for name in ("HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{HOST}:{nobody}")
        monkeypatch.setenv("NO_PROXY", "")

        async def found() -> bool:
            async with aclosing(JwksKeys(world.config.jwks_url, world.authority.certificate)) as keys:
                return await keys.find(world.key_set.keys[0].key_id) is not None

        assert asyncio.run(found())


def test_a_provider_whose_keys_come_in_drips_is_not_waited_for_to_the_end(world: GatewayWorld) -> None:
    async def drips() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.1)

    context = CallContext(PURPOSE, world.token())
    world.key_set.answer = StreamingResponse(drips())
    began = time.monotonic()

    assert refusal_of(lambda: world.get_citizen(context)).reason == REASON
    assert time.monotonic() - began < IN_TIME_S


def test_a_provider_that_never_answers_holds_no_caller_longer_than_its_deadline(database_url: str) -> None:
    with socket.create_server((HOST, 0)) as silent, ThreadPoolExecutor(12) as pool:
        url = f"https://{HOST}:{silent.getsockname()[1]}/jwks.json"
        with gateway_world(database_url, jwks_url=url) as world:
            context = CallContext(PURPOSE, world.token())
            began = time.monotonic()

            calls = [pool.submit(refusal_of, lambda: world.get_citizen(context)) for _ in range(12)]

            assert {call.result().reason for call in calls} == {REASON}
            assert time.monotonic() - began < IN_TIME_S


def test_a_provider_that_never_answers_holds_up_nobody_who_needs_no_token(database_url: str) -> None:
    limits = Limits(calls_at_once=1, calls_in_line=1)
    with socket.create_server((HOST, 0)) as silent, ThreadPoolExecutor(1) as pool:
        url = f"https://{HOST}:{silent.getsockname()[1]}/jwks.json"
        with gateway_world(database_url, jwks_url=url, limits=limits) as world:
            catalogue = CatalogueServiceStub(world.channel(members.BANK))
            catalogue.ListSystems(ListSystemsRequest(), timeout=TIMEOUT_S)
            context = CallContext(PURPOSE, world.token())
            waiting = pool.submit(refusal_of, lambda: world.get_citizen(context))
            with silent.accept()[0]:
                for _ in range(3):
                    catalogue.ListSystems(ListSystemsRequest(), timeout=TIMEOUT_S)

                assert not waiting.done()
                assert waiting.result().reason == REASON


def test_a_provider_that_gave_no_keys_is_not_asked_again_at_once(world: GatewayWorld) -> None:
    world.key_set.answer = PlainTextResponse("not now", 503)

    async def asked_for(retry_after_s: float) -> int:
        asked = world.key_set.asked
        async with aclosing(
            JwksKeys(world.config.jwks_url, world.authority.certificate, retry_after_s=retry_after_s)
        ) as keys:
            for _ in range(5):
                assert await refused(keys.find("unknown")) == REASON
        return world.key_set.asked - asked

    assert asyncio.run(asked_for(retry_after_s=3_600)) == 1
    assert asyncio.run(asked_for(retry_after_s=0)) == 5


def test_a_key_that_the_provider_has_withdrawn_is_believed_no_more() -> None:
    authority, withdrawn, kept = Authority.create(), SigningKey.create(), SigningKey.create()
    key_set = KeySetDouble([withdrawn, kept])
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port(HOST))
        server = key_set.server(HOST, port, authority.issue(members.IDENTITY))
        stack.callback(server.stop)
        server.start()

        async def believed_until_withdrawn() -> None:
            async with aclosing(
                JwksKeys(f"https://{HOST}:{port}/jwks.json", authority.certificate, fresh_for_s=0)
            ) as keys:
                assert await keys.find(withdrawn.key_id) is not None
                key_set.keys.remove(withdrawn)
                async with asyncio.timeout(TIMEOUT_S):
                    while await keys.find(withdrawn.key_id) is not None:  # noqa: ASYNC110 (nobody says that it is)
                        await asyncio.sleep(0)
                assert await keys.find(kept.key_id) is not None

        asyncio.run(believed_until_withdrawn())


def test_whoever_gives_up_waiting_for_the_keys_takes_them_from_nobody_else(world: GatewayWorld) -> None:
    async def found_by_the_other() -> bool:
        async with aclosing(JwksKeys(world.config.jwks_url, world.authority.certificate)) as keys:
            gives_up, waits = (asyncio.create_task(keys.find(world.key_set.keys[0].key_id)) for _ in range(2))
            await asyncio.sleep(0)
            gives_up.cancel()
            return await waits is not None

    assert asyncio.run(found_by_the_other())


def test_keys_that_are_old_are_asked_for_no_more_often_while_the_provider_gives_none(world: GatewayWorld) -> None:
    fresh_for_s = 0.2

    async def three_times_after_s() -> float:
        key_id = world.key_set.keys[0].key_id
        async with aclosing(
            JwksKeys(world.config.jwks_url, world.authority.certificate, fresh_for_s=fresh_for_s)
        ) as keys:
            assert await keys.find(key_id) is not None
            world.key_set.answer = PlainTextResponse("not now", 503)
            asked, began = world.key_set.asked, time.monotonic()
            async with asyncio.timeout(TIMEOUT_S):
                while world.key_set.asked < asked + 3:
                    assert await keys.find(key_id) is not None
                    await asyncio.sleep(0)
            return time.monotonic() - began

    assert asyncio.run(three_times_after_s()) > 2 * fresh_for_s


def authenticator_and_keys(world: GatewayWorld) -> tuple[Authenticator, JwksKeys]:
    """Return an authenticator with keys that are fetched anew at every call; for one event loop."""
    keys = JwksKeys(world.config.jwks_url, world.authority.certificate, fresh_for_s=0)
    return Authenticator(ISSUER, AUDIENCE, keys, world.clock), keys


async def refused_at(url: str, authority: Authority, key: SigningKey) -> str | None:
    """Return why a key is not had from a provider, or None if it is."""
    async with aclosing(JwksKeys(url, authority.certificate)) as keys:
        return await refused(keys.find(key.key_id))


async def refused(answer: Awaitable[object]) -> str | None:
    """Return why something is refused, or None if it is not."""
    try:
        await answer
    except Refusal as refusal:
        return refusal.reason
    return None


def bearer(token: str) -> CallHeaders:
    return CallHeaders([("authorization", f"Bearer {token}")])


def test_a_token_that_was_believed_is_refused_once_its_key_is_withdrawn(world: GatewayWorld) -> None:
    caller = Caller(members.PORTAL, world.identity(members.PORTAL).thumbprint, "")
    withdrawn, kept = world.key_set.keys[0], SigningKey.create()
    of_withdrawn, of_kept = (
        bearer(key.sign(world.claims(members.PORTAL), token_type="at+jwt")) for key in (withdrawn, kept)
    )

    async def believed_until_withdrawn() -> None:
        authenticator, keys = authenticator_and_keys(world)
        async with aclosing(keys):
            world.key_set.keys.append(kept)
            assert await authenticator.authenticate(caller, of_withdrawn)
            assert await authenticator.authenticate(caller, of_kept)
            world.key_set.keys.remove(withdrawn)
            async with asyncio.timeout(TIMEOUT_S):
                while (why := await refused(authenticator.authenticate(caller, of_withdrawn))) is None:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            assert why == "TOKEN_SIGNATURE_INVALID"
            assert await authenticator.authenticate(caller, of_kept)

    asyncio.run(believed_until_withdrawn())


def test_a_token_that_was_believed_is_believed_while_the_provider_gives_no_keys(world: GatewayWorld) -> None:
    caller = Caller(members.PORTAL, world.identity(members.PORTAL).thumbprint, "")
    token = bearer(world.token())

    async def believed_throughout() -> None:
        authenticator, keys = authenticator_and_keys(world)
        async with aclosing(keys):
            assert await authenticator.authenticate(caller, token)
            world.key_set.answer = PlainTextResponse("not now", 503)
            asked = world.key_set.asked
            async with asyncio.timeout(TIMEOUT_S):
                while world.key_set.asked < asked + 3:
                    assert await authenticator.authenticate(caller, token)
                    await asyncio.sleep(0)

    asyncio.run(believed_throughout())
