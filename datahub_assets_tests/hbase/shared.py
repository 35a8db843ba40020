"""The HBase that the workers of one test run share, each test in tables of its own."""

import re
import shutil
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets_tests import sharing
from datahub_assets_tests.hbase.cluster import HOST, Gateway, NotStarted, Processes, Standalone, free_ports
from datahub_assets_tests.hbase.java import BUILD, NoJava, classpath, command, is_running
from datahub_assets_tests.servers import require_server


@dataclass(frozen=True)
class HBaseServer:
    """A running HBase: where its gateways are, and its processes."""

    folder: Path
    ports: tuple[int, ...]

    @property
    def gateways(self) -> tuple[str, ...]:
        """host:port of each gateway."""
        return tuple(f"{HOST}:{port}" for port in self.ports)

    def options(self, **more: object) -> HBaseOptions:
        """Settings of a store with tables that no other test has."""
        given = {"gateways": self.gateways, "table_prefix": f"t{uuid.uuid4().hex[:12]}.", **more}
        return HBaseOptions.model_validate(given)

    def options_for_files(self, staging: Path | str, **more: object) -> HBaseOptions:
        """As ``options``, of a store that writes ``hfile_rows`` rows and more as files, through a staging folder."""
        return self.options(hfile_staging=str(staging), hbase_command=tool_command(self.folder), **more)

    @property
    def processes(self) -> Processes:
        """Its processes."""
        return Processes(self.folder)


def tool_command(folder: Path) -> tuple[str, ...]:
    """What runs a class of HBase with the configuration in ``folder/conf``: as the program hbase does."""
    # C1 alone: HBase's tools end before C2 would pay
    options = (f"-Dlog={folder}/logs/tool.log", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
    return tuple(command("", (), folder=folder, heap_mb=256, options=options)[:-1])


@pytest.fixture(scope="session")
def hbase(run_folder: Path, testrun_uid: str) -> Iterator[HBaseServer]:
    """A real HBase with one Thrift gateway. Tests keep to tables of their own and do not stop it."""
    try:
        classpath()
        folder = BUILD / f"tests-{testrun_uid}"
        with sharing.shared(run_folder / "hbase.users", lambda owner: _running(folder, owner), _remove) as server:
            yield server
    except (NoJava, NotStarted) as error:
        require_server("HBase", str(error))


def _running(folder: Path, owner: int) -> HBaseServer:
    told = folder / "port"
    if not told.exists():
        try:
            port = _start(folder, owner)
        except NotStarted:  # another program may have taken a port that was free a moment ago
            shutil.rmtree(folder)
            port = _start(folder, owner)
        told.write_text(str(port))
    return HBaseServer(folder, (int(told.read_text()),))


def _start(folder: Path, owner: int) -> int:
    gateway = Gateway(free_ports(1)[0])
    Standalone(folder, owner).start(gateway)
    return gateway.port


def _remove(server: HBaseServer) -> None:
    ended = [name for name, pid in server.processes.pids.items() if not is_running(pid)]
    said = "\n".join(_last_words(server.folder / "logs", name) for name in ended)
    server.processes.end_all(signal.SIGKILL)  # nobody needs the data any more
    shutil.rmtree(server.folder, ignore_errors=True)
    assert not ended, f"HBase's servers that ended before the tests did: {', '.join(ended)}\n{said}"


def _last_words(logs: Path, name: str) -> str:
    """What a server said that matters, at its end."""
    lines = [
        line for kind in ("log", "out") for line in (logs / f"{name}.{kind}").read_text(errors="replace").splitlines()
    ]
    grave = [line for line in lines if re.search("FATAL|ERROR|OutOfMemory|aborting|STOPPED", line)]
    return "\n".join([*grave[-20:], "…", *lines[-10:]])
