"""Which systems hold a citizen's data, so that a request may be addressed to them, and under which grounds. Pure."""

from lienthong_core.systems import SystemId
from lienthong_gateway.registration import LegalGround, Registration
from lienthong_gateway.subjects.rules import StoredRequest, request_invalid


def check_addressed(request: StoredRequest, registration: Registration, gateway: SystemId) -> None:
    """Refuse, with RIGHTS_REQUEST_INVALID, a request to a system at which there is nothing to comply with."""
    if request.controller == gateway:
        if request.is_restriction:
            raise request_invalid(
                "A restriction at the gateway would stop nothing; controller must be the system that her data come "
                "from or go to"
            )
    elif not _holds_data(request.controller, registration):
        raise request_invalid(
            f"{request.controller} provides no data and was never given a right to read any, so it has none of hers; "
            "controller must be a system that does or was, or the gateway"
        )


def check_ground(request: StoredRequest, legal_ground: str, registration: Registration, gateway: SystemId) -> None:
    """Refuse, with RIGHTS_REQUEST_INVALID, to refuse a deletion on a ground under which the controller holds nothing.

    The gateway has records of what passed on any of them.
    """
    ground = registration.legal_grounds.get(legal_ground)
    if not request.is_deletion or ground is None or request.controller == gateway:
        return
    if not _concerns(ground, request.controller, registration):
        raise request_invalid(
            f"legal_ground {legal_ground} is about no data of {request.controller}: none of its methods is one that "
            "the system provides, or was given the right to call on that ground"
        )


def _holds_data(system: SystemId, registration: Registration) -> bool:
    """Return whether a system holds citizens' data: as their provider, or because it may read them, or might."""
    rights = registration.access_rights.values()
    return bool(registration.systems[system].services) or any(right.consumer == system for right in rights)


def _concerns(ground: LegalGround, system: SystemId, registration: Registration) -> bool:
    """Return whether data that a system holds come under a ground: it provides them, or was given a right on it."""
    services = {method[1:].partition("/")[0] for method in ground.methods}
    return not services.isdisjoint(registration.systems[system].services) or any(
        right.consumer == system
        and ground.basis in right.legal_bases
        and ground.covers(ground.basis, right.method, right.purpose)
        for right in registration.access_rights.values()
    )
