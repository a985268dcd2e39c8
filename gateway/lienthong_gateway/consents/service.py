"""ConsentService, wired: who answers which of its methods."""

from collections.abc import Mapping

from lienthong_core.clock import Clock
from lienthong_core.contracts import declared_datasets
from lienthong_gateway.consents.asking import AskingAnswers, IdentityProvider
from lienthong_gateway.consents.evidence import EvidenceAnswers
from lienthong_gateway.consents.holding import HoldingAnswers
from lienthong_gateway.consents.records import ConsentRecords
from lienthong_gateway.consents.store import ConsentStore
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.local import Answerer
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.registry.current import CurrentRegistration


def consent_answers(
    registration: CurrentRegistration,
    contracts: Mapping[str, MethodContract],
    consents: ConsentStore,
    writer: LogWriter,
    provider: IdentityProvider,
    clock: Clock,
    keeper: str,
) -> Mapping[str, Answerer]:
    """Return what answers each method of ConsentService; `keeper` is the gateway's own system."""
    records = ConsentRecords(consents, provider.system, writer, clock)
    return {
        **AskingAnswers(registration, contracts, records, provider).answers(),
        **HoldingAnswers(records).answers(),
        **EvidenceAnswers(records, registration, declared_datasets(), keeper).answers(),
    }
