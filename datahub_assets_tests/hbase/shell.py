"""What tests need of hbase shell, which is not among Maven's artifacts: done by ``Admin.java``."""

import subprocess

from datahub_assets_tests.hbase.java import command
from datahub_assets_tests.hbase.shared import HBaseServer


def admin(server: HBaseServer, *arguments: str) -> None:
    """Something that needs hbase shell is done."""
    log = f"-Dlog={server.folder}/logs/admin.log"
    line = command("Admin.java", arguments, folder=server.folder, heap_mb=128, options=[log])
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]
