"""Sockets for ``connection``: one event loop for all clients, threads for those whose statements compute.

An idle connection holds a socket and its state, no thread. Rows are computed by a thread while those before are being sent;
a client that reads slowly stops its own statement and nobody else's.
"""

import asyncio
import logging
import secrets
import signal
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from datahub_assets.errors import DatahubError
from datahub_assets.serving.engine import Engine
from datahub_assets.serving.odbc import tls
from datahub_assets.serving.odbc.client_socket import ClientSocket
from datahub_assets.serving.odbc.connection import CancelOther, Place, revoked
from datahub_assets.serving.odbc.replies import Fault
from datahub_assets.serving.refusals import NotSignedIn, Refused
from datahub_assets.serving.session import Identity

LOG = logging.getLogger("datahub.odbc")
_LOOK_SECONDS = 1.0


class TooManyConnections(Refused):
    """As many connections are open as the server, or the person, may have."""

    sqlstate = "53300"
    turn = "nobody: ask again in a moment"
    retry_helps = True


@dataclass(frozen=True)
class ServerOptions:
    """Where the server listens, and its limits. Without a certificate it speaks no TLS."""

    host: str = "127.0.0.1"
    port: int = 15432
    certificate: Path | None = None
    key: Path | None = None
    demand_tls: bool = False
    connections: int = 200
    connections_a_user: int = 100
    sign_in_seconds: float = 60.0
    stop_seconds: float = 30.0
    """How long what is being computed may go on once the server stops."""
    threads: int = 64


@dataclass
class Server:
    """A server of the ODBC door over an engine. ``port``: where it listens, once it does."""

    engine: Engine
    options: ServerOptions = field(default_factory=ServerOptions)
    port: int = 0

    def __post_init__(self) -> None:
        """Its parts."""
        self._clients: dict[int, ClientSocket] = {}
        self._last = 0
        self._pool = ThreadPoolExecutor(self.options.threads, "odbc")
        self._context: ssl.SSLContext | None = None
        self._hash: bytes | None = None
        if self.options.certificate is not None and self.options.key is not None:
            self._context = tls.context(self.options.certificate, self.options.key)
            self._hash = tls.certificate_hash(self.options.certificate)
        self._listening: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """It listens.

        Raises:
            OSError: the address is taken.
        """
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            self._client, self.options.host, self.options.port, backlog=256, reuse_address=True
        )
        self.port = self._listening.sockets[0].getsockname()[1]
        self._watch = loop.create_task(self._look())

    async def stop(self) -> None:
        """Nobody is served any more: idle clients at once, others when their statement ends or ``stop_seconds`` are over."""
        if self._listening is not None:
            self._listening.close()
        if self._watch is not None:
            self._watch.cancel()
        over = Fault("57P01", "The server stops", hint="Connect again in a moment.", severity="FATAL")
        clients = list(self._clients.values())
        for client in clients:
            client.end(over, now=False)
        waiting = [client.over.wait() for client in clients]
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*waiting), self.options.stop_seconds)
        for client in list(self._clients.values()):
            client.end(over, now=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(client.over.wait() for client in clients)), 5)
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def connected(self) -> int:
        """Clients that have a connection."""
        return len(self._clients)

    def _client(self) -> ClientSocket:
        self._last = self._last % (2**31 - 1) + 1
        process, secret = self._last, secrets.randbits(32) - 2**31
        client = ClientSocket(self, process, secret)
        return client

    # -- for its clients -------------------------------------------------------------------------------------------------

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Threads that compute."""
        return self._pool

    @property
    def context(self) -> ssl.SSLContext | None:
        """How TLS is spoken; None: it is not."""
        return self._context

    @property
    def certificate_hash(self) -> bytes | None:
        """What a sign-in over TLS can be bound to."""
        return self._hash

    def came(self, client: ClientSocket, transport: asyncio.Transport) -> Place | None:
        """A client has connected; → its place, None: there is none."""
        if len(self._clients) >= 2 * self.options.connections:
            return None
        self._clients[client.process] = client
        found = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        address = transport.get_extra_info("peername")
        name = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "local"
        return Place(name, client.process, client.secret, self._context is not None, self.options.demand_tls)

    def went(self, client: ClientSocket) -> None:
        """A client has gone."""
        self._clients.pop(client.process, None)

    def admit(self, identity: Identity) -> None:
        """A person may have one connection more. Raises TooManyConnections."""
        users = Counter(found.user for client in list(self._clients.values()) if (found := client.identity) is not None)
        if users.total() >= self.options.connections:
            raise TooManyConnections("Too many connections", got=str(users.total()))
        if users[identity.user] >= self.options.connections_a_user:
            raise TooManyConnections(
                "Too many connections of one user", where=identity.user, got=str(users[identity.user])
            )

    def cancel(self, asked: CancelOther) -> None:
        """What another client computes is cancelled, if the request has its secret."""
        client = self._clients.get(asked.process)
        if client is not None and secrets.compare_digest(str(client.secret), str(asked.secret)):
            client.cancel()

    async def _look(self) -> None:
        """Ends the connections of people who may not read any more."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await asyncio.get_running_loop().run_in_executor(None, self._revoke)
            except DatahubError as error:  # the access file is wrong: nobody's statements run until it is right
                LOG.warning("%s", error)

    def _revoke(self) -> None:
        for client in list(self._clients.values()):
            if client.identity is None:
                continue
            try:
                self.engine.require_signed_in(client.identity)
            except NotSignedIn as error:
                client.call(client.end, revoked(error), True)


async def serve(server: Server, stop: asyncio.Event, started: Callable[[], None] = lambda: None) -> None:
    """Serves until ``stop`` is set."""
    await server.start()
    started()
    try:
        await stop.wait()
    finally:
        await server.stop()


async def serve_until_told(server: Server, started: Callable[[], None] = lambda: None) -> None:
    """Serves until the process is asked to stop (SIGTERM, SIGINT)."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(server, stop, started)
