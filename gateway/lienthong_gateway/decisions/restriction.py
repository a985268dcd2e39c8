"""Has the citizen had the processing of her data restricted? Pure, and one look into a set."""

from lienthong_core.errors import denied
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.registration import Registration


def check_not_restricted(
    consumer: SystemId, contract: MethodContract, subject: str, registration: Registration
) -> None:
    """Refuse, with PROCESSING_RESTRICTED, what rests on consent and is about data that she has had restricted.

    Either where they come from or where they would go to. What rests on Law 91/2025 Art. 19(1) is not stopped by a
    restriction (Art. 4, Decree 356/2025 Art. 5).
    """
    for system in (contract.provider, consumer):
        if (system, subject) in registration.restrictions:
            message = (
                f"The citizen has had the use of her data at {system} restricted, so no consent covers it; she can end "
                "the restriction."
            )
            raise denied("PROCESSING_RESTRICTED", message)
