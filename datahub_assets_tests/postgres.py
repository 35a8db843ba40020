"""A real PostgreSQL of the test run's own, on 127.0.0.1: the oracle for everything that clients of PostgreSQL see.

The programs come from Debian's package ``postgresql``; the server's data are in a temporary folder and not kept. PostgreSQL
refuses to run as root, so a root shell runs it as its own user.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from datahub_assets_tests.servers import require_server

USER, DATABASE = "oracle", "postgres"
_SECONDS = 60
_FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=127.0.0.1",
    "max_connections=50",
)


@dataclass(frozen=True)
class Postgres:
    """A running server. Everybody may connect, without a password."""

    port: int
    pid: int

    @property
    def dsn(self) -> str:
        """How libpq connects."""
        return f"host=127.0.0.1 port={self.port} user={USER} dbname={DATABASE}"


def programs() -> Path | None:
    """The folder with initdb and postgres; None: not installed. Debian does not put it on the path."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve()] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def running(settings: Sequence[str] = _FAST) -> Iterator[Postgres]:
    """A server, as long as the block lasts."""
    folder = programs()
    if folder is None:
        require_server("PostgreSQL", "no program initdb (Debian: apt-get install postgresql)")
    assert folder is not None
    user = _user()
    data = Path(tempfile.mkdtemp(prefix="datahub-postgres-"))
    try:
        shutil.chown(data, user)
        _initialise(folder, data, user)
        port = _free_port()
        options = [
            part
            for setting in [*settings, f"port={port}", f"unix_socket_directories={data}"]
            for part in ("-c", setting)
        ]
        log = (data / "log").open("wb")
        process = subprocess.Popen(
            [folder / "postgres", "-D", data / "data", *options],
            user=user,
            cwd=data,
            stdout=log,
            stderr=log,
            env={"LC_ALL": "C.UTF-8"},
        )
        try:
            _await(process, folder / "pg_isready", port, data / "log")
            yield Postgres(port, process.pid)
        finally:
            process.send_signal(signal.SIGINT)  # fast: SIGTERM would wait for clients that have not gone
            process.wait(30)
            log.close()
    finally:
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL. Tests keep to schemas of their own."""
    with running() as server:
        yield server


def _user() -> str:
    if os.getuid():
        return pwd.getpwuid(os.getuid()).pw_name
    return "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"


def _initialise(programs: Path, data: Path, user: str) -> None:
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    command = [str(programs / "initdb"), "-D", str(data / "data"), *options]
    done = subprocess.run(command, user=user, cwd=data, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _await(process: "subprocess.Popen[bytes]", ready: Path, port: int, log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and process.poll() is None:
        if subprocess.run([ready, "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")
