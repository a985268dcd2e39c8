"""The identity provider's public keys, fetched when needed and kept."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, cast

import httpx2
import jwt

from lienthong_core.errors import unavailable

_STEP_TIMEOUT_S = 2.0
_WHOLE_TIMEOUT_S = 3.0
# A token that names an unknown key makes the gateway ask; a stream of such tokens does not make it ask each time.
_REFETCH_AFTER_S = 5.0
_RETRY_AFTER_S = 1.0
"""How long a provider that gave no keys is not asked again; calls that need them are refused at once meanwhile."""
_FRESH_FOR_S = 300.0
"""How old the keys may be before the next call has them fetched anew: until they are, one that was withdrawn is
believed. A provider that cannot be reached withdraws none."""

_log = logging.getLogger(__name__)


class IssuerKeys(Protocol):
    """Where the identity provider's public keys come from."""

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key with that id, or None if the provider has none; refused: IDENTITY_PROVIDER_UNAVAILABLE."""
        ...


class JwksKeys:
    """Keys of one JWK set, by key id."""

    def __init__(
        self,
        url: str,
        authority: bytes,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
        fresh_for_s: float = _FRESH_FOR_S,
        retry_after_s: float = _RETRY_AFTER_S,
    ) -> None:
        """`url` is the JWK set's; `authority` (PEM) is who must vouch for its server.

        `waiting` is entered while a call waits for the keys. Keys older than `fresh_for_s` are fetched anew; nobody
        waits for that. A fetch that failed is not tried again for `retry_after_s`.
        """
        self._url = url
        self._waiting = waiting
        self._fresh_for_s = fresh_for_s
        self._retry_after_s = retry_after_s
        self._client = httpx2.AsyncClient(
            verify=ssl.create_default_context(cadata=authority.decode()), timeout=_STEP_TIMEOUT_S, trust_env=False
        )
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")
        self._renewed_at = float("-inf")
        self._fetching: asyncio.Task[bool] | None = None

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key with that id, or None if the set has none; refused: IDENTITY_PROVIDER_UNAVAILABLE."""
        if key_id not in self._keys and not await self._refreshed():
            message = "The identity provider's keys cannot be had, so nothing that it signed can be checked; try again."
            raise unavailable("IDENTITY_PROVIDER_UNAVAILABLE", message)
        self._renew()
        return self._keys.get(key_id)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self._client.aclose()

    async def _refreshed(self) -> bool:
        """Return whether the keys are fresh, fetching them if not; whoever asks meanwhile waits for the same fetch."""
        if self._fetching is None or self._fetching.done():
            now = asyncio.get_running_loop().time()
            if now - self._fetched_at < _REFETCH_AFTER_S:
                return True
            if now - self._failed_at < self._retry_after_s:
                return False
            self._fetching = asyncio.create_task(self._fetch())
        with self._waiting():
            return await asyncio.shield(self._fetching)

    def _renew(self) -> None:
        """Begin to fetch the keys if they are old; a provider that cannot be reached is not asked more often for it."""
        now = asyncio.get_running_loop().time()
        old = now - max(self._fetched_at, self._renewed_at) > self._fresh_for_s
        if old and (self._fetching is None or self._fetching.done()):
            self._renewed_at = now
            self._fetching = asyncio.create_task(self._fetch())

    async def _fetch(self) -> bool:
        try:
            # The client's own timeout is for each step; a server that drips would hold every call that waits for this.
            async with asyncio.timeout(_WHOLE_TIMEOUT_S):
                response = await self._client.get(self._url)
            keys = _read(response.raise_for_status().json())
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            _log.warning("the identity provider's keys were not had", extra={"error": type(error).__name__})
            self._failed_at = asyncio.get_running_loop().time()
            return False
        self._keys = keys
        self._fetched_at = asyncio.get_running_loop().time()
        return True


def _read(document: object) -> dict[str, jwt.PyJWK]:
    """Return the keys of a JWK set by key id; raises ValueError if it is none, or holds no key that can be used."""
    try:
        keys = jwt.PyJWKSet.from_dict(cast("dict[str, Any]", document)).keys
    except (jwt.PyJWTError, AttributeError, TypeError) as error:
        raise ValueError("this is no JWK set") from error
    return {key.key_id: key for key in keys if key.key_id}
