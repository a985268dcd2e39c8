"""Who is named as the officer who acts has to be registered as acting for the system that calls."""

from lienthong_core.errors import denied
from lienthong_core.systems import SystemId
from lienthong_gateway.registration import Registration


def check_named_officer(registration: Registration, caller: SystemId, officer: str) -> None:
    """Refuse an officer who is named and not registered: OFFICER_NOT_ALLOWED."""
    if officer and (caller, officer) not in registration.officers:
        message = (
            f"The officer in x-road-userid is not registered as acting for {caller}; name one who is, or have the "
            "gateway's administrator admit this one."
        )
        raise denied("OFFICER_NOT_ALLOWED", message)
