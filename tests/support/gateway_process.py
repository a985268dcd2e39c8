"""A gateway in a process of its own, which a test can kill. Run as a module, it is that process."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

from lienthong_core.certificates import TlsIdentity
from lienthong_core.clock import Clock, SystemClock
from lienthong_gateway.config import GatewayConfig
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members

ROOT = Path(__file__).parents[2]
_READY = "ready\n"
_END_S = 20.0


class GatewayProcess:
    """Starts a gateway with a configuration; it tells the machine's time."""

    def __init__(self, config: GatewayConfig, _clock: Clock, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        config.tls.save(folder)
        config.checkpoint_key.save(folder / "checkpoint.key")
        settings = {
            "address": config.address,
            "web_host": config.web_host,
            "web_port": config.web_port,
            "database_url": config.database_url,
            "population": config.providers[members.POPULATION],
            "issuer": config.issuer,
            "jwks_url": config.jwks_url,
        }
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [sys.executable, "-m", "tests.support.gateway_process", str(self._folder)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == _READY

    @property
    def resident_bytes(self) -> int:
        """How much of the machine's memory the process has now."""
        assert self._process is not None
        pages = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()

    def kill(self) -> None:
        """End the process as a power cut would: no handler of its own runs."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process if it runs."""
        self._end(signal.SIGTERM)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            with self._process:
                self._process.send_signal(with_signal)
                self._process.wait(_END_S)
            self._process = None


def main(folder: Path) -> None:
    """Run the gateway that `folder` describes until the process is ended."""
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    config = GatewayConfig(
        system=members.GATEWAY,
        address=settings["address"],
        web_host=settings["web_host"],
        web_port=settings["web_port"],
        database_url=settings["database_url"],
        tls=TlsIdentity.load(folder),
        checkpoint_key=CheckpointKey.load(folder / "checkpoint.key"),
        registration=members.registration(),
        providers={members.POPULATION: settings["population"]},
        identity_provider=members.IDENTITY,
        issuer=settings["issuer"],
        jwks_url=settings["jwks_url"],
    )
    server = GatewayServer(config, SystemClock())
    server.start()
    sys.stdout.write(_READY)
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
