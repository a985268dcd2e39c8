"""A way to a server over TCP that a test can cut, or let fall silent."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_CHUNK = 65_536


class Line:
    """Passes on what it gets, in both directions, until it is told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        """`host` and `port` are the server's."""
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._passes = threading.Event()
        self._passes.set()
        self._threads = [threading.Thread(target=self._accept, name="line", daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that leads to the server."""
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """End every connection, and each that is tried from now on: the server is gone."""
        with self._lock:
            self._is_cut = True
        self._end_all()

    def silence(self) -> None:
        """Pass nothing on from now on, though every connection stays: the server hangs."""
        self._passes.clear()

    def mend(self) -> None:
        """Pass everything on again; connections that hang are ended, as a server that comes back ends them."""
        if not self._passes.is_set():
            self._end_all()
        with self._lock:
            self._is_cut = False
        self._passes.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._passes.set()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            with self._lock:
                refused = self._is_cut
                if not refused:
                    self._open |= {client, server}
            if refused:
                server.close()
                client.close()
                continue
            for source, target in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pass_on, args=(source, target), name="line", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(_CHUNK):
                self._passes.wait()
                target.sendall(part)
        self._end(source, target)

    def _end_all(self) -> None:
        with self._lock:
            ended = list(self._open)
        self._end(*ended)

    def _end(self, *ended: socket.socket) -> None:
        with self._lock:
            self._open -= set(ended)
        for one in ended:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
