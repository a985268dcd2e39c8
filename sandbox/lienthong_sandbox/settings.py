"""What a single service is told from outside, by environment variables."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.services import SERVICES


class ServiceSettings(BaseSettings):
    """Environment of one service's container. Each variable is `LIENTHONG_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_")

    data: Path = Path("/world")
    """Folder of the world; the service's own subfolder is enough."""
    host: str = "0.0.0.0"  # noqa: S104 (inside its container; what is published is compose's decision)
    """Address to listen on."""
    addresses: dict[str, str] = {}
    """JSON object: where services answer gRPC, `host:port` by name; left out: the name and its usual port."""
    urls: dict[str, str] = {}
    """JSON object: services' pages as browsers see them, by name; left out: `https://localhost` and the usual port."""
    identity_backchannel: str = "https://identity:7444"
    """Where other services reach the identity provider's pages, if not under the address that browsers see."""
    seed: int = 1
    """Same seed, same people."""
    citizens: int = 10_000
    """How many citizens an empty database is filled with."""

    def endpoints(self) -> Endpoints:
        """Return where each service is."""
        addresses = {service.name: f"{service.name}:{service.port}" for service in SERVICES}
        urls = {service.name: f"https://localhost:{service.web_port}" for service in SERVICES if service.web_port}
        return Endpoints({**addresses, **self.addresses}, {**urls, **self.urls})
