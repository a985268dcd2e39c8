"""How a system of the exchange is named, in X-Road's way and in its certificate."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Self

TRUST_DOMAIN = "sandbox.lienthong.test"
INSTANCE = "VN-SANDBOX"
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_SYSTEM_ID = re.compile(rf"({_PART})/({_PART})/({_PART})/({_PART})")


@dataclass(frozen=True, order=True)
class SystemId:
    """Instance, member class, member code and subsystem: `VN-SANDBOX/GOV/G01/population`."""

    instance: str
    member_class: str
    member_code: str
    subsystem: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the four parts; raises ValueError if there are not exactly four."""
        match = _SYSTEM_ID.fullmatch(text)
        if match is None:
            message = f"{text!r} is not a system id of the form INSTANCE/CLASS/MEMBER/SUBSYSTEM"
            raise ValueError(message)
        return cls(*match.groups())

    def __str__(self) -> str:
        """Return the four parts joined by slashes."""
        return self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @cached_property
    def _text(self) -> str:
        # Every call looks its systems up several times.
        return f"{self.instance}/{self.member_class}/{self.member_code}/{self.subsystem}"

    @property
    def member(self) -> str:
        """The member it belongs to: instance, member class and member code, `VN-SANDBOX/GOV/G01`."""
        return f"{self.instance}/{self.member_class}/{self.member_code}"

    @property
    def spiffe_id(self) -> str:
        """The URI that its certificate names it by."""
        return f"spiffe://{TRUST_DOMAIN}/{self}"

    @classmethod
    def from_spiffe_id(cls, uri: str) -> Self | None:
        """Return the system that a certificate's URI names, or None if it is none of this trust domain."""
        prefix = f"spiffe://{TRUST_DOMAIN}/"
        if not uri.startswith(prefix):
            return None
        try:
            return cls.parse(uri.removeprefix(prefix))
        except ValueError:
            return None
