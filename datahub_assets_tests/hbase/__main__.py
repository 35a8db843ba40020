"""A real HBase for development: ``python -m datahub_assets_tests.hbase start|stop|fetch`` (``make hbase``, ``make hbase-stop``).

Its data stay in ``build/hbase/dev`` until that folder is removed. ``start`` prints the settings with which a hub uses it.
"""

import argparse
import json
import sys

from datahub_assets_tests.hbase.cluster import (
    HOST,
    Gateway,
    NotStarted,
    Processes,
    Standalone,
    await_gateway,
    free_ports,
)
from datahub_assets_tests.hbase.java import BUILD, NoJava, classpath, is_running

FOLDER = BUILD / "dev"
_NAME = FOLDER / "gateway.json"


def main() -> int:
    """Does what the argument says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datahub_assets_tests.hbase", description=str(__doc__).splitlines()[0]
    )
    parser.add_argument("what", choices=["start", "stop", "fetch"], help="fetch: only get what it is made of")
    parser.add_argument("--port", type=int, help="of the Thrift gateway; a free one when left out")
    options = parser.parse_args()
    try:
        if options.what == "fetch":
            classpath()
        elif options.what == "stop":
            Processes(FOLDER).end_all()
        else:
            _tell(_started(options.port))
    except (NoJava, NotStarted) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _started(port: int | None) -> int:
    running = Processes(FOLDER)
    if len(running.pids) > 1 and all(map(is_running, running.pids.values())):
        before = int(json.loads(_NAME.read_text()))
        await_gateway(running, Gateway(before))
        return before
    running.end_all()
    wanted = port or free_ports(1)[0]
    Standalone(FOLDER, heap_mb=1024).start(Gateway(wanted))
    _NAME.write_text(json.dumps(wanted))
    return wanted


def _tell(port: int) -> None:
    sys.stdout.write(f"""HBase runs; its data and logs are in build/hbase/dev. A hub's tables are in it with these variables:

export DATAHUB_TABLE_STORE=hbase
export DATAHUB_HBASE__GATEWAYS='["{HOST}:{port}"]'

The demo:    make demo ARGS="--tables hbase"   (with the second of them)
Stop it:     make hbase-stop
""")


if __name__ == "__main__":
    sys.exit(main())
