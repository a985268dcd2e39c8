"""What holds for every test: no other machine is contacted."""

import re
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

import grpc
import grpc.aio
import pytest
from hypothesis import HealthCheck, settings

# A property says nothing about speed, and a machine that is busy must not fail it: timings belong to benchmarks.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

pytest_plugins = ["tests.support.databases", "tests.support.figures"]

TARGET_ON_THIS_MACHINE = re.compile(r"unix(-abstract)?:|((dns|ipv4|ipv6):(///)?)?(127\.0\.0\.1|localhost|\[::1\]):\d+$")
P = ParamSpec("P")
R = TypeVar("R")


@pytest.fixture(autouse=True, scope="session")
def grpc_reaches_only_this_machine() -> Iterator[None]:
    """Refuse channels to other machines: gRPC opens its sockets in C, out of pytest-socket's sight."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (grpc, grpc.aio):
            for name in ("insecure_channel", "secure_channel"):
                patch.setattr(module, name, only_on_this_machine(getattr(module, name)))
        yield


def only_on_this_machine(open_channel: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function that opens a channel so that it refuses targets on other machines."""

    @wraps(open_channel)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        target = str(args[0] if args else kwargs["target"])
        if not TARGET_ON_THIS_MACHINE.match(target):
            pytest.fail(f"A test tried to open a gRPC channel to {target!r}: only this machine may be contacted.")
        return open_channel(*args, **kwargs)

    return guarded
