"""A real HBase below a folder, on 127.0.0.1 and free ports: standalone (one JVM and its Thrift gateways).

Master, region server and ZooKeeper share one JVM, on the local filesystem: enough for all that does not kill a server
(edits that were acknowledged may be lost with it there, for a local folder knows no ``hflush``).
"""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import happybase

from datahub_assets_tests.hbase.java import command, is_running, send

HOST = "127.0.0.1"
START_SECONDS = 180
_LOG4J = """log4j.rootLogger=INFO,F
log4j.appender.F=org.apache.log4j.RollingFileAppender
log4j.appender.F.File=${log}
log4j.appender.F.MaxFileSize=20MB
log4j.appender.F.MaxBackupIndex=1
log4j.appender.F.layout=org.apache.log4j.PatternLayout
log4j.appender.F.layout.ConversionPattern=%d %p [%t] %c{1}: %m%n
"""
_PROBE = "probe"
MASTER, GATEWAY = "org.apache.hadoop.hbase.master.HMaster", "org.apache.hadoop.hbase.thrift.ThriftServer"


class NotStarted(Exception):
    """A server ended, or does not answer in time; says which log to read."""


@dataclass(frozen=True)
class Gateway:
    """One Thrift gateway."""

    port: int
    options: tuple[str, ...] = ()


def free_ports(count: int) -> list[int]:
    """So many ports of 127.0.0.1 that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Processes:
    """Java servers below a folder, by name; their ids are in ``folder/processes.json``, so that others can end them."""

    def __init__(self, folder: Path, owner: int | None = None) -> None:
        """Use the folder. ``owner``: a process with which all servers end."""
        self.folder, self._owner = folder, owner
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("conf", "logs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "conf" / "log4j.properties").write_text(_LOG4J)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        file = self.folder / "processes.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def configure(self, settings: Mapping[str, object]) -> None:
        """``hbase-site.xml`` says this."""
        lines = [
            f"<property><name>{name}</name><value>{escape(str(value))}</value></property>"
            for name, value in settings.items()
        ]
        text = "\n".join(["<configuration>", *lines, "</configuration>", ""])
        (self.folder / "conf" / "hbase-site.xml").write_text(text)

    def start(self, name: str, main: str, *arguments: str, heap_mb: int, options: tuple[str, ...] = ()) -> None:
        """The server is being started; it writes to ``logs/<name>.log``."""
        log = self.folder / "logs" / f"{name}.log"
        java = command(
            main, arguments, folder=self.folder, heap_mb=heap_mb, owner=self._owner, options=(f"-Dlog={log}", *options)
        )
        with (self.folder / "logs" / f"{name}.out").open("ab") as out:
            child = subprocess.Popen(
                java, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=self.folder, start_new_session=True
            )
        self._children[name] = child
        self._write({**self.pids, name: child.pid})

    def require_running(self, name: str) -> None:
        """The server has not ended.

        Raises:
            NotStarted: it has.
        """
        child = self._children.get(name)
        if child is not None and child.poll() is not None:
            raise NotStarted(f"{name} ended with code {child.returncode}: read {self.folder}/logs/{name}.log and .out")

    def tell(self, name: str, number: signal.Signals) -> None:
        """The server gets the signal."""
        send(self.pids[name], number)

    def end(self, name: str, number: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
        """The server is gone: by the signal, and by SIGKILL when that is not enough."""
        pid = self.pids[name]
        for sign in (number, signal.SIGKILL):
            send(pid, sign)
            until = time.monotonic() + seconds
            while is_running(pid) and time.monotonic() < until:
                time.sleep(0.05)
        if child := self._children.pop(name, None):
            child.wait()
        self._write({other: pid for other, pid in self.pids.items() if other != name})

    def end_all(self, number: signal.Signals = signal.SIGTERM) -> None:
        """All servers are gone, last started first."""
        for name in reversed(list(self.pids)):
            self.end(name, number)

    def _write(self, pids: dict[str, int]) -> None:
        (self.folder / "processes.json").write_text(json.dumps(pids))


class Standalone:
    """One HBase in one JVM, with Thrift gateways."""

    def __init__(self, folder: Path, owner: int | None = None, *, heap_mb: int = 1536) -> None:
        """Use the folder: its data, if it has any, are kept. ``owner``: a process with which all servers end.

        The tests' 500 regions fill 768 MB: collecting garbage then takes so long that its session ends and HBase with it.
        """
        self.processes = Processes(folder, owner)
        self._heap_mb = heap_mb
        zookeeper, master, region_server = free_ports(3)
        self.processes.configure(
            {
                **site(folder, zookeeper), "hbase.cluster.distributed": "false", "hbase.rootdir": (folder / "data").as_uri(),
                "hbase.zookeeper.property.dataDir": folder / "zookeeper", "hbase.master.port": master,
                "hbase.regionserver.port": region_server, "hbase.unsafe.stream.capability.enforce": "false",
                "hbase.wal.provider": "filesystem",
            }
        )  # fmt: skip

    def start(self, *gateways: Gateway) -> None:
        """HBase and the gateways answer.

        Raises:
            NotStarted: one of them does not.
        """
        try:
            self.processes.start("hbase", MASTER, "start", heap_mb=self._heap_mb)
            for gateway in gateways:
                start_gateway(self.processes, gateway)
            for gateway in gateways:
                await_gateway(self.processes, gateway)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """All servers are gone; the data stay."""
        self.processes.end_all()


def site(folder: Path, zookeeper: int) -> dict[str, object]:
    """Settings that every HBase here has: one machine, no web pages, quick retries, small regions' memory."""
    return {
        "hbase.tmp.dir": folder / "tmp", "hbase.zookeeper.quorum": HOST, "hbase.zookeeper.property.clientPort": zookeeper,
        "hbase.master.ipc.address": HOST, "hbase.regionserver.ipc.address": HOST,
        "hbase.master.hostname": "localhost", "hbase.regionserver.hostname": "localhost",
        "hbase.master.info.port": -1, "hbase.regionserver.info.port": -1, "hbase.client.pause": 20,
        "hbase.hregion.memstore.mslab.chunksize": 512 << 10, "hbase.hregion.memstore.mslab.max.allocation": 256 << 10,
        "hbase.hregion.memstore.chunkpool.maxsize": 0, "hfile.block.cache.size": 0.2,
        "hbase.regionserver.global.memstore.size": 0.3,
    }  # fmt: skip


def start_gateway(processes: Processes, gateway: Gateway, heap_mb: int = 512) -> None:
    """The gateway is being started; it is named after its port."""
    where = ("-p", str(gateway.port), "--bind", HOST, "--infoport", "-1")
    processes.start(f"gateway-{gateway.port}", GATEWAY, *gateway.options, *where, "start", heap_mb=heap_mb)


def await_gateway(processes: Processes, gateway: Gateway, seconds: float = START_SECONDS) -> None:
    """The gateway answers, and HBase behind it makes tables.

    Raises:
        NotStarted: not in time, or a server ended.
    """
    until = time.monotonic() + seconds
    while True:
        for name in processes.pids:
            processes.require_running(name)
        try:
            _make_and_drop_a_table(gateway)
            return
        except Exception as error:  # whatever a server says that is still starting
            if time.monotonic() > until:
                told = str(error)[:500]
                raise NotStarted(
                    f"gateway {gateway.port} does not answer: {told}; read {processes.folder}/logs"
                ) from error
            time.sleep(0.3)


def _make_and_drop_a_table(gateway: Gateway) -> None:
    transport = "framed" if "--framed" in gateway.options else "buffered"
    protocol = "compact" if "--compact" in gateway.options else "binary"
    connection = happybase.Connection(HOST, gateway.port, timeout=30_000, transport=transport, protocol=protocol)
    try:
        if _PROBE.encode() not in connection.tables():
            connection.create_table(_PROBE, {"d": {}})
        connection.delete_table(_PROBE, disable=True)
    finally:
        connection.close()
