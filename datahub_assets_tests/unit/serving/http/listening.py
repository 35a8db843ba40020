"""A real server of the HTTP door, in a thread of the test's process, on a free port of 127.0.0.1."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from datahub_assets.serving.engine import Engine
from datahub_assets.serving.http.app import make_app
from datahub_assets.serving.http.options import HttpOptions
from datahub_assets.serving.http.server import Address, Server
from datahub_assets_tests.unit.serving.served import PASSWORD


@dataclass(frozen=True)
class Listening:
    """A server that listens."""

    engine: Engine
    port: int

    @property
    def url(self) -> str:
        """Where."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, user: str | None = "ann", **more: Any) -> httpx.Client:
        """A client that signs in as the user by password; None: as nobody."""
        auth = (user, PASSWORD) if user else None
        return httpx.Client(base_url=self.url, auth=auth, timeout=60, **more)

    def get(self, path: str, user: str | None = "ann", **more: Any) -> httpx.Response:
        """The answer to one request on a connection of its own."""
        with self.client(user) as client:
            return client.get(path, **more)


@contextmanager
def listening(engine: Engine, options: HttpOptions | None = None) -> Iterator[Listening]:
    """A server, as long as the block lasts."""
    server = Server(make_app(engine, options), Address(port=0, stop_seconds=5))
    started = threading.Event()
    thread = threading.Thread(target=server.run, args=(started.set,), daemon=True)
    thread.start()
    try:
        assert started.wait(20), "the server did not start"
        yield Listening(engine, server.port)
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive(), "the server did not stop"
