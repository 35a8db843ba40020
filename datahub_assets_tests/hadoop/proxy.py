"""A wire that breaks: a proxy before a real server that cuts its answers where a test says."""

import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType

BYTES = 1 << 16


class BreakingWire:
    """Listens on 127.0.0.1 and passes everything on to a port there, both ways. A context manager.

    Each exchange (a request and its answer) has a number, from 0 on, over all connections. ``cut`` says how many bytes of its
    answer come through before the connection breaks; None lets the whole answer through.
    """

    def __init__(self, port: int, cut: Callable[[int], int | None]) -> None:
        self._to, self._cut = port, cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock, self.exchanges = threading.Lock(), 0
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> "BreakingWire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._ends.is_set():
            if select.select([self._listener], [], [], 0.1)[0]:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            left: int | None = None
            answering = True  # the next byte of the client begins an exchange
            while not self._ends.is_set():
                for ready in select.select([client, server], [], [], 0.1)[0]:
                    try:
                        data = ready.recv(BYTES)
                    except ConnectionResetError:
                        return
                    if not data:
                        return
                    if ready is client:
                        if answering:
                            left, answering = self._next(), False
                        server.sendall(data)
                        continue
                    answering = True
                    client.sendall(data if left is None else data[:left])
                    if left is not None:
                        left -= len(data)
                        if left <= 0:
                            return

    def _next(self) -> int | None:
        with self._lock:
            number, self.exchanges = self.exchanges, self.exchanges + 1
        return self._cut(number)
