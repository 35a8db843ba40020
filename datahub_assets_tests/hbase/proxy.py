"""A TCP proxy before a gateway: ends TLS, cuts answers in the middle, loses them whole."""

import contextlib
import socket
import ssl
import threading
from typing import Self

from datahub_assets_tests.hbase.cluster import HOST


class Proxy:
    """Forwards connections to a port of this machine, until it is closed."""

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port. ``tls``: clients speak TLS, the target does not."""
        self._target, self._tls = target, tls
        self._listening = socket.create_server((HOST, 0))
        self.port = int(self._listening.getsockname()[1])
        self.cut_after: list[int] = []
        """For each of the next connections: after so many bytes of answers it is cut."""
        self.lost_after: bytes | None = None
        """The connection of the next request that holds these bytes is cut as soon as the target has answered."""
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """host:port."""
        return f"{HOST}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError), accepted:
            client = self._tls.wrap_socket(accepted, server_side=True) if self._tls else accepted
            with client, socket.create_connection((HOST, self._target)) as server:
                losing = threading.Event()
                threading.Thread(target=self._requests, args=(client, server, losing), daemon=True).start()
                self._answers(client, server, losing)
                for side in (client, server):  # closing alone says nothing while the other thread reads
                    side.shutdown(socket.SHUT_RDWR)

    def _requests(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if self.lost_after and self.lost_after in data:
                    self.lost_after = None
                    losing.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _answers(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        left = self.cut_after.pop(0) if self.cut_after else None
        while data := server.recv(1 << 16):
            if losing.is_set():
                self.cuts += 1
                return
            if left is not None and len(data) >= left:
                client.sendall(data[:left])
                self.cuts += 1
                return
            left = None if left is None else left - len(data)
            client.sendall(data)
