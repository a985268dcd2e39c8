"""Who is at the other end of a gRPC connection."""

from collections.abc import Iterable, Mapping
from typing import cast

import grpc

from lienthong_core.errors import unauthenticated
from lienthong_core.systems import SystemId


def named_system(auth_context: Mapping[str, Iterable[bytes]]) -> SystemId | None:
    """Return the system that the client's certificate names; None if it names none, or more than one.

    `auth_context` is what gRPC knows of the connection (`context.auth_context()`).
    """
    # URI names alone: the subject alternative names as a whole include DNS names, which a certificate's owner chooses.
    names = auth_context.get("peer_uri", ())
    systems = [s for s in (SystemId.from_spiffe_id(name.decode(errors="replace")) for name in names) if s]
    return systems[0] if len(systems) == 1 else None


def peer_system(auth_context: Mapping[str, Iterable[bytes]]) -> SystemId:
    """Return the system that `named_system` finds; refused: SYSTEM_UNKNOWN."""
    system = named_system(auth_context)
    if system is None:
        message = "The client certificate must name exactly one system, as a SPIFFE id in its URI SAN."
        raise unauthenticated("SYSTEM_UNKNOWN", message)
    return system


def calling_system(context: grpc.ServicerContext) -> SystemId:
    """Return the system that calls; raises as `peer_system` does."""
    # The stubs have one value a property; gRPC gives a sequence.
    return peer_system(cast("Mapping[str, Iterable[bytes]]", context.auth_context()))


def peer_certificate(auth_context: Mapping[str, Iterable[bytes]]) -> bytes:
    """Return the client's certificate, PEM."""
    return next(iter(auth_context["x509_pem_cert"]))
