"""What a single service is told from outside, by environment variables."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lienthong_gateway.edge.limits import Limits, Rate
from lienthong_sandbox.endpoints import Endpoints, collector_address
from lienthong_sandbox.services import SERVICES
from lienthong_seeds.population import MOST_CITIZENS

_MOST_PER_SECOND = 1_000_000


def _read(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError as error:
        raise ValueError('write a JSON object, such as {"gateway": "..."}') from error


def _named(*known: str) -> AfterValidator:
    """Return what refuses any other name: one that is misspelt would leave the usual place in use."""

    def check(by_name: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(by_name.keys() - set(known)):
            raise ValueError(f"there is no {', '.join(map(repr, unknown))}; the names are {', '.join(known)}")
        return by_name

    return AfterValidator(check)


# Read here: of text that is no JSON the library tells in another way than of every other fault.
_ByName = Annotated[dict[str, str], NoDecode, BeforeValidator(_read)]


class ServiceSettings(BaseSettings):
    """Environment of one service's container. Each variable is `LIENTHONG_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_")

    data: Path = Path("/world")
    """Folder of the world; the service's own subfolder is enough."""
    host: str = "0.0.0.0"  # noqa: S104 (inside its container; what is published is compose's decision)
    """Address to listen on."""
    addresses: Annotated[_ByName, _named(*(service.name for service in SERVICES))] = {}
    """JSON object: where services answer gRPC, `host:port` by name; left out: the name and its usual port."""
    urls: Annotated[_ByName, _named(*(service.name for service in SERVICES if service.web_port))] = {}
    """JSON object: services' pages as browsers see them, by name; left out: `https://localhost` and the usual port."""
    identity_backchannel: str = "https://identity:7444"
    """Where other services reach the identity provider's pages, if not under the address that browsers see."""
    seed: int = 1
    """Same seed, same people."""
    citizens: Annotated[int, Field(ge=1, le=MOST_CITIZENS)] = 10_000
    """How many citizens an empty database is filled with."""

    otlp_endpoint: Annotated[str, AfterValidator(collector_address)] = ""
    """Where the gateway's traces go over HTTP, such as `http://collector:4318/v1/traces`; empty: none are made."""
    calls_in_flight: Annotated[int, Field(ge=1)] = Limits.calls_in_flight
    """How many calls may be under way at the gateway; further ones are refused with a hint (docs/limits.md)."""
    rate_per_second: Annotated[float, Field(gt=0, le=_MOST_PER_SECOND)] = Limits.rate.per_second
    """How many calls a second one system may make at the gateway in the long run; twice as many at once."""

    def limits(self) -> Limits:
        """Return the gateway's limits."""
        rate = Rate(self.rate_per_second, max(1, round(2 * self.rate_per_second)))
        return Limits(calls_in_flight=self.calls_in_flight, rate=rate)

    def endpoints(self) -> Endpoints:
        """Return where each service is."""
        addresses = {service.name: f"{service.name}:{service.port}" for service in SERVICES}
        urls = {service.name: f"https://localhost:{service.web_port}" for service in SERVICES if service.web_port}
        return Endpoints({**addresses, **self.addresses}, {**urls, **self.urls})
