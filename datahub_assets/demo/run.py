"""The demo from start to end: hub folder, Dagster with or without servers, the story, a summary."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from datahub_assets.demo.analysts import ANALYSTS
from datahub_assets.demo.feeds import provider_files
from datahub_assets.demo.hub import dagster_home, prepare
from datahub_assets.demo.replay import is_taken
from datahub_assets.demo.servers import dagster_servers, doors, free_port
from datahub_assets.demo.story import Settle, play, wait_until_settled
from datahub_assets.operations.expectations import status
from datahub_assets.operations.hub import Hub
from datahub_assets.orchestration.in_process import InProcessDagster
from datahub_assets.orchestration.jobs import JUDGE
from datahub_assets.settings import TableStoreName

_WORDS = Console(stderr=True)


def open_demo(home: Path, root: str | None = None, tables: TableStoreName | None = None) -> Hub:
    """The demo hub at ``home``, made if it is not there (see ``prepare``), its clock at the story's start or as left."""
    settings = prepare(home, root, tables)
    if not (home / "clock").exists():
        settings.set_clock(next(iter(provider_files())).arrives_at)
    return Hub.open(settings, actor="demo")


def run_once(home: Path, root: str | None = None, tables: TableStoreName | None = None) -> int:
    """The story is loaded in this process; returns the number of runs that failed. ``root``, ``tables``: see ``prepare``."""
    hub = open_demo(home, root, tables)
    dagster = InProcessDagster(hub.settings, dagster_home(home))
    failed: list[str] = []

    def settle() -> None:
        while True:
            failed.extend(result.run_id for result in dagster.settle() if not result.success)
            if is_taken(hub):
                return
            time.sleep(0.5)

    try:
        if _play(hub, settle):
            dagster.run_job(JUDGE)
    finally:
        dagster.close()
    _summary(hub)
    for run_id in failed:
        _WORDS.print(f"[red]failed run:[/red] {run_id}")
    return len(failed)


@dataclass(frozen=True)
class Ports:
    """Where the demo's servers listen, if these are free."""

    dagster: int = 3000
    odbc: int = 15432
    http: int = 8080


def serve(home: Path, wanted: Ports, root: str | None = None, tables: TableStoreName | None = None) -> int:
    """Webserver and daemon run, the daemon's sensors load the story; then analysts are served too, until Ctrl-C; returns 0."""
    hub = open_demo(home, root, tables)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pages = {"DATAHUB_PAGES_URL": f"http://127.0.0.1:{free_port(wanted.http)}"}
    servers = dagster_servers(home, free_port(wanted.dagster), **pages)
    with _WORDS.status("starting Dagster") as starting, servers as address:
        starting.stop()
        _WORDS.print(f"Dagster UI: {address}")
        try:
            _play(hub, lambda: wait_until_settled(hub))
            _summary(hub)
            odbc, http = free_port(wanted.odbc), free_port(wanted.http)
            with _WORDS.status("starting the doors for analysts") as starting, doors(home, odbc, http, address):
                starting.stop()
                _addresses(home, address, odbc, http)
                signal.pause()
        except KeyboardInterrupt:
            _WORDS.print("stopping the servers")
    return 0


def _addresses(home: Path, dagster: str, odbc: int, http: int) -> None:
    lines = [
        f"Asset graph: {dagster}/asset-groups",
        f"For people:  http://127.0.0.1:{http}/     programs: http://127.0.0.1:{http}/api/v1/datasets",
    ]
    for one in ANALYSTS:
        lines += [
            f"{one.user} sees {one.sees}; password {one.password}",
            f"  ODBC:      Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={odbc};Database=datahub;"
            f"Uid={one.user};Pwd={one.password};UseDeclareFetch=1;Fetch=10000",
            f"  psql:      psql postgresql://{one.user}:{one.password}@127.0.0.1:{odbc}/datahub",
        ]
    lines += [f"The hub:     datahub --home {home} status", "Ctrl-C ends the servers."]
    _WORDS.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)


def _play(hub: Hub, settle: Settle) -> int:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_WORDS) as progress:
        bar = progress.add_task("the story", total=None)
        dropped = play(
            hub,
            settle,
            lambda told: progress.update(bar, completed=told.files, total=told.total, description=told.text),
        )
        if not dropped:
            progress.update(bar, description="every file of the story is there already", total=1, completed=1)
        return dropped


def _summary(hub: Hub) -> None:
    title = f"The demo hub as of {hub.clock():%Y-%m-%d %H:%M} UTC, by its own clock"
    table = Table(
        Column("dataset", no_wrap=True),
        "state",
        "dates",
        "last date",
        "missing",
        "corrected",
        "rejected rows",
        title=title,
    )
    for name in hub.catalogue.datasets:
        found = status(hub, name, hub.log.last(), hub.clock())
        missing = ", ".join(str(day) for day in found.missing) or "-"
        table.add_row(
            name,
            found.state,
            str(found.partitions),
            str(found.last_date),
            missing,
            str(found.corrected),
            str(found.rejected),
        )
    Console(width=max(Console().width, 120)).print(table)
