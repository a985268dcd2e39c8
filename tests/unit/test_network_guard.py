import asyncio
import socket

import grpc
import grpc.aio
import pytest
from pytest_socket import SocketConnectBlockedError

# A documentation address (RFC 5737), so that even an unguarded test would reach nobody.
ELSEWHERE = "192.0.2.1"


def test_a_python_socket_cannot_connect_to_another_machine() -> None:
    with socket.socket() as sock, pytest.raises(SocketConnectBlockedError):
        sock.connect((ELSEWHERE, 443))


@pytest.mark.parametrize("target", [f"{ELSEWHERE}:443", f"ipv4:{ELSEWHERE}:443", f"dns:///{ELSEWHERE}:443"])
def test_a_grpc_channel_cannot_be_opened_to_another_machine(target: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="only this machine"):
        grpc.insecure_channel(target)


@pytest.mark.parametrize("target", ["127.0.0.1:50051", "localhost:50051", "[::1]:50051", "unix:///tmp/none.sock"])
def test_a_grpc_channel_to_this_machine_can_be_opened(target: str) -> None:
    grpc.insecure_channel(target).close()


async def open_elsewhere() -> None:
    grpc.aio.insecure_channel(f"{ELSEWHERE}:443")


def test_an_asynchronous_grpc_channel_cannot_be_opened_to_another_machine() -> None:
    with pytest.raises(pytest.fail.Exception, match="only this machine"):
        asyncio.run(open_elsewhere())
