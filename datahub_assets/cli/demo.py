"""``datahub demo``: the hub on real provider files, with or without Dagster's servers."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datahub_assets.cli.opening import Chosen


def demo(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Without servers: load everything, then exit.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="The demo hub's folder; .demo when given neither here nor before the command.")
    ] = None,
    port: Annotated[
        int, typer.Option(help="Port of the Dagster UI on 127.0.0.1; another free one if it is taken.")
    ] = 3000,
    odbc_port: Annotated[int, typer.Option(help="Port of the ODBC door; another free one if it is taken.")] = 15432,
    http_port: Annotated[
        int, typer.Option(help="Port of the pages and the HTTP interface; another free one if it is taken.")
    ] = 8080,
    root: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where its files go: a folder, or webhdfs://user@host:port/path; its folder when left out.",
        ),
    ] = None,
    tables: Annotated[
        Literal["embedded", "hbase"] | None,
        typer.Option(help="Where its tables go; HBase as the variables DATAHUB_HBASE__… say."),
    ] = None,
) -> None:
    """Replay real provider files from December 2012 to March 2013 into a hub; show it in the Dagster UI and to analysts.

    Run again, it loads only what is missing: nothing, if the first run got to its end.

    Examples:
        datahub demo                      start the servers, load, keep serving until Ctrl-C

        datahub demo --once               load and exit, as CI does

        datahub demo --once --root webhdfs://hub@gateway:14000/demo      its files on a cluster

        datahub demo --once --tables hbase                               its tables in HBase

        datahub --home .demo status       then ask the hub
    """
    from datahub_assets.demo.run import Ports, run_once, serve

    chosen: Chosen = ctx.obj
    folder = (home or chosen.home or Path(".demo")).absolute()
    failed = run_once(folder, root, tables) if once else serve(folder, Ports(port, odbc_port, http_port), root, tables)
    raise typer.Exit(1 if failed else 0)
