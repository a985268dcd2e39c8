"""Where each service of a world is reached."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

FILE_NAME = "endpoints.json"


@dataclass(frozen=True)
class Endpoints:
    """`addresses` are each service's gRPC address, `host:port`; `urls` its pages, without a slash at the end."""

    addresses: Mapping[str, str]
    urls: Mapping[str, str]

    @property
    def gateway(self) -> str:
        """Where every consumer's calls go."""
        return self.addresses["gateway"]

    @property
    def gateway_url(self) -> str:
        """Where consumers call over HTTP, and where the gateway shows its OpenAPI document and metrics."""
        return self.urls["gateway"]

    @property
    def portal(self) -> str:
        """Where the portal's app and officers call."""
        return self.addresses["portal"]

    @property
    def identity_url(self) -> str:
        """The issuer: where citizens and OIDC clients meet the identity provider."""
        return self.urls["identity"]

    @property
    def portal_url(self) -> str:
        """Where citizens open the portal."""
        return self.urls["portal"]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read them from a world's folder; raises OSError if it does not say them."""
        file = folder / FILE_NAME
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
            # What is done with them needs these three, whatever else runs.
            _ = said["addresses"]["gateway"], said["urls"]["gateway"], said["urls"]["identity"]
            return cls(**said)
        except (TypeError, ValueError, LookupError) as error:
            raise OSError(f"{file} does not say where the services are; start `lienthong up` on the folder") from error

    def save(self, folder: Path) -> None:
        """Write them into a world's folder, for whoever wants to connect."""
        (folder / FILE_NAME).write_text(f"{json.dumps(asdict(self), indent=2)}\n", encoding="utf-8")


def collector_address(text: str) -> str:
    """Return where traces go over HTTP, as it was given; empty: nowhere.

    Raises ValueError if nothing can be sent there.
    """
    if text and not _is_whole_address(text):
        raise ValueError("write the whole address, with scheme and path, such as http://127.0.0.1:4318/v1/traces")
    return text


def _is_whole_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    # Without a path it would be sent to the collector's root, which takes nothing; whoever wants that writes the slash.
    named = parts.scheme in {"http", "https"} and parts.hostname and parts.path
    return bool(named) and port != 0 and text.isprintable() and " " not in text
