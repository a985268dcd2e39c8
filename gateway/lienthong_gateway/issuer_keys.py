"""The identity provider's public keys, fetched when needed and kept."""

import asyncio
import ssl

import httpx2
import jwt

from lienthong_core.errors import unauthenticated, unavailable

_TIMEOUT_S = 3.0
# A token that names an unknown key makes the gateway ask; a stream of such tokens does not make it ask each time.
_REFETCH_AFTER_S = 5.0


class JwksKeys:
    """Keys of one JWK set, by key id."""

    def __init__(self, url: str, authority: bytes) -> None:
        """`url` is the JWK set's; `authority` (PEM) is who must vouch for its server."""
        self._url = url
        self._client = httpx2.AsyncClient(
            verify=ssl.create_default_context(cadata=authority.decode()), timeout=_TIMEOUT_S, trust_env=False
        )
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK:
        """Return the key with that id.

        Refused: TOKEN_SIGNATURE_INVALID if the set has no such key, IDENTITY_PROVIDER_UNAVAILABLE if it cannot be had.
        """
        if key_id not in self._keys:
            async with self._fetching:
                if key_id not in self._keys:
                    await self._fetch()
        try:
            return self._keys[key_id]
        except KeyError:
            message = "The access token is signed with a key that is not the identity provider's."
            raise unauthenticated("TOKEN_SIGNATURE_INVALID", message) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _fetch(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._fetched_at < _REFETCH_AFTER_S:
            return
        try:
            # The client's own timeout is per read; a server that drips would hold every call behind this lock.
            async with asyncio.timeout(_TIMEOUT_S):
                response = await self._client.get(self._url)
            keys = jwt.PyJWKSet.from_dict(response.raise_for_status().json()).keys
        except (httpx2.HTTPError, TimeoutError, ValueError, jwt.PyJWTError) as error:
            message = "The identity provider's keys cannot be had, so no access token can be checked; try again."
            raise unavailable("IDENTITY_PROVIDER_UNAVAILABLE", message) from error
        self._keys = {key.key_id: key for key in keys if key.key_id}
        self._fetched_at = now
