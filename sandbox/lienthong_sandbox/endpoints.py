"""Where each service of a world is reached."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

FILE_NAME = "endpoints.json"


@dataclass(frozen=True)
class Endpoints:
    """gRPC addresses are `host:port`; web addresses are URLs without a slash at the end."""

    gateway: str
    population: str
    identity: str
    portal: str
    identity_url: str
    portal_url: str

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read them from a world's folder."""
        return cls(**json.loads((folder / FILE_NAME).read_text(encoding="utf-8")))

    def save(self, folder: Path) -> None:
        """Write them into a world's folder, for whoever wants to connect."""
        (folder / FILE_NAME).write_text(f"{json.dumps(asdict(self), indent=2)}\n", encoding="utf-8")
