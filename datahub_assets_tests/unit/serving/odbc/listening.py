"""A server of the ODBC door in a thread of the test's process, on a free port of 127.0.0.1."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from datahub_assets.serving.engine import Engine
from datahub_assets.serving.odbc.server import Server, ServerOptions, serve


@dataclass(frozen=True)
class Listening:
    """A server that listens."""

    server: Server

    @property
    def port(self) -> int:
        """Where."""
        return self.server.port

    def dsn(self, user: str = "ann", password: str = "password", database: str = "datahub", **more: Any) -> str:
        """How libpq connects."""
        given = {"host": "127.0.0.1", "port": self.port, "user": user, "password": password, "dbname": database, **more}
        return " ".join(f"{name}='{value}'" for name, value in given.items())


@contextmanager
def listening(engine: Engine, options: ServerOptions | None = None) -> Iterator[Listening]:
    """A server, as long as the block lasts."""
    server = Server(engine, replace(options or ServerOptions(), port=0))
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(server, stop, started.set)), daemon=True)
    thread.start()
    try:
        assert started.wait(20), "the server did not start"
        yield Listening(server)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        assert not thread.is_alive(), "the server did not stop"
        loop.close()
