"""Calls to a gateway over HTTPS with curl: a client that nobody here wrote."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from lienthong_core.certificates import TlsIdentity

_MOST_S = 20


def curl_program() -> str:
    """Return where curl is; a test that needs it is left out where there is none."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("left out: no curl is installed")
    return program


@dataclass(frozen=True)
class HttpAnswer:
    """What came back; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 (any JSON)
        return json.loads(self.body)

    @property
    def error_info(self) -> ErrorInfo:
        """Return the reason of a refused call, from the bytes that are meant for programs."""
        (value,) = [detail["value"] for detail in self.json["details"] if detail["type"] == "google.rpc.ErrorInfo"]
        return ErrorInfo.FromString(base64.b64decode(value + "=="))


@dataclass(frozen=True)
class Curl:
    """Calls one gateway as one system. `folder` is its own; `tls` None: without a certificate."""

    url: str
    folder: Path
    tls: TlsIdentity | None
    authority: bytes

    def get(self, path: str, *arguments: str) -> HttpAnswer:
        """Fetch a path."""
        return self._run([*arguments, f"{self.url}{path}"])

    def post(
        self, path: str, body: bytes, headers: Iterable[tuple[str, str]] = (), content_type: str = "application/json"
    ) -> HttpAnswer:
        """Send a body as it is."""
        sent = [*headers, ("content-type", content_type)]
        options = [part for name, value in sent for part in ("--header", f"{name}: {value}")]
        return self._run([*options, "--data-binary", "@-", f"{self.url}{path}"], body)

    def call(self, method: str, request: object, headers: Iterable[tuple[str, str]] = ()) -> HttpAnswer:
        """Call a method with JSON."""
        return self.post(method, json.dumps(request).encode(), headers)

    def _run(self, arguments: list[str], body: bytes = b"") -> HttpAnswer:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "authority").write_bytes(self.authority)
        command = [curl_program(), "--silent", "--show-error", "--include", "--http1.1", "--noproxy", "*"]
        command += ["--max-time", str(_MOST_S), "--cacert", str(self.folder / "authority"), "--header", "Expect:"]
        if self.tls is not None:
            self.tls.save(self.folder)
            command += ["--cert", str(self.folder / "tls.crt"), "--key", str(self.folder / "tls.key")]
        done = subprocess.run([*command, *arguments], input=body, capture_output=True, check=True, timeout=_MOST_S + 5)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return HttpAnswer(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, content)
