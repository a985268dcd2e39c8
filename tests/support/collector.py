"""An OpenTelemetry collector that keeps what it is sent: OTLP over HTTP on a free port of this machine."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import cast


class Collector(HTTPServer):
    """Answers every export with success."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Exports)
        self.bodies: list[bytes] = []

    @property
    def endpoint(self) -> str:
        """Where traces are sent."""
        return f"http://127.0.0.1:{self.server_port}/v1/traces"


class _Exports(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keep the body."""
        body = self.rfile.read(int(self.headers["content-length"]))
        cast("Collector", self.server).bodies.append(body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as http.server calls it)
        """Write nothing."""


@contextmanager
def collector() -> Generator[Collector]:
    """Run a collector until the block ends."""
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, name="collector", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
