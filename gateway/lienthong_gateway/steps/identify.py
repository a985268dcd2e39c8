"""Step 1, identify: which system calls, from its certificate, and what the call says about itself."""

import asyncio
import re
from collections.abc import Iterable, Mapping

from lienthong.client.context import Header
from lienthong_core.certificates import certificate_thumbprint
from lienthong_core.errors import denied, invalid, unauthenticated
from lienthong_core.metadata import CallHeaders
from lienthong_core.peer import peer_certificate, peer_system
from lienthong_core.systems import SystemId
from lienthong_gateway.exchange import Caller, Claim
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.registry.officers import check_named_officer

_MAX_VALUE = 128
_PARTY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Identifier:
    """Recognises the systems that are registered."""

    def __init__(self, registration: CurrentRegistration) -> None:
        self._registration = registration
        self._read: dict[bytes, tuple[SystemId, str]] = {}

    def identify(self, auth_context: Mapping[str, Iterable[bytes]], headers: CallHeaders) -> Caller:
        """Return who calls.

        Refused: SYSTEM_UNKNOWN (the certificate names no registered system), CLIENT_MISMATCH (`x-road-client` names
        another one), HEADER_DUPLICATED, HEADER_INVALID.
        """
        system, thumbprint = self._certificate(auth_context)
        if system not in self._registration.value.systems:
            message = f"{system} is not registered at this gateway; CatalogueService.ListSystems lists those that are."
            raise unauthenticated("SYSTEM_UNKNOWN", message)
        _check_claimed_client(system, headers)
        message_id = headers.single(Header.MESSAGE_ID, max_length=_MAX_VALUE)
        return Caller(system, thumbprint, message_id)

    async def check_officer(self, caller: Caller, officer: str) -> None:
        """Refuse an officer who is named and may not act for the caller: OFFICER_NOT_ALLOWED."""
        if officer:
            # Another replica may have admitted him, or dismissed him.
            await asyncio.to_thread(self._registration.refresh)
            check_named_officer(self._registration.value, caller.system, officer)

    def _certificate(self, auth_context: Mapping[str, Iterable[bytes]]) -> tuple[SystemId, str]:
        """Return the system that a certificate names, and the certificate's thumbprint."""
        certificate = peer_certificate(auth_context)
        known = self._read.get(certificate)
        if known is None:
            # One entry a certificate of this sandbox's authority, so it stays as small as the membership is.
            known = self._read[certificate] = peer_system(auth_context), certificate_thumbprint(certificate)
        return known


def read_claim(headers: CallHeaders) -> Claim:
    """Return what the call says about itself.

    Refused: HEADER_DUPLICATED, HEADER_INVALID (also when a reference comes with a basis that takes none).
    """
    claim = Claim(
        purpose=headers.single(Header.PURPOSE, max_length=_MAX_VALUE),
        legal_basis=headers.single(Header.LEGAL_BASIS, max_length=_MAX_VALUE) or "consent",
        legal_reference=headers.single(Header.LEGAL_REFERENCE, max_length=_MAX_VALUE),
        officer=read_officer(headers),
        represented_party=_represented_party(headers),
    )
    if claim.legal_basis == "consent" and claim.legal_reference:
        message = (
            f"{Header.LEGAL_REFERENCE} contradicts {Header.LEGAL_BASIS}: consent takes no reference; send one of them."
        )
        raise invalid("HEADER_INVALID", message)
    return claim


def read_officer(headers: CallHeaders) -> str:
    """Return the officer that the call names, empty if none; refused: HEADER_DUPLICATED, HEADER_INVALID."""
    return headers.single(Header.OFFICER, max_length=_MAX_VALUE)


def _represented_party(headers: CallHeaders) -> str:
    party = headers.single(Header.REPRESENTED_PARTY, max_length=_MAX_VALUE)
    if party and not _PARTY.fullmatch(party):
        message = f"{Header.REPRESENTED_PARTY} must be a class and a code, such as GOV/G09, or be left out."
        raise invalid("HEADER_INVALID", message)
    return party


def _check_claimed_client(system: SystemId, headers: CallHeaders) -> None:
    claimed = headers.single(Header.CLIENT, max_length=4 * _MAX_VALUE)
    if claimed and claimed != str(system):
        message = f"{Header.CLIENT} does not name the system of the certificate, {system}; leave it out or correct it."
        raise denied("CLIENT_MISMATCH", message)
