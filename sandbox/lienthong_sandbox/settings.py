"""What a single service is told from outside, by environment variables or options of `lienthong serve`."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from lienthong_sandbox.endpoints import Endpoints

FIRST_PORT = 7440
GATEWAY_PORT, POPULATION_PORT, IDENTITY_PORT, PORTAL_PORT, IDENTITY_WEB_PORT, PORTAL_WEB_PORT = range(
    FIRST_PORT, FIRST_PORT + 6
)


class ServiceSettings(BaseSettings):
    """Environment of one service's container. Each variable is `LIENTHONG_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_")

    data: Path = Path("/world")
    """Folder of the world; the service's own subfolder is enough."""
    host: str = "0.0.0.0"  # noqa: S104 (inside its container; what is published is compose's decision)
    """Address to listen on."""
    gateway: str = f"gateway:{GATEWAY_PORT}"
    """Where the gateway is reached, `host:port`."""
    population: str = f"population:{POPULATION_PORT}"
    """Where the population database is reached."""
    identity: str = f"identity:{IDENTITY_PORT}"
    """Where the identity provider's gRPC service is reached."""
    portal: str = f"portal:{PORTAL_PORT}"
    """Where the portal's gRPC service is reached."""
    identity_url: str = f"https://localhost:{IDENTITY_WEB_PORT}"
    """The issuer: the identity provider's address as citizens' browsers see it, the same inside and outside."""
    identity_backchannel: str = f"https://identity:{IDENTITY_WEB_PORT}"
    """Where other services reach the identity provider, if not under its issuer address."""
    portal_url: str = f"https://localhost:{PORTAL_WEB_PORT}"
    """The portal's address as citizens' browsers see it."""
    seed: int = 1
    """Same seed, same people."""
    citizens: int = 10_000
    """How many citizens an empty database is filled with."""

    def endpoints(self) -> Endpoints:
        """Return where each service is."""
        return Endpoints(
            gateway=self.gateway,
            population=self.population,
            identity=self.identity,
            portal=self.portal,
            identity_url=self.identity_url,
            portal_url=self.portal_url,
        )
