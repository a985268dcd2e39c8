"""One service of a world in this process, where the world's `endpoints.json` says it is.

    python -m benchmarks.service NAME FOLDER

Says `ready`, and ends with whoever started it. (`lienthong serve` is the same on the fixed ports of containers.)
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from lienthong_core.clock import SystemClock
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.filling import Filling
from lienthong_sandbox.services import Listen, Setting, service_named
from lienthong_sandbox.world import World

CITIZENS = 10_000


def serve(name: str, folder: Path) -> None:
    """Fill the service's database and answer."""
    endpoints = Endpoints.load(folder)
    web = urlsplit(endpoints.urls.get(name, ""))
    setting = Setting(World(folder), endpoints, SystemClock())
    server = service_named(name).make(setting, Listen(endpoints.addresses[name], web.hostname or "", web.port or 0))
    try:
        filling = Filling(1, CITIZENS)
        filling.fill(server, setting)
        filling.finish()
        server.start()
        print("ready", flush=True)
        sys.stdin.read()
    finally:
        server.stop()


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
