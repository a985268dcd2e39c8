"""What a gateway is started with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import FileDescriptor

from lienthong_core.certificates import TlsIdentity
from lienthong_core.contracts import all_contracts
from lienthong_core.systems import SystemId
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.cosignature import WitnessKey
from lienthong_gateway.registration import Registration
from lienthong_gateway.telemetry.telemetry import Spans


@dataclass(frozen=True)
class GatewayConfig:
    """What a gateway is started with. Addresses are `host:port`."""

    system: SystemId
    address: str
    web_host: str
    web_port: int
    database_url: str
    tls: TlsIdentity
    checkpoint_key: CheckpointKey
    registration: Registration
    """What an empty database is filled with; one that holds a registration rules itself."""
    providers: Mapping[SystemId, str]
    """Address of each providing system."""
    identity_provider: SystemId
    issuer: str
    jwks_url: str
    """Where the issuer's keys are fetched; its host may differ from the issuer's inside a container network."""
    contracts: Sequence[FileDescriptor] = field(default_factory=all_contracts)
    """Where the providers' services are defined."""
    witnesses: tuple[WitnessKey, ...] = ()
    """Those whose cosignatures on checkpoints are taken."""
    limits: Limits = field(default_factory=Limits)
    spans: Spans | None = None
    """What traces of exchanges are handed to, closed when the gateway stops; None: none are made."""
