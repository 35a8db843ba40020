"""A Hadoop that runs: HDFS with WebHDFS and HttpFS, or HttpFS over a local folder, in one JVM on 127.0.0.1.

Any process can start one, find it again by its folder, stop it, kill it, freeze it, and start it anew on the same ports
with the data it had. It ends with its owner at the latest. For other servers that stand on HDFS: ``Hadoop.hdfs_uri``.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from datahub_assets_tests.hadoop.java import hadoop_classpath, java

Kind = Literal["hdfs", "folder"]
PORTS: Mapping[Kind, tuple[str, ...]] = {
    "hdfs": ("namenode", "webhdfs", "datanode", "datanode.ipc", "datanode.http", "httpfs"),
    "folder": ("httpfs",),
}
START_SECONDS = 120
_STARTED: "dict[int, subprocess.Popen[bytes]]" = {}
"""Children of this process, so that none is left a zombie."""
_OPENED = ("java.lang", "java.io", "java.util", "java.net", "java.nio", "sun.nio.ch")
_LOG = """log4j.rootLogger=WARN,F
log4j.appender.F=org.apache.log4j.FileAppender
log4j.appender.F.File={file}
log4j.appender.F.layout=org.apache.log4j.PatternLayout
log4j.appender.F.layout.ConversionPattern=%d %p %c{{1}}: %m%n
"""


@dataclass(frozen=True)
class Hadoop:
    """One running server, as any process sees it.

    Args:
        kind: ``hdfs``, or ``folder`` for HttpFS over a local folder.
        base: where its data, configuration (``conf``) and log are.
        ports: by name, see ``PORTS``.
        pid: of the JVM.
        born: when that process began: a later one with the same number is another.
        options: system properties of the JVM.
    """

    kind: Kind
    base: str
    ports: Mapping[str, int]
    pid: int
    born: float
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def hdfs_uri(self) -> str:
        """HDFS's own address, e.g. for HBase's root folder."""
        return f"hdfs://127.0.0.1:{self.ports['namenode']}"

    @property
    def superuser(self) -> str:
        """Who may do everything: the user that runs the server."""
        return pwd.getpwuid(os.getuid()).pw_name

    def url(self, door: Literal["webhdfs", "httpfs"], path: str, user: str | None = None) -> str:
        """The address of a folder through WebHDFS or HttpFS, as ``user`` (default: the superuser)."""
        scheme = "webhdfs+https" if "httpfs.keystore" in self.options else "webhdfs"
        return f"{scheme}://{user or self.superuser}@127.0.0.1:{self.ports[door]}{path}"

    def stop(self) -> None:
        """The server has ended, gently if it can."""
        self._signal(signal.SIGCONT, signal.SIGTERM)
        self._await_end(10)
        self.kill()

    def kill(self) -> None:
        """The server is gone, as in a power cut."""
        self._signal(signal.SIGKILL)
        self._await_end(10)

    def freeze(self) -> None:
        """The server takes connections and says nothing, until thawed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """The server goes on where it was."""
        self._signal(signal.SIGCONT)

    def started_again(self) -> "Hadoop":
        """The same server, after it ended: same ports, same data.

        Raises:
            RuntimeError: it does not start.
        """
        return start(self.kind, Path(self.base), ports=self.ports, options=self.options)

    @property
    def runs(self) -> bool:
        """Whether the process is there, frozen or not."""
        process = self._process()
        return process is not None and process.status() != psutil.STATUS_ZOMBIE

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            return process if process.create_time() == self.born else None
        except psutil.NoSuchProcess:
            return None

    def _signal(self, *signals: signal.Signals) -> None:
        process = self._process()
        try:
            for number in signals if process else ():
                os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def _await_end(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.runs and time.monotonic() < until:
            time.sleep(0.02)
        if self.pid in _STARTED:
            _STARTED[self.pid].poll()


def start(
    kind: Kind, base: Path, *, ports: Mapping[str, int] | None = None, owner: int | None = None,
    options: Mapping[str, str] | None = None,
) -> Hadoop:  # fmt: skip
    """A server runs with its data below ``base``, and answers.

    Args:
        kind: what to serve.
        base: its folder; data that is there is kept.
        ports: those of an earlier start; free ones when left out.
        owner: the process with which it ends; this one when left out, none for 0.
        options: more system properties of the JVM, see ``TestHadoop.java``.

    Raises:
        RuntimeError: it does not start; says what it said.
    """
    base = base.resolve()
    base.mkdir(parents=True, exist_ok=True)
    ready, given, chosen = base / "READY", dict(options or {}), dict(ports or free_ports(PORTS[kind]))
    ready.unlink(missing_ok=True)
    (base / "log4j.properties").write_text(_LOG.format(file=base / "hadoop.log"))
    properties = {f"{name}.port": str(port) for name, port in chosen.items()} | given
    properties |= {"log4j.configuration": (base / "log4j.properties").as_uri()}
    if owner != 0:
        properties["owner"] = str(owner or os.getpid())
    command = [
        java(), "-Xmx512m", "-XX:+UseSerialGC", *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED),
        *(f"-D{name}={value}" for name, value in properties.items()), "-cp", hadoop_classpath(), "TestHadoop", kind, str(base),
    ]  # fmt: skip
    with (base / "out.log").open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
    _STARTED[process.pid] = process
    started = Hadoop(kind, str(base), chosen, process.pid, psutil.Process(process.pid).create_time(), given)
    until = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > until:
            started.kill()
            raise RuntimeError(f"Hadoop ({kind}) does not start: {(base / 'out.log').read_text()[-3000:]}")
        time.sleep(0.05)
    _write(base, started)
    return started


def found(base: Path) -> Hadoop | None:
    """The server whose data is at ``base``, if one runs there."""
    file = base / "server.json"
    known = Hadoop(**json.loads(file.read_text())) if file.exists() else None
    return known if known and known.runs else None


def remove(base: Path) -> None:
    """No server runs at ``base``, and nothing of it is left."""
    running = found(base)
    if running:
        running.stop()
    shutil.rmtree(base, ignore_errors=True)


def free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A free port of 127.0.0.1 for each name."""
    with ExitStack() as opened:
        sockets = {name: opened.enter_context(socket.socket()) for name in names}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: int(each.getsockname()[1]) for name, each in sockets.items()}


def _write(base: Path, started: Hadoop) -> None:
    temporary = base / "server.json.part"
    temporary.write_text(json.dumps(asdict(started)))
    temporary.replace(base / "server.json")
