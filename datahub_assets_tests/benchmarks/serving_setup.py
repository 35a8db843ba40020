"""What ``bench_serve`` asks: a hub with a large extract, its servers as processes of their own, the same rows in a PostgreSQL."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
from psycopg import sql

from datahub_assets.catalogue.calendars import business_days
from datahub_assets.catalogue.loading import DEMO_FOLDER
from datahub_assets.demo.positions import position_file, position_file_name
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.publish import publish
from datahub_assets.operations.receive import look, receive
from datahub_assets.operations.structure import structure
from datahub_assets.serving.credentials import Verifier
from datahub_assets.settings import Settings
from datahub_assets_tests.integration.odbc.twins import copy_rows
from datahub_assets_tests.postgres import Postgres
from datahub_assets_tests.unit.serving.served import PASSWORD

USER, OTHER_USER = "ann", "ben"
DATASET, EXTRACT = "synthetic/positions", "bench/rows"
_EXTRACT = """\
kind: extract
title: Rows
dataset: bench/rows
owners: ['team:benchmarks']
partitions: {calendar: TARGET, start: 2012-12-03}
key: [portfolio, instrument]
sql: SELECT *, quantity - settled_quantity AS pending FROM synthetic.positions WHERE business_date = CAST($business_date AS DATE)
"""
_COLUMNS = """\
SELECT column_name,
  CASE data_type WHEN 'numeric' THEN 'numeric(' || numeric_precision || ',' || numeric_scale || ')' ELSE data_type END
FROM information_schema.columns WHERE table_schema = 'bench' AND table_name = 'rows' ORDER BY ordinal_position
"""


def make_hub(home: Path, dates: int, rows: int) -> Hub:
    """A hub with an extract of 15 columns: so many business dates, each with so many rows; everybody in it may read all."""
    (home / "catalogue").mkdir(parents=True)
    declared = (DEMO_FOLDER / "synthetic_positions.yaml").read_text()
    still = declared.replace("other_dates", "complete: {still_seconds: 0}\n  other_dates")
    (home / "catalogue" / "positions.yaml").write_text(re.sub(r"\n  end: .*", "", still))
    (home / "catalogue" / "rows.yaml").write_text(_EXTRACT)
    verifier = Verifier.make(PASSWORD).render()
    (home / "access.yaml").write_text(
        "users:\n"
        + "".join(f"  {user}: {{scram: '{verifier}', groups: [all]}}\n" for user in (USER, OTHER_USER))
        + "groups: {all: {grants: [{datasets: ['*']}]}}\n"
    )
    landing = home / "landing" / "synthetic"
    landing.mkdir(parents=True)
    hub = Hub.open(Settings(home=home))
    for day in business_days("TARGET", date(2012, 12, 3), date(2014, 12, 31))[:dates]:
        (landing / position_file_name(day)).write_bytes(position_file(day, rows))
        for arrival in look(hub).ready:
            receive(hub, arrival)
        structure(hub, DATASET, [day])
        publish(hub, EXTRACT, [day])
    return hub


def parquet_files(home: Path) -> list[str]:
    """The extract's files, for an engine that reads them without the hub."""
    return sorted(map(str, home.glob(f"**/extracts/{EXTRACT}/**/*.parquet")))


@dataclass(frozen=True)
class ServerProcess:
    """A server of the hub's command line."""

    pid: int
    port: int

    def megabytes(self, what: str = "VmRSS") -> float:
        """Resident memory now, or (``VmHWM``) at most since ``forget_peak``; Linux."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{what}:\s+(\d+)", status, re.M)[1]) / 1024  # type: ignore[index]

    def forget_peak(self) -> float:
        """The peak begins anew; → what is resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.megabytes()


@contextmanager
def served(home: Path, door: str) -> Iterator[ServerProcess]:
    """``datahub serve odbc`` or ``http``, as long as the block lasts."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("datahub"),
        "--home",
        home,
        "serve",
        door,
        "--port",
        "0",
    ]
    log = home / f"{door}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if found := re.search(r"(?:port=|127\.0\.0\.1:)(\d+)", log.read_text().replace("\n", "")):
                break
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.1)
        assert found, log.read_text()
        yield ServerProcess(process.pid, int(found[1]))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def load_twin(postgres: Postgres, door: ServerProcess) -> str:
    """The same rows in a PostgreSQL, copied from the hub in binary. → how libpq connects to it."""
    source_dsn = f"host=127.0.0.1 port={door.port} user={USER} password={PASSWORD} dbname=datahub"
    with psycopg.connect(postgres.dsn, autocommit=True) as target, psycopg.connect(source_dsn) as source:
        target.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(sql.Identifier(USER), PASSWORD))
        target.execute("CREATE SCHEMA bench")
        columns = source.execute(_COLUMNS).fetchall()
        declared = ", ".join(f'"{name}" {kind}' for name, kind in columns)
        target.execute(f"CREATE TABLE bench.rows ({declared})")
        copy_rows(source, target, sql.Identifier("bench", "rows"))
        target.execute("ANALYZE")
    return f"host=127.0.0.1 port={postgres.port} user={USER} dbname=postgres"
