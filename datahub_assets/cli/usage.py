"""``datahub usage``: who used which data of which provider, out of the audit log of the doors."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer

from datahub_assets.cli.opening import hub_of
from datahub_assets.cli.options import As, Format, Output, Yes, parse_day
from datahub_assets.cli.output import INSTANT, NUMBER, TEXT, TEXTS, emit, emit_records
from datahub_assets.cli.words import say
from datahub_assets.errors import DeclarationError


def usage(
    ctx: typer.Context,
    by: Annotated[
        str, typer.Option("--by", metavar="A,B", help="Of provider, dataset, user, door, day.")
    ] = "provider,dataset,user",
    statements: Annotated[bool, typer.Option("--statements", help="Every statement instead of sums.")] = False,
    since: Annotated[
        date | None, typer.Option("--from", parser=parse_day, metavar="YYYY-MM-DD", help="Read on this day or later.")
    ] = None,
    until: Annotated[
        date | None, typer.Option("--to", parser=parse_day, metavar="YYYY-MM-DD", help="Read on this day or before.")
    ] = None,
    form: As = Format.TABLE,
    output: Output = None,
    yes: Yes = False,
) -> None:
    """Count statements and rows that were read through the doors, e.g. for a provider's licence report.

    A statement counts for each dataset it reads, its rows are those of its answer. Days are UTC.

    For example:

        datahub usage --by provider,user --from 2024-01-01 --to 2024-03-31

        datahub usage --statements --format csv --output statements.csv
    """
    hub = hub_of(ctx)
    from datahub_assets.serving.audit import AuditLog
    from datahub_assets.serving.usage import BY
    from datahub_assets.serving.usage import usage as counted

    names = [name.strip() for name in by.split(",") if name.strip()]
    unknown = [name for name in names if name not in BY]
    if unknown or not names:
        raise DeclarationError("Cannot count by this", got=", ".join(unknown) or "nothing", expected=", ".join(BY))
    records = AuditLog(hub.tables).records(_midnight(since), _midnight(until + timedelta(days=1)) if until else None)
    if statements:
        rows = [
            {"at": r.begun.at, "user": r.begun.user, "door": r.begun.door, "client": r.begun.client,
             "datasets": sorted({read.dataset for read in r.begun.reads}), "position": r.begun.position,
             "known_at": r.begun.known_at, "outcome": r.outcome, "rows": r.rows, "statement": r.begun.statement}
            for r in records
        ]  # fmt: skip
        columns = {"at": INSTANT, "user": TEXT, "door": TEXT, "client": TEXT, "datasets": TEXTS, "position": NUMBER,
                   "known_at": INSTANT, "outcome": TEXT, "rows": NUMBER, "statement": TEXT}  # fmt: skip
        emit_records(columns, rows, form, empty="Nobody has read anything through a door in these days.")
        return
    table = counted(records, hub.catalogue, names)
    if not table.num_rows:
        say("Nobody has read anything through a door in these days.")
    emit(table.schema, table.to_batches(), form, output, limit=max(table.num_rows, 1), yes=yes)


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
