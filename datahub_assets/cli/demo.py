"""``datahub demo``: the hub on real provider files, with or without Dagster's servers."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    once: Annotated[bool, typer.Option("--once", help="Without servers: load everything, then exit.")] = False,
    home: Annotated[Path, typer.Option(help="The demo hub's folder.")] = Path(".demo"),
    port: Annotated[
        int, typer.Option(help="Port of the Dagster UI on 127.0.0.1; another free one if it is taken.")
    ] = 3000,
) -> None:
    """Replay real provider files from December 2012 to March 2013 into a hub and show it in the Dagster UI.

    Run again, it loads only what is missing: nothing, if the first run got to its end.

    Examples:
        datahub demo                      start the servers, load, keep serving until Ctrl-C

        datahub demo --once               load and exit, as CI does

        datahub --home .demo status       then ask the hub
    """
    from datahub_assets.demo.run import run_once, serve

    failed = run_once(home.absolute()) if once else serve(home.absolute(), port)
    raise typer.Exit(1 if failed else 0)
