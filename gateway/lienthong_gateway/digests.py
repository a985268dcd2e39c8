"""What the log and the caller are told of a request and its answer instead of their bytes."""

import hashlib
import hmac
import secrets
from functools import cached_property

_KEY_BYTES = 16


class Digests:
    """Digests of one exchange.

    Those of the request are worked out when they are first asked for, in whichever thread that is: hashing waits until
    nothing waits for it.
    """

    def __init__(self, request: bytes | None = None) -> None:
        """None: the entry is about no request in particular, and has no digests."""
        self._request = request
        self.request_bytes = len(request or b"")
        self.response = ""
        """HMAC-SHA256 of the last answer, hex, with `key`; empty: there was none. For nobody unless it is released."""
        self.response_bytes = 0

    @cached_property
    def key(self) -> bytes:
        """Key of the digests in the log. The caller is told it, the log is not.

        A request may hold little but a personal number, and anybody could find the number that has a given hash by
        trying them all.
        """
        return secrets.token_bytes(_KEY_BYTES)

    @cached_property
    def request(self) -> str:
        """HMAC-SHA256 of the request, hex, with `key`."""
        return "" if self._request is None else self._of(self._request)

    @cached_property
    def request_hash(self) -> str:
        """SHA-256 of the request, hex; for the caller, not for the log."""
        return "" if self._request is None else hashlib.sha256(self._request).hexdigest()

    def answered(self, message: bytes) -> None:
        """Note what is about to be released."""
        self.response = self._of(message)
        self.response_bytes = len(message)

    def prepare(self) -> None:
        """Work out now what does not need the answer."""
        _ = self.request, self.request_hash

    def _of(self, message: bytes) -> str:
        keyed = self._keyed.copy()
        keyed.update(message)
        return keyed.hexdigest()

    @cached_property
    def _keyed(self) -> hmac.HMAC:
        return hmac.new(self.key, digestmod="sha256")
