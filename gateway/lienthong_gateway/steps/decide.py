"""Step 3, decide: the facts of the decision are fetched here; the decision itself is in `decisions/`."""

import asyncio

from lienthong_core.clock import Clock
from lienthong_gateway.consents.store import ConsentStore
from lienthong_gateway.contracts import MethodContract
from lienthong_gateway.decisions.consent import decide_by_consent
from lienthong_gateway.decisions.right import decide_by_law, find_right
from lienthong_gateway.exchange import Caller, Claim, Grant, TokenHolder
from lienthong_gateway.registration import Registration


class Decider:
    """Decides on what is registered and on the consents that are stored."""

    def __init__(self, registration: Registration, consents: ConsentStore, clock: Clock) -> None:
        self._registration = registration
        self._consents = consents
        self._clock = clock

    async def decide(
        self, contract: MethodContract, caller: Caller, claim: Claim, holder: TokenHolder | None, subject: str
    ) -> Grant:
        """Return what the call is allowed; refused as the functions in `decisions/` say."""
        right = find_right(caller, contract, claim, self._registration)
        if claim.legal_basis != "consent":
            return decide_by_law(contract, claim, right)
        now = self._clock.now()
        consents = await asyncio.to_thread(
            self._consents.consents_between, subject, str(caller.system), str(contract.provider), now
        )
        return decide_by_consent(contract, subject, claim, right, holder, consents, now)
