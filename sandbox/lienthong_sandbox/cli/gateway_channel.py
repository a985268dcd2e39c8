"""How a command reaches a running gateway: in a world's folder, or at an address with a certificate."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import grpc
import typer
from rich.console import Console

from lienthong.client import explain
from lienthong_core.certificates import TlsIdentity
from lienthong_core.channels import DIRECT
from lienthong_core.systems import SystemId
from lienthong_sandbox.cli.telling import fail, told
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.world import World


@contextmanager
def gateway_channel(
    data: Path | None, gateway: str | None, certificate: Path | None, system: SystemId
) -> Generator[grpc.Channel]:
    """Open a channel to the gateway: at `gateway` with `certificate`, each if given, else as the folder `data` says.

    `system` is whose certificate is taken from the folder. What the gateway refuses, or a folder lacks, is printed and
    ends the command with exit code 1; too few options with 2.
    """
    try:
        address = _address(data, gateway)
        folder = certificate or World(_folder(data, "--certificate")).client_folder(system)
        with channel_at(address, folder) as channel:
            yield channel
    except OSError as error:
        fail("Not connected", error)
    except grpc.RpcError as error:
        why = explain(error)
        Console(stderr=True).print(told(why.reason, why.message), soft_wrap=True)
        raise typer.Exit(1) from error


@contextmanager
def channel_at(address: str, certificate: Path) -> Generator[grpc.Channel]:
    """Open a channel to a gateway with a system's certificate; raises OSError if the folder does not hold one."""
    credentials = TlsIdentity.load(certificate).channel_credentials()
    with grpc.secure_channel(address, credentials, DIRECT) as channel:
        yield channel


def _address(data: Path | None, gateway: str | None) -> str:
    if gateway is not None:
        return gateway
    return Endpoints.load(_folder(data, "--gateway")).gateway


def _folder(data: Path | None, other: str) -> Path:
    if data is None:
        raise typer.BadParameter(f"name the folder of a running `lienthong up --data` with --data, or give {other}")
    return data
