"""uvicorn around the application: where it listens, TLS, and an end that answers what was begun."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from anyio import to_thread
from fastapi import FastAPI

from datahub_assets.serving.http.options import HttpOptions

_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Address:
    """Where a server listens. Without a certificate it speaks no TLS."""

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None
    connections: int = 500
    stop_seconds: int = 30


class _Uvicorn(uvicorn.Server):
    """uvicorn that leaves signals alone: its own way ends the process by the signal, before the audit log is written."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing."""
        yield


class Server:
    """One server. ``port``: where it listens, from its making on."""

    def __init__(self, app: FastAPI, address: Address) -> None:
        """It has its port, and serves once it runs.

        Raises:
            OSError: the address is taken.
        """
        options: HttpOptions = app.state.options
        self._threads = options.threads
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._socket = socket.create_server((address.host, address.port), family=family, backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Uvicorn(
            uvicorn.Config(
                app, log_level="warning", access_log=False, lifespan="off", proxy_headers=False, server_header=False,
                ssl_certfile=address.certificate, ssl_keyfile=address.key, limit_concurrency=address.connections,
                h11_max_incomplete_event_size=_HEAD_BYTES, timeout_graceful_shutdown=address.stop_seconds,
            )
        )  # fmt: skip

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serves until ``stop``, or until the process is asked to stop (SIGTERM, SIGINT) where this is its main thread."""
        asyncio.run(self._serve(started))

    def stop(self) -> None:
        """The server ends soon; from any thread."""
        self._server.should_exit = True

    async def _serve(self, started: Callable[[], None]) -> None:
        to_thread.current_default_thread_limiter().total_tokens = self._threads
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self._server.handle_exit, number, None)
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.01)
        if not serving.done():
            started()
        await serving
