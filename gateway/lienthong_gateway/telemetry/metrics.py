"""Prometheus metrics of one gateway, in a registry of its own: several gateways live in one process."""

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from lienthong_core.errors import reason_name
from lienthong_gateway.exchange import Trace
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS
from lienthong_gateway.telemetry.outcome import RELEASED, Outcome

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_ENTRIES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# Labels come from lists of our own: a caller that could invent them could fill the memory with them.
_REASONS = frozenset({RELEASED, *(reason_name(reason) for reason in ErrorReason.values())})
_OTHER = "other"


class Metrics:
    """What is counted and timed. `observe` is called in the event loop, `observe_batch` in any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._steps = Histogram(
            "lienthong_gateway_step_seconds",
            "Time that a step of an exchange took.",
            ["step"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._providers = Histogram(
            "lienthong_gateway_provider_seconds",
            "Time that a provider took to answer.",
            ["provider"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._decisions = Counter(
            "lienthong_gateway_decisions",
            "Calls, by how they ended: RELEASED, or the reason of the refusal (other: a provider's own).",
            ["reason", "legal_basis"],
            registry=self._registry,
        )
        self._batches = Histogram(
            "lienthong_gateway_log_batch_entries",
            "Entries written to the exchange log in one transaction.",
            registry=self._registry,
            buckets=_ENTRIES,
        )
        # A label's child is looked up in a dictionary: prometheus_client's own lookup takes a lock and builds a key.
        self._of_step: dict[str, Histogram] = {}
        self._of_provider: dict[str, Histogram] = {}
        self._of_decision: dict[tuple[str, str], Counter] = {}
        self._info()

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Show a value that is asked for whenever the metrics are."""
        Gauge(f"lienthong_gateway_{name}", what, registry=self._registry).set_function(value)

    def observe(self, trace: Trace, outcome: Outcome) -> None:
        """Count one call that is over, and the time of each step it reached."""
        for step, (_, microseconds) in trace.steps_of_call.items():
            child = self._of_step.get(step)
            if child is None:
                child = self._of_step[step] = self._steps.labels(step)
            child.observe(microseconds / 1e6)
        if "forward" in trace.steps_of_call:
            provider = self._of_provider.get(trace.provider)
            if provider is None:
                provider = self._of_provider[trace.provider] = self._providers.labels(trace.provider)
            provider.observe(trace.steps_of_call["forward"][1] / 1e6)
        self._decided(outcome.reason, trace.legal_basis)

    def observe_batch(self, entries: int) -> None:
        """Count one batch of the log's writer."""
        self._batches.observe(entries)

    def text(self) -> bytes:
        """Return everything, in Prometheus's text format (CONTENT_TYPE)."""
        return generate_latest(self._registry)

    def _decided(self, reason: str, legal_basis: str) -> None:
        counter = self._of_decision.get((reason, legal_basis))
        if counter is None:
            known_reason = reason if reason in _REASONS else _OTHER
            known_basis = legal_basis if legal_basis in LEGAL_BASIS_HEADERS else ""
            counter = self._decisions.labels(known_reason, known_basis)
            if (known_reason, known_basis) == (reason, legal_basis):
                self._of_decision[reason, legal_basis] = counter
        counter.inc()

    def _info(self) -> None:
        build = Info("lienthong_gateway_build", "What runs here.", registry=self._registry)
        build.info({"version": version("lienthong"), "grpc": version("grpcio"), "protobuf": version("protobuf")})
        ProcessCollector(registry=self._registry)
