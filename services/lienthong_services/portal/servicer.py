"""PortalService over gRPC: citizens through the portal's app, officers through their own systems."""

from collections.abc import Set as AbstractSet

import grpc

from lienthong.api.portal.v1 import portal_pb2 as pb
from lienthong.api.portal.v1.portal_pb2_grpc import PortalServiceServicer
from lienthong.client import Header
from lienthong_core.clock import Clock
from lienthong_core.errors import denied, invalid, unauthenticated
from lienthong_core.metadata import CallHeaders
from lienthong_core.peer import calling_system
from lienthong_core.systems import SystemId
from lienthong_services.portal.desk import DossierDesk
from lienthong_services.portal.gateway_client import GatewayClient
from lienthong_services.portal.messages import dossier_message, procedure_message, receipt_message
from lienthong_services.portal.model import CitizenSession
from lienthong_services.portal.procedures import PROCEDURES
from lienthong_services.portal.rules import (
    Actor,
    Applicant,
    Officer,
    check_cursor,
    check_page_size,
    check_session,
    live_access_token,
)
from lienthong_services.portal.states import Mover
from lienthong_services.portal.store import PortalStore, digest

_SCHEME = "bearer"
_OFFICER_LENGTH = 64


class PortalServicer(PortalServiceServicer):
    """Answers PortalService."""

    def __init__(
        self,
        store: PortalStore,
        desk: DossierDesk,
        gateway: GatewayClient,
        clock: Clock,
        officer_systems: AbstractSet[SystemId],
        public_url: str,
    ) -> None:
        """`officer_systems` are those whose callers are officers; every other caller is a citizen's app."""
        self._store = store
        self._desk = desk
        self._gateway = gateway
        self._clock = clock
        self._officer_systems = officer_systems
        self._public_url = public_url

    def ListProcedures(
        self, request: pb.ListProceduresRequest, context: grpc.ServicerContext
    ) -> pb.ListProceduresResponse:
        """Answer as the contract says."""
        return pb.ListProceduresResponse(procedures=[procedure_message(p) for p in PROCEDURES.values()])

    def StartDossier(self, request: pb.StartDossierRequest, context: grpc.ServicerContext) -> pb.StartDossierResponse:
        """Answer as the contract says."""
        dossier = self._desk.start(self._session(context), request.procedure_code)
        consent_url = f"{self._public_url}/dossiers/{dossier.row.dossier_id}/consent"
        return pb.StartDossierResponse(dossier=dossier_message(dossier), consent_url=consent_url)

    def PrefillDossier(
        self, request: pb.PrefillDossierRequest, context: grpc.ServicerContext
    ) -> pb.PrefillDossierResponse:
        """Answer as the contract says."""
        dossier, exchanges = self._desk.prefill(self._session(context), request.dossier_id)
        receipts = [receipt_message(exchange) for exchange in exchanges]
        return pb.PrefillDossierResponse(dossier=dossier_message(dossier), exchanges=receipts)

    def SubmitDossier(
        self, request: pb.SubmitDossierRequest, context: grpc.ServicerContext
    ) -> pb.SubmitDossierResponse:
        """Answer as the contract says."""
        dossier = self._desk.submit(self._session(context), request.dossier_id, request.values)
        return pb.SubmitDossierResponse(dossier=dossier_message(dossier))

    def MoveDossier(self, request: pb.MoveDossierRequest, context: grpc.ServicerContext) -> pb.MoveDossierResponse:
        """Answer as the contract says."""
        dossier, exchanges = self._desk.move(self._actor(context), request.code, request.state, request.note)
        receipts = [receipt_message(exchange) for exchange in exchanges]
        return pb.MoveDossierResponse(dossier=dossier_message(dossier), exchanges=receipts)

    def GetDossier(self, request: pb.GetDossierRequest, context: grpc.ServicerContext) -> pb.GetDossierResponse:
        """Answer as the contract says."""
        return pb.GetDossierResponse(dossier=dossier_message(self._desk.find(self._actor(context), request.dossier)))

    def ListDossiers(self, request: pb.ListDossiersRequest, context: grpc.ServicerContext) -> pb.ListDossiersResponse:
        """Answer as the contract says."""
        number = self._session(context).personal_number
        size = check_page_size(request.page_size)
        found = self._store.dossiers_of(number, check_cursor(request.cursor), size + 1)
        next_cursor = str(found[size - 1].row.row_number) if len(found) > size else ""
        return pb.ListDossiersResponse(
            dossiers=[dossier_message(dossier) for dossier in found[:size]], next_cursor=next_cursor
        )

    def ListAccesses(self, request: pb.ListAccessesRequest, context: grpc.ServicerContext) -> pb.ListAccessesResponse:
        """Answer as the contract says."""
        token = live_access_token(self._session(context), self._clock.now())
        answer = self._gateway.list_accesses(token, request.cursor, request.page_size)
        return pb.ListAccessesResponse(accesses=answer.accesses, next_cursor=answer.next_cursor)

    def _actor(self, context: grpc.ServicerContext) -> Actor:
        if calling_system(context) not in self._officer_systems:
            return Applicant(self._session(context).personal_number)
        identifier = CallHeaders(context.invocation_metadata()).single(Header.OFFICER, max_length=_OFFICER_LENGTH)
        if not identifier:
            raise unauthenticated("OFFICER_MISSING", f"Name the officer who acts in {Header.OFFICER}.")
        if identifier == Mover.CITIZEN.value:
            message = (
                f"{Header.OFFICER} cannot be {identifier!r}, which stands for the applicant in a dossier's history."
            )
            raise invalid("HEADER_INVALID", message)
        return Officer(identifier)

    def _session(self, context: grpc.ServicerContext) -> CitizenSession:
        if calling_system(context) in self._officer_systems:
            raise denied("CALLER_NOT_ALLOWED", "Only the portal's own app calls on a citizen's behalf.")
        scheme, _, session = CallHeaders(context.invocation_metadata()).single(Header.AUTHORIZATION).partition(" ")
        if scheme.lower() != _SCHEME:
            message = "Send the citizen's portal session in `authorization: Bearer`; logging in at /login gives one."
            raise unauthenticated("SESSION_MISSING", message)
        found = self._store.session(digest(session))
        return check_session(found, self._clock.now())
