"""What the endpoints and pages work with."""

from collections.abc import Mapping
from dataclasses import dataclass

from lienthong.api.options.v1.options_pb2 import Dataset
from lienthong_core.clock import Clock
from lienthong_services.identity.approvals import ConsentDesk
from lienthong_services.identity.register import Register
from lienthong_services.identity.store import IdentityStore
from lienthong_services.identity.tokens import TokenIssuer
from lienthong_services.identity.web.pages import Pages


@dataclass(frozen=True)
class Provider:
    """One identity provider's parts, handed to every endpoint."""

    issuer: str
    store: IdentityStore
    tokens: TokenIssuer
    consents: ConsentDesk
    register: Register
    datasets: Mapping[str, Dataset]
    clock: Clock
    pages: Pages

    def now(self) -> int:
        """Return the sandbox's time in whole seconds since 1970, as tokens carry it."""
        return int(self.clock.now().timestamp())
