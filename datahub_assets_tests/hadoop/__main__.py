"""``make hdfs`` and ``make hdfs-stop``: a Hadoop for development, with its data in ``build/hdfs`` until that is removed."""

import sys

from datahub_assets_tests.hadoop.java import BUILD
from datahub_assets_tests.hadoop.server import found, start

BASE = BUILD / "hdfs"


def main(command: str) -> None:
    """Starts it or stops it; either, where that is done already, changes nothing."""
    server = found(BASE)
    if command == "stop":
        if server:
            server.stop()
        sys.stdout.write("HDFS does not run\n" if not server else "HDFS is stopped; its data are in build/hdfs\n")
        return
    server = server or start("hdfs", BASE, owner=0)
    sys.stdout.write(
        f"HDFS      {server.hdfs_uri}\nWebHDFS   {server.url('webhdfs', '/')}\nHttpFS    {server.url('httpfs', '/')}\n"
        f'A hub on it: make demo ARGS="--root {server.url("httpfs", "/hub")}"\nStop it:     make hdfs-stop\n'
    )


if __name__ == "__main__":
    main(sys.argv[1])
