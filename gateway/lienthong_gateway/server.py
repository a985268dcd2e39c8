"""The gateway, wired: one event loop in a thread of its own, one thread that writes the log."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvloop
from google.protobuf.descriptor import ServiceDescriptor
from sqlalchemy import Engine
from starlette.types import ASGIApp

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.exchange.v1 import administration_pb2, catalogue_pb2, log_pb2
from lienthong.api.rights.v1 import rights_pb2
from lienthong_core.clock import Clock
from lienthong_core.database import open_database, writing
from lienthong_core.failures import log_failure_in_loop
from lienthong_core.safe_headers import SafeHeaders
from lienthong_gateway import schema
from lienthong_gateway.config import GatewayConfig
from lienthong_gateway.consents.asking import IdentityProvider
from lienthong_gateway.consents.service import consent_answers
from lienthong_gateway.consents.store import ConsentStore
from lienthong_gateway.contract.methods import MethodContract, load_contracts
from lienthong_gateway.edge.admission import Admission
from lienthong_gateway.edge.anybody import OpenAdmission
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.edge.passage import Edge
from lienthong_gateway.issuer_keys import JwksKeys
from lienthong_gateway.local import Answerer, NumbersOf, local_methods
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.head import create_head
from lienthong_gateway.log.tiles import TileSource
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.pipeline import Pipeline
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.registry.service import AdministrationAnswers
from lienthong_gateway.registry.store import fill_if_empty
from lienthong_gateway.rpc.kept_server import KeptServer
from lienthong_gateway.rpc.server import serve_grpc
from lienthong_gateway.steps.ask_numbers import NumberRegister
from lienthong_gateway.steps.authenticate import Authenticator
from lienthong_gateway.steps.decide import Decider
from lienthong_gateway.steps.forward import Forwarder
from lienthong_gateway.steps.identify import Identifier
from lienthong_gateway.steps.record import Recorder
from lienthong_gateway.subjects.erasure import Erasure, Forgetting
from lienthong_gateway.subjects.service import SubjectRightsAnswers
from lienthong_gateway.telemetry.metrics import Metrics
from lienthong_gateway.telemetry.telemetry import Telemetry
from lienthong_gateway.views.catalogue import CatalogueAnswers
from lienthong_gateway.views.log import LogAnswers
from lienthong_gateway.web.app import GatewayPages, create_app
from lienthong_gateway.web.calls import ConnectCalls
from lienthong_gateway.web.codecs import MethodTypes, method_types
from lienthong_gateway.web.door import Door
from lienthong_gateway.web.log_files import LogFiles
from lienthong_gateway.web.openapi import openapi_document
from lienthong_gateway.web.peer import Peers
from lienthong_gateway.web.server import GatewayWebServer

_GRACE_S = 2.0
_SERVERS = 4
"""Of gRPC, on one address: each has some of the connections. A server takes its calls on one by one, each after two
wakes of a thread. One alone does not keep up on a busy machine: calls wait in it, neither seen nor refused."""


class GatewayServer:
    """Runs a gateway from `start` to `stop`."""

    def __init__(self, config: GatewayConfig, clock: Clock) -> None:
        """Open the database and read the contracts; raises ContractFault, SchemaMismatch or CheckpointFault."""
        self._config = config
        self._clock = clock
        self.engine: Engine = open_database(config.database_url, schema.metadata(), version=schema.VERSION)
        self._metrics = Metrics()
        try:
            with writing(self.engine) as connection:
                # First, because a replica that starts at the same moment waits here, and then finds it filled.
                create_head(connection)
                fill_if_empty(connection, config.registration)
            self._registration = CurrentRegistration.of(self.engine)
            self._contracts = load_contracts(self._registration.value, config.contracts)
            appender = Appender(self.engine, config.checkpoint_key)
            self._forgetting = Forgetting(self.engine)
            self._erasure = Erasure(config.system, appender.forget, self._forgetting.begin)
            self._admission = Admission(config.limits, time.monotonic)
            self.log = LogWriter(self.engine, appender, self._metrics.observe_batch, lambda: self._admission.in_flight)
            """Entries handed in before `start` are written first."""
        except BaseException:
            self.engine.dispose()
            raise
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._loop.set_exception_handler(log_failure_in_loop)
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateway", daemon=True)
        self._running: _Running | None = None

    def start(self) -> None:
        """Answer calls from now on; raises OSError if the address cannot be had."""
        self.log.start()
        self._thread.start()
        state = _State(self.engine, self.log, self._registration, self._erasure, self._metrics, self._admission)
        self._running = self._await(_Running.begin(self._config, state, self._contracts, self._clock))

    def stop(self) -> None:
        """Finish the calls under way, within two seconds, make the log durable and give everything back."""
        if self._running is not None:
            self._await(self._running.end())
        self.log.stop()
        self._forgetting.end()
        if self._thread.is_alive():
            self._await(self._loop.shutdown_default_executor())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        if self._config.spans is not None:
            self._config.spans.close()
        self.engine.dispose()

    def _await(self, coroutine: "Coroutine[Any, Any, Any]") -> Any:  # noqa: ANN401 (whatever the coroutine gives)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


@dataclass(frozen=True)
class _State:
    """What a gateway keeps, and what is registered at it now."""

    engine: Engine
    writer: LogWriter
    registration: CurrentRegistration
    erasure: Erasure
    metrics: Metrics
    admission: Admission


@dataclass(frozen=True)
class _Running:
    """What lives in the event loop."""

    servers: Sequence[KeptServer]
    web: GatewayWebServer
    edge: Edge
    recording_shed: "asyncio.Task[None]"
    keys: JwksKeys
    forwarder: Forwarder

    @classmethod
    async def begin(
        cls,
        config: GatewayConfig,
        state: _State,
        contracts: Mapping[str, MethodContract],
        clock: Clock,
    ) -> "_Running":
        engine, writer, registration, metrics = state.engine, state.writer, state.registration, state.metrics
        audience = config.system.spiffe_id
        keys = JwksKeys(config.jwks_url, config.tls.authority, state.admission.turns.away)
        forwarder = Forwarder(config.providers, config.tls)
        provider = IdentityProvider(config.identity_provider, config.issuer, audience, keys)
        telling = next((contract for contract in contracts.values() if contract.policy.tells_all_numbers), None)
        numbers = NumberRegister(config.system, telling, forwarder, state.admission.asking)
        services = _own_services(config, state, contracts, provider, clock, numbers.numbers_of)
        types = method_types(contracts, [service for service, _ in services])
        recorder = Recorder(writer, clock)
        telemetry = Telemetry(metrics, config.spans)
        edge = Edge(config.limits, state.admission, recorder, telemetry, {*contracts, *types})
        _watch(metrics, state.admission, writer)
        pipeline = Pipeline(
            contracts=contracts,
            local=local_methods(services),
            identifier=Identifier(registration),
            authenticator=Authenticator(config.issuer, audience, keys, clock),
            decider=Decider(registration, engine, writer, clock),
            forwarder=forwarder,
            recorder=recorder,
            edge=edge,
        )
        provided = {path.split("/")[1] for path in contracts}
        names = sorted(provided | {service.full_name for service, _ in services})
        async with AsyncExitStack() as undo:
            undo.push_async_callback(keys.aclose)
            undo.push_async_callback(forwarder.close)
            app = _application(config.limits, state, pipeline, types, clock)
            web = GatewayWebServer(config.web_host, config.web_port, config.tls, app, config.limits)
            undo.push_async_callback(web.stop)
            serve = partial(serve_grpc, config.address, config.tls, pipeline, config.limits, names)
            servers = [KeptServer(serve, _GRACE_S) for _ in range(_SERVERS)]
            for server in servers:
                await server.start()
            await web.start()
            undo.pop_all()
        return cls(servers, web, edge, asyncio.create_task(edge.keep_recording_shed()), keys, forwarder)

    async def end(self) -> None:
        await asyncio.gather(*(server.stop() for server in self.servers), self.web.stop())
        self.recording_shed.cancel()
        self.edge.record_shed()
        await self.forwarder.close()
        await self.keys.aclose()


def _watch(metrics: Metrics, admission: Admission, writer: LogWriter) -> None:
    metrics.watch("calls_in_flight", "Calls under way.", lambda: admission.in_flight)
    metrics.watch("calls_in_line", "Calls that wait to be worked on.", lambda: admission.turns.waiting)
    metrics.watch("log_queue_entries", "Entries that wait to be written to the log.", lambda: writer.depth)


def _application(
    limits: Limits, state: _State, pipeline: Pipeline, types: Mapping[str, MethodTypes], clock: Clock
) -> ASGIApp:
    """Return what is served over HTTPS: calls, pages and the log's files."""
    peers, identifier = Peers(), pipeline.identifier
    calls = ConnectCalls(pipeline, types, limits, peers)
    pages = GatewayPages(identifier, peers, state.metrics, partial(openapi_document, pipeline.contracts, types))
    files = LogFiles(TileSource(state.engine), state.writer, state.registration, clock, identifier, peers)
    anybody = OpenAdmission(limits.anybody, time.monotonic)
    return SafeHeaders(Door(create_app(calls, pages, files), calls.takes, state.admission, anybody, peers))


def _own_services(
    config: GatewayConfig,
    state: _State,
    contracts: Mapping[str, MethodContract],
    provider: IdentityProvider,
    clock: Clock,
    numbers_of: NumbersOf,
) -> list[tuple[ServiceDescriptor, Mapping[str, Answerer]]]:
    """Return what the gateway answers itself."""
    engine, writer, registration = state.engine, state.writer, state.registration
    key, system = config.checkpoint_key.verifier, config.system
    consents = ConsentStore(engine)
    return [
        (
            consent_pb2.DESCRIPTOR.services_by_name["ConsentService"],
            consent_answers(registration, contracts, consents, writer, provider, clock, str(system)),
        ),
        (
            catalogue_pb2.DESCRIPTOR.services_by_name["CatalogueService"],
            CatalogueAnswers(registration, contracts, clock).answers(),
        ),
        (
            administration_pb2.DESCRIPTOR.services_by_name["AdministrationService"],
            AdministrationAnswers(registration, contracts, engine, writer, clock).answers(),
        ),
        (
            log_pb2.DESCRIPTOR.services_by_name["ExchangeLogService"],
            LogAnswers(registration, engine, writer, key, clock, config.witnesses, numbers_of).answers(),
        ),
        (
            rights_pb2.DESCRIPTOR.services_by_name["SubjectRightsService"],
            SubjectRightsAnswers(system, registration, engine, writer, state.erasure, clock, numbers_of).answers(),
        ),
    ]
