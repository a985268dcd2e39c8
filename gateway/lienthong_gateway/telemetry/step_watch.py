"""How long the steps of a call take, those that fail or are cut short included: an outage shows in what it cost."""

import time

from lienthong_gateway.exchange import Trace


class StepWatch:
    """Notes in the trace how long each step took, one after the other. A class: every exchange passes here."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._name = ""
        self._began = 0

    def step(self, name: str) -> "StepWatch":
        """Return what lasts as long as the step does."""
        self._name = name
        return self

    def __enter__(self) -> None:
        self._began = time.perf_counter_ns()

    def __exit__(self, *_error: object) -> None:
        trace, name = self._trace, self._name
        took = (time.perf_counter_ns() - self._began) // 1_000
        trace.step_us[name] = took
        first, before = trace.steps_of_call.get(name, ((self._began - trace.began_ns) // 1_000, 0))
        trace.steps_of_call[name] = (first, before + took)
