"""A real OpenSSH server on 127.0.0.1 that gives this machine's folders by SFTP, with keys of its own."""

import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from datahub_assets.stores.sftp.options import SftpOptions
from datahub_assets_tests.servers import require_program

START_SECONDS = 20
_CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/pid
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
Subsystem sftp internal-sftp
"""


@dataclass
class SftpServer:
    """A server that runs. Who connects is the user of the tests, by the key in ``folder``."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    def url(self, path: str | Path) -> str:
        """The address of one of this machine's folders there."""
        return f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def options(self, **more: object) -> SftpOptions:
        """How to connect to it."""
        given = {
            "key_file": self.folder / "user",
            "known_hosts": self.folder / "known_hosts",
            "patience_seconds": 5,
            **more,
        }
        return SftpOptions.model_validate(given)

    def settings(self) -> str:
        """The same as lines of ``datahub.toml``."""
        return f'[sftp]\nkey_file = "{self.folder}/user"\nknown_hosts = "{self.folder}/known_hosts"\npatience_seconds = 5\n'

    def hang_up(self) -> int:
        """All connections break; new ones are taken. Returns how many there were."""
        connections = psutil.Process(self.process.pid).children(recursive=True)
        for connection in connections:
            with suppress(psutil.NoSuchProcess):
                connection.kill()
        return len(connections)

    def stop(self) -> None:
        """The server and its connections are gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)  # takes no connection while those that are there end
            self.hang_up()
            self.process.kill()
            self.process.wait()

    def start(self) -> None:
        """The server takes connections."""
        sshd = require_program("sshd", "/usr/sbin/sshd", reason="on Debian: apt-get install openssh-server")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sshd, "-D", "-e", "-f", self.folder / "config"], stderr=log, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"sshd does not start: {(self.folder / 'log').read_text()[-2000:]}")


@contextmanager
def sftp_server(folder: Path) -> Iterator[SftpServer]:
    """A server whose keys and log are in a folder; a missing sshd ends the test as ``servers.require_server`` says."""
    sshd = require_program("sshd", "/usr/sbin/sshd", reason="on Debian: apt-get install openssh-server")
    keygen = require_program("ssh-keygen", reason="on Debian: apt-get install openssh-client")
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    for name in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "config").write_text(_CONFIG.format(port=port, folder=folder))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where a service of root gives up its rights; Debian makes it at boot
    assert sshd
    server = SftpServer(folder, port, None)  # type: ignore[arg-type]
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """A real SFTP server."""
    with sftp_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server
