"""Callers in a process of their own, who read a citizen's record without pause. Run as a module, it is that process."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import grpc.aio

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.client import Receipt, explain
from lienthong_core.certificates import TlsIdentity

ROOT = Path(__file__).parents[2]
_PATH = "/lienthong.api.population.v1.PopulationService/GetCitizen"
_DEADLINE_S = 20.0
_LONGEST_S = 40.0
# Without it, gRPC would have all channels of a process share one connection.
_OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True)
class Crowd:
    """Who calls: `callers` at once, spread over `connections`; who is refused comes back when the refusal says."""

    address: str
    certificate: str
    """Folder with the callers' certificate."""
    metadata: Sequence[tuple[str, str]]
    number: str
    callers: int
    connections: int
    seconds: float


@dataclass
class Told:
    """What the callers were told, and how long each answer took."""

    answered_s: list[float] = field(default_factory=list[float])
    exchanges: dict[str, int] = field(default_factory=dict[str, int])
    """Place in the log of every answer, by exchange."""
    refusals: list[tuple[str, str, float | None]] = field(default_factory=list[tuple[str, str, float | None]])
    """Status and reason of every refusal, and after how many seconds to come back."""

    @property
    def median_s(self) -> float:
        """Time of the median answer, as its caller saw it."""
        return median(self.answered_s)


def call(crowd: Crowd) -> Told:
    """Let a crowd call, and return what it was told once it is done."""
    command = [sys.executable, "-m", "tests.support.crowd", json.dumps(asdict(crowd))]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, timeout=_LONGEST_S, check=True, text=True, encoding="utf-8"
    )
    return Told(**json.loads(done.stdout))


async def _call(crowd: Crowd) -> Told:
    told, credentials = Told(), TlsIdentity.load(Path(crowd.certificate)).channel_credentials()
    channels = [grpc.aio.secure_channel(crowd.address, credentials, _OWN_CONNECTION) for _ in range(crowd.connections)]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    over = asyncio.get_running_loop().time() + crowd.seconds
    callers = (_read(channels[number % len(channels)], crowd, over, told) for number in range(crowd.callers))
    await asyncio.gather(*callers)
    await asyncio.gather(*(channel.close() for channel in channels))
    return told


async def _read(channel: grpc.aio.Channel, crowd: Crowd, over: float, told: Told) -> None:
    loop = asyncio.get_running_loop()
    read: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_PATH)
    request = GetCitizenRequest(personal_number=crowd.number).SerializeToString()
    metadata = tuple((key, value) for key, value in crowd.metadata)
    while (began := loop.time()) < over:
        call = read(request, metadata=metadata, timeout=_DEADLINE_S)
        try:
            await call
        except grpc.aio.AioRpcError as error:
            why = explain(error)
            told.refusals.append((why.status.name, why.reason, why.retry_after_s))
            await asyncio.sleep(max(0.0, min(why.retry_after_s or 0.0, over - loop.time())))
        else:
            told.answered_s.append(loop.time() - began)
            receipt = Receipt.of(await call.trailing_metadata())
            told.exchanges[receipt.exchange_id] = receipt.log_index


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(asyncio.run(_call(Crowd(**json.loads(sys.argv[1])))))))
