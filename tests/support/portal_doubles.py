"""The portal's neighbours on real sockets, told by a test how to behave: a gateway and an identity provider."""

import base64
import hashlib
import threading
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import anyio.to_thread
import grpc
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.exchange.v1 import log_pb2
from lienthong.api.population.v1 import citizen_pb2, population_pb2
from lienthong.client import Header
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal
from lienthong_core.signing import SigningKey

CLIENT_ID = "portal"
CLIENT_SECRET = "an invented secret"
CONSENT_REQUEST_ID = "6a1f0f7e-6f0b-4f0e-9c53-0d6c6a3b5d11"
LONGEST_HANG_S = 20.0
_SERVICES = (
    consent_pb2.DESCRIPTOR.services_by_name["ConsentService"],
    population_pb2.DESCRIPTOR.services_by_name["PopulationService"],
    log_pb2.DESCRIPTOR.services_by_name["ExchangeLogService"],
)
GATEWAY_SERVICES = [service.full_name for service in _SERVICES]


@dataclass(frozen=True)
class Call:
    """A call as the gateway received it."""

    method: str
    request: bytes
    headers: Mapping[str, str | bytes]


def _usual_answers() -> dict[str, Message | Refusal]:
    asked = consent_pb2.ConsentRequest(
        consent_request_id=CONSENT_REQUEST_ID, state=consent_pb2.CONSENT_REQUEST_STATE_PENDING
    )
    return {
        "RequestConsent": consent_pb2.RequestConsentResponse(consent_request=asked),
        "FetchConsentRequest": consent_pb2.FetchConsentRequestResponse(consent_request=asked),
        "GetCitizen": population_pb2.GetCitizenResponse(),
        "GetHousehold": population_pb2.GetHouseholdResponse(),
        "UpdateResidence": population_pb2.UpdateResidenceResponse(residence=citizen_pb2.Residence(), change_number=1),
        "ListAccesses": log_pb2.ListAccessesResponse(),
    }


@dataclass
class GatewayDouble:
    """Answers every method of the gateway with the message, or the refusal, that it is told to."""

    answers: dict[str, Message | Refusal] = field(default_factory=_usual_answers)
    calls: list[Call] = field(default_factory=list[Call])
    _held: dict[str, threading.Event] = field(default_factory=dict[str, threading.Event])

    def register(self, server: grpc.Server) -> None:
        """Add the gateway's services to a server, as bytes in and bytes out."""
        for service in _SERVICES:
            handlers = {method.name: self._handler(method.name) for method in service.methods}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))

    def received(self, method: str) -> list[Call]:
        """Return the calls of a method, oldest first."""
        return [call for call in self.calls if call.method == method]

    @contextmanager
    def holding(self, method: str) -> Generator[None]:
        """Answer no call of `method` until the block ends."""
        release = self._held[method] = threading.Event()
        try:
            yield
        finally:
            del self._held[method]
            release.set()

    def _handler(self, method: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def behave(request: bytes, context: grpc.ServicerContext) -> bytes:
            release = self._held.get(method)
            self.calls.append(Call(method, request, dict(context.invocation_metadata())))
            if release:
                release.wait(LONGEST_HANG_S)
            answer = self.answers[method]
            if isinstance(answer, Refusal):
                raise answer
            context.set_trailing_metadata(self._receipt())
            return answer.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(behave, request_deserializer=bytes)

    def _receipt(self) -> tuple[tuple[str, str], ...]:
        return (
            (Header.EXCHANGE_ID, str(uuid.uuid4())),
            (Header.LOG_INDEX, str(len(self.calls) - 1)),
            (Header.REQUEST_HASH, "0" * 64),
            (Header.DIGEST_KEY, "0" * 32),
            (Header.DATASETS_RELEASED, "identity.basic,residence"),
            (Header.DATASETS_WITHHELD, "family"),
        )


Claims = dict[str, Any]


@dataclass
class IssuerDouble:
    """An identity provider whose citizen approves everything at once, unless a test says otherwise."""

    clock: Clock
    issuer: str
    personal_number: str
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey.create()])
    level: str = "2"
    denies_with: str = ""
    """What `/authorize` sends back as `error`, if anything."""
    token_answer: Response | None = None
    """What `/token` answers instead of tokens, if anything."""
    changes: Claims = field(default_factory=dict[str, Any])
    """Claims of the id_token that are not as they should be; None leaves one out."""
    sign: Callable[[Claims], str] | None = None
    """Makes the id_token, if not the provider's first key does."""
    hangs: threading.Event | None = None
    """`/token` does not answer before it is set."""
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """Parameters of each authorization request."""
    asked_to_log_out: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """Parameters of each request to end a session."""
    _codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def app(self) -> Starlette:
        """Return the provider as an ASGI application."""
        routes = [
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
            Route("/jwks", self._jwks),
            Route("/end-session", self._end_session),
        ]
        return Starlette(routes=routes)

    @property
    def subject(self) -> str:
        """The `sub` of the citizen's account."""
        return f"00000000-0000-4000-8000-{self.personal_number}"

    def _authorize(self, request: Request) -> Response:
        parameters = dict(request.query_params)
        self.asked.append(parameters)
        code = uuid.uuid4().hex
        self._codes[code] = parameters
        answer = {"error": self.denies_with} if self.denies_with else {"code": code}
        location = f"{parameters['redirect_uri']}?{urlencode({**answer, 'state': parameters['state']})}"
        return RedirectResponse(location, 303)

    def _end_session(self, request: Request) -> Response:
        parameters = dict(request.query_params)
        self.asked_to_log_out.append(parameters)
        return RedirectResponse(parameters["post_logout_redirect_uri"], 303)

    async def _token(self, request: Request) -> Response:
        async with request.form() as form:
            given = {name: str(value) for name, value in form.items()}
        if self.hangs:
            await _until(self.hangs)
        if self.token_answer:
            return self.token_answer
        asked = self._codes.pop(given["code"], None)
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return JSONResponse({"error": "invalid_client"}, 401)
        challenge = hashlib.sha256(given["code_verifier"].encode()).digest()
        if asked is None or _base64url(challenge) != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(self._tokens(asked))

    def _tokens(self, asked: Mapping[str, str]) -> Claims:
        now = int(self.clock.now().timestamp())
        claims: Claims = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "sub": self.subject,
            "iat": now,
            "exp": now + 900,
            "nonce": asked["nonce"],
            "acr": self.level,
            "name": "Nguyễn Thị Lan",
            "personal_number": self.personal_number,
        }
        claims = {name: value for name, value in (claims | self.changes).items() if value is not None}
        id_token = self.sign(claims) if self.sign else self.keys[0].sign(claims, token_type="JWT")
        tokens: Claims = {
            "token_type": "Bearer",
            "expires_in": 900,
            "id_token": id_token,
            "access_token": f"access-token-{len(self.asked)}",
        }
        if "authorization_details" in asked:
            tokens["authorization_details"] = [
                {
                    "type": "lienthong_consent",
                    "consent_request_id": CONSENT_REQUEST_ID,
                    "consent_id": f"consent-of-{CONSENT_REQUEST_ID}",
                }
            ]
        return tokens

    def _jwks(self, _request: Request) -> Response:
        return JSONResponse({"keys": [key.jwk for key in self.keys]})


async def _until(event: threading.Event) -> None:
    await anyio.to_thread.run_sync(event.wait, LONGEST_HANG_S)


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
