"""``datahub serve``: a door says where it is, answers there, and ends when it is told to."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from datahub_assets_tests.unit.cli.conftest import Cli


@pytest.mark.parametrize("door", ["odbc", "http"])
def test_door_says_where_it_is_answers_and_ends_with_its_signal(cli: Cli, door: str) -> None:
    """Whoever starts it learns the address, whoever stops it sees it end well: services are kept by such words."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("datahub"),
        "--home",
        cli.home,
        "serve",
        door,
        "--port",
        "0",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr
        try:
            told = next(line for line in served.stderr if "is served" in line)
            _answers(door, int(re.search(r"(?:port=|127\.0\.0\.1:)(\d+)", told)[1]))  # type: ignore[index]
        finally:
            served.send_signal(signal.SIGTERM)
        assert f"{door.upper()} is no longer served." in served.stderr.read()
    assert served.returncode == 0


@pytest.mark.parametrize("door", ["odbc", "http"])
def test_port_that_is_taken_is_told_with_the_option(cli: Cli, door: str) -> None:
    """Not a traceback: the address, and what to choose instead."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cli("serve", door, "--port", str(port))
    assert ended.exit_code != 0
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "Choose another --port" in ended.stderr


@pytest.mark.parametrize("door", ["odbc", "http"])
@pytest.mark.parametrize(
    ("options", "words"),
    [(["--host", "0.0.0.0"], "in the open"), (["--certificate", "hub.crt"], "Half of what TLS needs")],
    ids=["no-tls", "no-key"],
)
def test_other_machines_are_served_by_tls_or_on_demand(cli: Cli, door: str, options: list[str], words: str) -> None:
    """Nobody opens a door to the network without TLS by mistake."""
    ended = cli("serve", door, "--port", "0", *options)
    assert ended.exit_code != 0
    assert words in ended.stderr


def _answers(door: str, port: int) -> None:
    if door == "http":
        assert httpx.get(f"http://127.0.0.1:{port}/health").json() == {"status": "ok"}
        return
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # SSLRequest: N where there is no certificate
        assert client.recv(1) == b"N"
