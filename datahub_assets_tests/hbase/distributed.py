"""HBase as it runs in production, on one machine: ZooKeeper, a master, two region servers, gateways, on a real HDFS.

Each is a process of its own, so that any can be killed: what HBase has acknowledged is on HDFS, and regions move.
"""

import signal
from contextlib import suppress
from pathlib import Path

from datahub_assets_tests.hadoop.server import Hadoop
from datahub_assets_tests.hbase.cluster import (
    HOST,
    MASTER,
    Gateway,
    Processes,
    await_gateway,
    free_ports,
    site,
    start_gateway,
)

ZOOKEEPER = "org.apache.hadoop.hbase.zookeeper.HQuorumPeer"
REGION_SERVER = "org.apache.hadoop.hbase.regionserver.HRegionServer"
SESSION_MS = 6_000
"""After so long a silence HBase takes a region server for dead."""


class Distributed:
    """A master, two region servers and two gateways."""

    def __init__(self, folder: Path, hdfs: Hadoop, owner: int) -> None:
        """Use the folder and the HDFS. ``owner``: a process with which all servers end."""
        self.processes = Processes(folder, owner)
        zookeeper, master, *ports = free_ports(6)
        self._servers, self.gateways = ports[:2], [Gateway(port) for port in ports[2:]]
        self.processes.configure(
            {
                **site(folder, zookeeper), "hbase.cluster.distributed": "true",
                "hbase.rootdir": f"{hdfs.hdfs_uri}/{folder.name}", "hbase.wal.provider": "filesystem", "dfs.replication": 1,
                "hbase.zookeeper.property.dataDir": folder / "zookeeper", "hbase.zookeeper.property.tickTime": 1_000,
                "zookeeper.session.timeout": SESSION_MS, "hbase.master.port": master,
                "hbase.master.wait.on.regionservers.mintostart": 2, "hbase.client.retries.number": 8,
                "hbase.rpc.timeout": 10_000, "hbase.client.operation.timeout": 20_000,
            }
        )  # fmt: skip

    def start(self) -> None:
        """All servers answer.

        Raises:
            NotStarted: one of them does not.
        """
        try:
            self.processes.start("zookeeper", ZOOKEEPER, heap_mb=128)
            self.start_master()
            for number in range(len(self._servers)):
                self.start_region_server(number)
            for gateway in self.gateways:
                start_gateway(self.processes, gateway, heap_mb=256)
            for gateway in self.gateways:
                await_gateway(self.processes, gateway)
        except BaseException:
            self.stop()
            raise

    def start_master(self) -> None:
        """The master is being started."""
        self.processes.start("master", MASTER, "start", heap_mb=384)

    def start_region_server(self, number: int) -> None:
        """The region server is being started, on the port that it always has."""
        port = self._servers[number]
        self.processes.start(
            f"region-server-{number}", REGION_SERVER, "-D", f"hbase.regionserver.port={port}", "start", heap_mb=384
        )

    def start_gateway(self, number: int) -> None:
        """The gateway answers, on the port that it always has."""
        start_gateway(self.processes, self.gateways[number], heap_mb=256)
        await_gateway(self.processes, self.gateways[number])

    def kill(self, name: str) -> None:
        """The server is gone, as in a power cut."""
        self.processes.end(name, signal.SIGKILL)

    def kill_gateway(self, number: int) -> None:
        """The gateway is gone, as in a power cut."""
        self.kill(f"gateway-{self.gateways[number].port}")

    def server_number(self, port: int) -> int:
        """Which region server listens there."""
        return self._servers.index(port)

    @property
    def addresses(self) -> tuple[str, ...]:
        """host:port of each gateway."""
        return tuple(f"{HOST}:{gateway.port}" for gateway in self.gateways)

    def stop(self) -> None:
        """All servers are gone."""
        with suppress(ProcessLookupError):
            self.processes.end_all(signal.SIGKILL)
