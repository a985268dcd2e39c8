"""Two replicas of a gateway on one database."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from lienthong_core.ports import reserved_port
from lienthong_gateway.server import GatewayServer
from tests.support.gateway_world import HOST, GatewayWorld, gateway_world


@contextmanager
def two_replicas(database_url: str) -> Generator[tuple[GatewayWorld, GatewayWorld]]:
    """Run a gateway and another on its database, with the same neighbours."""
    with gateway_world(database_url) as first, ExitStack() as stack:
        port = stack.enter_context(reserved_port(HOST))
        config = replace(first.config, address=f"{HOST}:{port}")
        gateway = GatewayServer(config, first.clock)
        stack.callback(gateway.stop)
        gateway.start()
        yield first, replace(first, config=config, gateway=gateway, _open={})
