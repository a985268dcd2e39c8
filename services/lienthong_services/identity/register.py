"""The population database through the gateway: who a child is, and who represents her.

The identity provider keeps no families. It asks on a legal basis, for a purpose of its own, and the gateway's log
shows the citizen that it asked.
"""

from dataclasses import dataclass

import grpc

from lienthong.api.population.v1.population_pb2 import (
    GetCitizenRequest,
    Relationship,
    VerifyRelationshipRequest,
)
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext
from lienthong_core.dates import partial_date_text
from lienthong_core.errors import Refusal
from lienthong_services.identity.gateway import ask

PURPOSE = "consent-representation"
"""Code of the purpose the identity provider is registered with: finding out who decides for a child."""
OFFICER = "identity-provider"
"""Named where a legal basis wants the officer who acts: nobody does, the pages ask by themselves."""
_NOBODY = "CITIZEN_UNKNOWN"
_STATE_BODY = "state_19_1_c"


@dataclass(frozen=True)
class Registered:
    """What the register says about somebody; `birth_date` is `YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""

    personal_number: str
    """The one that she has now."""
    full_name: str
    birth_date: str


class Register:
    """What the identity provider asks the register. Every method raises Refusal, within 5 seconds a call."""

    def __init__(self, gateway: grpc.Channel) -> None:
        self._stub = PopulationServiceStub(gateway)

    def find(self, personal_number: str, consent_request_id: str) -> Registered:
        """Return who has or had a number; `consent_request_id` is what it is asked for."""
        request = GetCitizenRequest(personal_number=personal_number)
        citizen = ask(self._stub.GetCitizen, request, _context(consent_request_id)).citizen
        return Registered(citizen.personal_number, citizen.name.full_name, partial_date_text(citizen.birth_date))

    def is_representative(self, personal_number: str, of: str, consent_request_id: str) -> bool:
        """Return whether somebody is on record as the legal representative of citizen `of`."""
        request = VerifyRelationshipRequest(
            personal_number=of,
            related_personal_number=personal_number,
            relationship=Relationship.RELATIONSHIP_REPRESENTATIVE,
        )
        try:
            return ask(self._stub.VerifyRelationship, request, _context(consent_request_id)).confirmed
        except Refusal as refusal:
            if refusal.reason == _NOBODY:
                return False
            raise


def _context(consent_request_id: str) -> tuple[tuple[str, str], ...]:
    return CallContext(
        PURPOSE, legal_basis=_STATE_BODY, legal_reference=f"consent-request/{consent_request_id}", officer=OFFICER
    ).metadata()
