"""Dagster's webserver and daemon, and the doors for analysts: child processes, sessions of their own, ended with the demo."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from datahub_assets.demo.hub import dagster_home, workspace
from datahub_assets.errors import StoreUnavailable
from datahub_assets.settings import process_environment

START_SECONDS = 90


def free_port(wanted: int) -> int:
    """The wanted port of 127.0.0.1 if it is free, else another."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise StoreUnavailable("No free port", where="127.0.0.1")


@contextlib.contextmanager
def dagster_servers(home: Path, port: int, **settings: str) -> Iterator[str]:
    """Webserver and daemon run while the block does; gives the UI's address. ``settings``: variables of theirs.

    Raises:
        StoreUnavailable: one of them ended, or the webserver does not answer in time; says which log to read.
    """
    commands = {
        "webserver": ["dagster_webserver", "-w", str(workspace(home)), "-h", "127.0.0.1", "-p", str(port)],
        "daemon": ["dagster._daemon", "run", "-w", str(workspace(home))],
    }
    running: dict[str, subprocess.Popen[bytes]] = {}
    _make_storage(home)
    try:
        for name, command in commands.items():
            running[name] = _start(home, name, command, **settings)
        address = f"http://127.0.0.1:{port}"
        _await(f"{address}/server_info", home, running)
        yield address
    finally:
        for process in running.values():
            _stop(process)


@contextlib.contextmanager
def doors(home: Path, odbc: int, http: int, dagster_url: str) -> Iterator[None]:
    """The hub is served by ODBC and by HTTP while the block lasts, on these ports of 127.0.0.1; pages link to Dagster's.

    Raises:
        StoreUnavailable: a server ended, or does not answer in time; says which log to read.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for door, port in (("odbc", odbc), ("http", http)):
            command = ["datahub_assets", "--home", str(home), "serve", door, "--port", str(port)]
            running[door] = _start(
                home, door, command, DATAHUB_DAGSTER_URL=dagster_url, DATAHUB_ODBC_ADDRESS=f"127.0.0.1:{odbc}"
            )
        _await(f"http://127.0.0.1:{http}/health", home, running)
        _await_port(odbc, home, running)
        yield
    finally:
        for process in running.values():
            _stop(process)


def _make_storage(home: Path) -> None:
    """Dagster's databases are there, at this version: two programs that make them at once break them (Dagster 1.13)."""
    with _start(home, "migrate", ["dagster", "instance", "migrate"]) as process:
        if process.wait():
            raise _ended(home, "migrate", process)


def _ended(home: Path, name: str, process: "subprocess.Popen[bytes]") -> StoreUnavailable:
    got, log = f"exit code {process.returncode}", f"{dagster_home(home)}/{name}.log"
    return StoreUnavailable("A server of the demo ended", where=name, got=got, remedy=f"Read {log}")


def _start(home: Path, name: str, command: list[str], **more: str) -> "subprocess.Popen[bytes]":
    log = (dagster_home(home) / f"{name}.log").open("ab")
    environment = {**process_environment(home, dagster_home(home)), **more}
    return subprocess.Popen(
        [sys.executable, "-m", *command], stdout=log, stderr=log, env=environment, start_new_session=True, cwd=home
    )


def _await(address: str, home: Path, running: "dict[str, subprocess.Popen[bytes]]") -> None:
    for _ in _tries(home, running, address):
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            if answer.status == 200:
                return


def _await_port(port: int, home: Path, running: "dict[str, subprocess.Popen[bytes]]") -> None:
    for _ in _tries(home, running, f"127.0.0.1:{port}"):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return


def _tries(home: Path, running: "dict[str, subprocess.Popen[bytes]]", where: str) -> Iterator[None]:
    """One try after the other, until time is up or one of the servers has ended."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        for name, process in running.items():
            if process.poll() is not None:
                raise _ended(home, name, process)
        yield
        time.sleep(0.5)
    raise StoreUnavailable(
        "A server of the demo does not answer", where=where, remedy=f"Read {dagster_home(home)}/*.log"
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends the process and what it started (its session), gently first."""
    for sign, seconds in ((signal.SIGINT, 15), (signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
