"""What the log and the caller are told of a request and its answer instead of their bytes."""

import hashlib
import hmac
import secrets
from typing import NamedTuple

_KEY_BYTES = 16


class RequestDigests(NamedTuple):
    """What is told of a request; each is empty if there is none."""

    keyed: str
    """HMAC-SHA256, hex, with the exchange's key; for the log."""
    plain: str
    """SHA-256, hex; for the caller, not for the log."""


class Digests:
    """Digests of one exchange.

    Those of the request are worked out when they are first asked for, in whichever thread that is: hashing waits until
    nothing waits for it.
    """

    def __init__(self, request: bytes | None = None) -> None:
        """None: the entry is about no request in particular, and has no digests."""
        self._request = request
        self._of_request: RequestDigests | None = None
        # Now, because two threads that ask for it at once must be given the same.
        self.key = secrets.token_bytes(_KEY_BYTES)
        """Key of the digests in the log. The caller is told it, the log is not.

        A request may hold little but a personal number, and anybody could find the number that has a given hash by
        trying them all.
        """
        self.request_bytes = len(request or b"")
        self.response = ""
        """HMAC-SHA256 of the last answer, hex, with `key`; empty: there was none. For nobody unless it is released."""
        self.response_bytes = 0

    def of_request(self) -> RequestDigests:
        """Return what is told of the request."""
        known, request = self._of_request, self._request
        if known is None:
            known = RequestDigests("", "")
            if request is not None:
                known = RequestDigests(self._keyed(request), hashlib.sha256(request).hexdigest())
            self._of_request = known
        return known

    def answered(self, message: bytes) -> None:
        """Note what is about to be released."""
        self.response = self._keyed(message)
        self.response_bytes = len(message)

    def _keyed(self, message: bytes) -> str:
        return hmac.digest(self.key, message, "sha256").hex()
