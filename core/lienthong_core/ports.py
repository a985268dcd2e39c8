"""Free ports that stay free until a server takes them."""

import contextlib
import errno
import socket
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def reserved_port(host: str, port: int = 0) -> Generator[int]:
    """Hold a port of `host` and give its number; 0 chooses a free one.

    The holding socket never listens, and it allows a server with SO_REUSEPORT (gRPC's default) to bind beside it. So
    addresses can be handed out before the servers start, and no other process is given the port in between.
    Raises OSError if somebody else has the port, there is no such port, or it cannot be had for another reason, which
    the error says.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port:
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(alone, host, port)
    holder = socket.socket(family, socket.SOCK_STREAM)
    with contextlib.closing(holder):
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(holder, host, port)
        yield holder.getsockname()[1]


def _bind(to_bind: socket.socket, host: str, port: int) -> None:
    try:
        to_bind.bind((host, port))
    except OSError as error:
        taken = "is taken; choose another"
        why = taken if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise OSError(error.errno, f"port {port} of {host} {why}") from error
    except OverflowError as error:
        raise OSError(errno.EINVAL, f"port {port} of {host} is none; choose one from 1 to 65535") from error
