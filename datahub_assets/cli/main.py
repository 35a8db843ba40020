"""The commands of ``datahub``, put together: global options, exit codes, and how errors are told."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from datahub_assets import __version__
from datahub_assets.cli import (
    catalogue,
    cuts,
    doctor,
    extracts,
    landing,
    log,
    rejects,
    serve,
    status,
    tables,
    upkeep,
    usage,
    users,
)
from datahub_assets.cli.demo import demo
from datahub_assets.cli.new_hub import init
from datahub_assets.cli.opening import Chosen
from datahub_assets.cli.words import say
from datahub_assets.errors import DatahubError

EXIT_CODES = {
    0: "done, or nothing to do",
    1: "a check found something (status --check, reconcile, doctor), an answer was no, or a fault of the hub's own",
    2: "the catalogue, a setting or the command line is wrong",
    3: "a file or partition that was asked for is not there",
    4: "a file was set aside or breaks its contract beyond tolerance",
    5: "a store does not answer; the same command may work later",
    6: "another writer came first; run it again",
    7: "a store is damaged",
    8: "a question that cannot be answered as asked",
}
"""What each exit code means; those of errors are ``DatahubError.exit_code``."""


class ErrorsAsWords(TyperGroup):
    """A command group that tells the hub's own errors by their text and exit code, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except DatahubError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            else:
                say(str(error), style="red")
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:  # the reader of a pipe, e.g. head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None


app = typer.Typer(
    name="datahub", cls=ErrorsAsWords, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown",
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
)  # fmt: skip


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"datahub {__version__}")
        raise typer.Exit


@app.callback()
def datahub(
    ctx: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="The hub's folder; left out: the variable DATAHUB_HOME, else .datahub below this folder."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Tell errors with their traceback.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Say the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """The data hub: provider files become tables and extracts, and every figure can be explained.

    Data go to stdout, words to stderr. Wherever data are read, --known-at asks what the hub knew at an earlier moment.

    A new hub in three commands:

        datahub init my-hub

        datahub --home my-hub land my-hub/samples/*

        datahub --home my-hub tables read example/fund_prices
    """
    ctx.obj = Chosen(home)


app.command()(init)
app.command()(demo)
app.add_typer(catalogue.app, name="catalogue")
app.command()(landing.land)
app.command()(landing.deliveries)
app.add_typer(tables.app, name="tables")
app.add_typer(extracts.app, name="extracts")
app.command(name="log")(log.log)
app.add_typer(cuts.app, name="cuts")
app.add_typer(rejects.app, name="rejects")
app.command(name="status")(status.status)
app.command()(status.reconcile)
app.add_typer(serve.app, name="serve")
app.add_typer(users.app, name="users")
app.command()(usage.usage)
app.command()(doctor.doctor)
app.command()(upkeep.maintain)
app.command()(upkeep.backup)
app.command()(upkeep.rebuild)
