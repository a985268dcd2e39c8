"""The population database as a server: its wiring."""

from dataclasses import dataclass

import grpc

from lienthong.api.population.v1 import population_pb2, population_pb2_grpc
from lienthong_core.certificates import TlsIdentity
from lienthong_core.clock import Clock
from lienthong_core.database import open_database
from lienthong_core.rpc import RpcServer
from lienthong_core.systems import SystemId
from lienthong_services.population.model import SCHEMA_VERSION, PopulationTable
from lienthong_services.population.servicer import PopulationServicer


@dataclass(frozen=True)
class PopulationConfig:
    """Where the service listens (`host:port`), what it stores in, who it is, and the one system it answers."""

    address: str
    database_url: str
    tls: TlsIdentity
    gateway: SystemId


class PopulationServer:
    """The population database, open from construction to `stop`, answering calls after `start`."""

    def __init__(self, config: PopulationConfig, clock: Clock) -> None:
        """Open the database and bind the address.

        Raises OSError if the address cannot be had, SchemaMismatch if another version made the database.
        """
        self.engine = open_database(config.database_url, PopulationTable.metadata, version=SCHEMA_VERSION)
        """The database; rows are added through it before `start`."""
        servicer = PopulationServicer(self.engine, clock)

        def register(server: grpc.Server) -> None:
            population_pb2_grpc.add_PopulationServiceServicer_to_server(servicer, server)

        services = [population_pb2.DESCRIPTOR.services_by_name["PopulationService"].full_name]
        try:
            self._rpc = RpcServer(config.address, config.tls, services, register, lambda who: who == config.gateway)
        except OSError:
            self.engine.dispose()
            raise

    def start(self) -> None:
        """Answer calls from now on."""
        self._rpc.start()

    def stop(self) -> None:
        """Finish the calls under way, within two seconds; give the address and the database back."""
        self._rpc.stop()
        self.engine.dispose()
