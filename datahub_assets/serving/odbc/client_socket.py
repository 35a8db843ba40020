"""One client's socket: what comes goes to its ``Connection``, whose replies are sent as fast as the client reads."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from datahub_assets.serving.odbc.connection import CancelOther, Connection, GoOnInTls, Over, Reply
from datahub_assets.serving.odbc.replies import Fault, error
from datahub_assets.serving.session import Identity

if TYPE_CHECKING:
    from datahub_assets.serving.odbc.server import Server

LOG = logging.getLogger("datahub.odbc")
_WAITING_BYTES = 1024 * 1024
_SENT_AT_ONCE = 256 * 1024
_BUFFERED = 1024 * 1024


class ClientSocket(asyncio.Protocol):
    """See the module. Everything but ``cancel`` and ``call`` happens in the event loop's thread."""

    def __init__(self, server: "Server", process: int, secret: int) -> None:
        self._server, self.process, self.secret = server, process, secret
        self.over = asyncio.Event()
        """The client has gone."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._inbox = bytearray()
        self._arrived, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._lost = self._paused = self._busy = False
        self._ending: Fault | None = None
        self._talking: asyncio.Task[None] | None = None

    @property
    def identity(self) -> Identity | None:
        """Who signed in."""
        return self._connection.identity if self._connection is not None else None

    def cancel(self) -> None:
        """What is being computed ends. From any thread."""
        if self._connection is not None and self._connection.conversation is not None:
            self._connection.conversation.cancel()

    def call(self, act: Callable[..., None], *arguments: Any) -> None:
        """The act happens in the event loop. From any thread."""
        self._loop.call_soon_threadsafe(act, *arguments)

    def end(self, fault: Fault, now: bool) -> None:
        """The client hears why, and the connection ends: once what is being computed is done, or ``now``."""
        self._ending = self._ending or fault
        if now:
            self.cancel()
        self._arrived.set()
        if now and not self._writable.is_set():  # a client that does not read hears nothing
            self._abort()

    # -- asyncio ---------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(_BUFFERED)
        if self._transport is not None:  # in TLS from now on
            self._transport = transport
            return
        self._transport = transport
        place = self._server.came(self, transport)
        if place is None:
            self.over.set()
            transport.abort()
            return
        self._connection = Connection(self._server.engine, place, self._server.admit)
        self._talking = self._loop.create_task(self._talk())

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._inbox += data
        self._arrived.set()
        if len(self._inbox) > _WAITING_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._lost = True
        self._writable.set()
        self._arrived.set()
        self.cancel()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable.set()

    # -- the conversation ------------------------------------------------------------------------------------------------

    async def _talk(self) -> None:
        assert self._connection is not None
        limit = self._loop.call_later(self._server.options.sign_in_seconds, self._sign_in_late)
        try:
            while not self._lost and await self._turn():
                pass
        except Exception:
            LOG.exception("connection %d ended by a fault of the server's", self.process)
            self._write(error(Fault("XX000", "A fault of the server's", severity="FATAL")))
        finally:
            limit.cancel()
            self._server.went(self)
            await self._in_thread(self._connection.close)
            if self._transport is not None:
                self._transport.close()
            self.over.set()

    async def _turn(self) -> bool:
        """Answers what has come; False: the connection is over."""
        assert self._connection is not None
        await self._arrived.wait()
        self._arrived.clear()
        if self._ending is not None:
            return await self._answer(self._connection.end(self._ending))
        data = bytes(self._inbox)
        self._inbox.clear()
        self._resume()
        self._connection.receive(data)
        going_on = await self._answer(self._connection.replies())
        if going_on and self._ending is not None:
            self._arrived.set()
        return going_on

    async def _answer(self, replies: Iterator[Reply]) -> bool:
        while not self._lost:
            data, event, more = await self._in_thread(_gathered, replies)
            if data:
                self._write(data)
                await self._writable.wait()
            if isinstance(event, Over):
                return False
            if isinstance(event, GoOnInTls):
                if not await self._go_on_in_tls(event):
                    return False
            elif isinstance(event, CancelOther):
                await self._loop.run_in_executor(None, self._server.cancel, event)
            if not more:
                return True
        return False

    async def _go_on_in_tls(self, event: GoOnInTls) -> bool:
        assert self._transport is not None
        assert self._connection is not None
        if self._inbox:  # data before TLS began must not be taken for data within it
            return False
        self._write(event.said)
        assert self._server.context is not None
        try:
            transport = await self._loop.start_tls(
                self._transport, self, self._server.context, server_side=True, ssl_handshake_timeout=20
            )
        except (TimeoutError, OSError) as found:
            LOG.info("no TLS with connection %d: %s", self.process, found)
            return False
        if transport is None:
            return False
        transport.set_write_buffer_limits(_BUFFERED)
        self._transport = transport
        self._connection.in_tls, self._connection.certificate_hash = True, self._server.certificate_hash
        return True

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _sign_in_late(self) -> None:
        if self.identity is None:
            self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _in_thread(self, act: Callable[..., Any], *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._server.pool, act, *arguments)


def _gathered(replies: Iterator[Reply]) -> tuple[bytes, Reply | None, bool]:
    """The next replies in one piece, up to one that is no bytes; and whether there may be more."""
    parts, size = list[bytes](), 0
    for reply in replies:
        if not isinstance(reply, bytes):
            return b"".join(parts), reply, True
        parts.append(reply)
        size += len(reply)
        if size >= _SENT_AT_ONCE:
            return b"".join(parts), None, True
    return b"".join(parts), None, False
