"""What the portal asks of others, all of it through the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1 import log_pb2
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.population.v1 import population_pb2
from lienthong.api.population.v1.citizen_pb2 import Citizen, Household, ResidenceKind
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.types.v1.types_pb2 import Address
from lienthong.client import CallContext, Header, Receipt
from lienthong_core.certificates import TlsIdentity
from lienthong_core.channels import SOON_BACK
from lienthong_core.dates import partial_date
from lienthong_core.errors import Refusal, refusal_from, unavailable
from lienthong_core.systems import SystemId

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_DEADLINE_S = 10.0
_NOBODY_ANSWERED = "CONNECTION_FAILED"
_IN_NO_HOUSEHOLD = "HOUSEHOLD_UNKNOWN"
_STATE_BODY = "state_19_1_c"
"""The legal basis of a state body's own procedure: Law 91/2025 Art. 19(1)(c) [R2]."""


@dataclass(frozen=True)
class Exchange:
    """One exchange that went through, and what the gateway said about it."""

    method: str
    receipt: Receipt


@dataclass(frozen=True)
class NewResidence:
    """A residence to be registered; `from_date` is `YYYY-MM-DD`."""

    personal_number: str
    kind: ResidenceKind.ValueType
    province_code: str
    commune_code: str
    detail: str
    from_date: str


class GatewayClient:
    """Calls through the gateway.

    Every method raises Refusal within ten seconds: with the gateway's own reason, or with GATEWAY_UNAVAILABLE if there
    was no answer.
    """

    def __init__(self, address: str, tls: TlsIdentity, population: SystemId) -> None:
        self._channel = grpc.secure_channel(address, tls.channel_credentials(), SOON_BACK)
        self._consents = ConsentServiceStub(self._channel)
        self._register = PopulationServiceStub(self._channel)
        self._log = ExchangeLogServiceStub(self._channel)
        self._population = str(population)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def request_consent(self, personal_number: str, datasets: Sequence[str], purpose: str) -> str:
        """Ask a citizen for consent to datasets of the population database; return the request's id."""
        request = consent_pb2.RequestConsentRequest(
            subject_number=personal_number, provider=self._population, datasets=datasets, purpose=purpose
        )
        answer, _ = _call(self._consents.RequestConsent, request, ())
        return answer.consent_request.consent_request_id

    def consent_request(self, request_id: str) -> consent_pb2.ConsentRequest:
        """Return a request for consent as it is now."""
        request = consent_pb2.FetchConsentRequestRequest(consent_request_id=request_id)
        answer, _ = _call(self._consents.FetchConsentRequest, request, ())
        return answer.consent_request

    def read_citizen(self, personal_number: str, purpose: str, token: str) -> tuple[Citizen, Exchange]:
        """Read what a citizen consented to of her own record."""
        request = population_pb2.GetCitizenRequest(personal_number=personal_number)
        metadata = CallContext(purpose, token=token).metadata()
        answer, exchange = _exchanged("GetCitizen", *_call(self._register.GetCitizen, request, metadata))
        return answer.citizen, exchange

    def read_household(self, personal_number: str, purpose: str, token: str) -> tuple[Household, Sequence[Exchange]]:
        """Read what a citizen consented to of her household; an empty one, by no exchange, if she is in none."""
        request = population_pb2.GetHouseholdRequest(personal_number=personal_number)
        metadata = CallContext(purpose, token=token).metadata()
        try:
            answer, exchange = _exchanged("GetHousehold", *_call(self._register.GetHousehold, request, metadata))
        except Refusal as refusal:
            if refusal.reason == _IN_NO_HOUSEHOLD:
                return Household(), ()
            raise
        return answer.household, (exchange,)

    def register_residence(self, new: NewResidence, purpose: str, dossier_code: str, officer: str) -> Exchange:
        """Register a new residence on the legal basis of the dossier; repeating it changes nothing."""
        request = population_pb2.UpdateResidenceRequest(
            personal_number=new.personal_number,
            kind=new.kind,
            address=Address(province_code=new.province_code, commune_code=new.commune_code, detail=new.detail),
            from_date=partial_date(new.from_date),
            case_reference=dossier_code,
        )
        context = CallContext(purpose, legal_basis=_STATE_BODY, legal_reference=dossier_code, officer=officer)
        answer, call = _call(self._register.UpdateResidence, request, context.metadata())
        return _exchanged("UpdateResidence", answer, call)[1]

    def list_accesses(self, token: str, cursor: str, page_size: int) -> log_pb2.ListAccessesResponse:
        """Return who accessed the data of the token's citizen."""
        request = log_pb2.ListAccessesRequest(cursor=cursor, page_size=page_size)
        answer, _ = _call(self._log.ListAccesses, request, ((str(Header.AUTHORIZATION), f"Bearer {token}"),))
        return answer


def _call(
    method: "grpc.UnaryUnaryMultiCallable[_Request, _Response]",
    request: _Request,
    metadata: Sequence[tuple[str, str]],
) -> tuple[_Response, grpc.Call]:
    try:
        return method.with_call(request, metadata=tuple(metadata), timeout=_DEADLINE_S)
    except grpc.RpcError as error:
        refusal = refusal_from(error)
        if refusal.reason == _NOBODY_ANSWERED:
            message = "The gateway cannot be reached or did not answer in time; try again, it is safe to repeat."
            raise unavailable("GATEWAY_UNAVAILABLE", message) from error
        raise refusal from error


def _exchanged(name: str, answer: _Response, call: grpc.Call) -> tuple[_Response, Exchange]:
    method = f"/{population_pb2.DESCRIPTOR.services_by_name['PopulationService'].full_name}/{name}"
    return answer, Exchange(method, Receipt.of(call.trailing_metadata() or ()))
