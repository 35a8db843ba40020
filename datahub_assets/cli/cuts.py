"""``datahub cuts``: names for positions, so that a report can be made again as it was."""

from typing import Annotated

import typer

from datahub_assets.cli.opening import hub_of, position_words
from datahub_assets.cli.options import As, Format, KnownAt
from datahub_assets.cli.output import INSTANT, NUMBER, TEXT, emit_records, write_text
from datahub_assets.cli.words import say
from datahub_assets.errors import QueryError

app = typer.Typer(no_args_is_help=True, help="Named positions of the log: the hub as it stood when a report was made.")


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Letters, digits, '.', '_' and '-'; no date, instant or number.")],
    known_at: KnownAt = None,
    position: Annotated[
        int | None, typer.Option("--position", min=0, help="The position itself, instead of --known-at.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="What the cut is for.")] = "",
) -> None:
    """Name a position; prints it. A name stays with its first position: made again, nothing changes.

    For example:

        datahub cuts create 2024-01-31-eod --note "month end report"

        datahub cuts create audit-q1 --known-at 2024-03-31
    """
    if known_at is not None and position is not None:
        raise QueryError("Two positions for one cut", got="--known-at and --position", expected="one of them")
    hub = hub_of(ctx)
    from datahub_assets.operations.cuts import create_cut
    from datahub_assets.operations.read import position_of

    asked = position if position is not None else position_of(hub, known_at) if known_at is not None else None
    cut, is_new = create_cut(hub, name, asked, note)
    write_text(f"{cut.position}\n")
    say(f"{cut.name} {'is' if is_new else 'was already, nothing changed:'} {position_words(hub, cut.position)}")


@app.command(name="list")
def list_(ctx: typer.Context, form: As = Format.TABLE) -> None:
    """List all cuts with their positions and known times.

    For example:

        datahub cuts list

        datahub cuts list --format csv
    """
    hub = hub_of(ctx)
    columns = {"cut": TEXT, "position": NUMBER, "known_at": INSTANT, "note": TEXT}
    cuts = sorted(hub.log.cuts().values(), key=lambda cut: (cut.position, cut.name))
    rows = [
        {"cut": cut.name, "position": cut.position, "known_at": hub.log.entry(cut.position).known_at, "note": cut.note}
        for cut in cuts
    ]
    emit_records(columns, rows, form, empty="No cuts yet. Make one with: datahub cuts create NAME")
