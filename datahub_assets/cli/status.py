"""``datahub status`` and ``datahub reconcile``: whether all is there, and whether it is what was delivered."""

from typing import Annotated

import typer

from datahub_assets.cli.opening import hub_of, position_words
from datahub_assets.cli.options import AnyDataset, As, Day, Format, KnownAt
from datahub_assets.cli.output import DAY, DAYS, FLAG, INSTANT, NUMBER, TEXT, TEXTS, emit_records
from datahub_assets.cli.words import say, working

_STATUS = {
    "dataset": TEXT,
    "state": TEXT,
    "last_date": DAY,
    "expected_date": DAY,
    "partitions": NUMBER,
    "missing": NUMBER,
    "rejected": NUMBER,
    "corrected": NUMBER,
    "last_known_at": INSTANT,
}
_RECONCILED = {
    "dataset": TEXT,
    "partition": TEXT,
    "write_id": NUMBER,
    "equal": FLAG,
    "rows_file": NUMBER,
    "rows_stored": NUMBER,
    "rows_committed": NUMBER,
    "rejected_file": NUMBER,
    "rejected_committed": NUMBER,
    "finding": TEXT,
}


def status(
    ctx: typer.Context,
    dataset: AnyDataset = None,
    check: Annotated[
        bool, typer.Option("--check", help="For monitoring: exit code 1 when something expected is missing.")
    ] = False,
    known_at: KnownAt = None,
    form: As = Format.TABLE,
) -> None:
    """Show freshness and completeness by business date: state, last and expected date, missing dates, rejects, corrections.

    States: fresh; late (the newest expected date is missing); incomplete (an older one is); empty; on demand (no expected
    time is declared). With a dataset the missing dates are told one by one, and what each waits for.

    For example:

        datahub status

        datahub status ecb/fx_reference_rates --format json

        datahub status --check || mail -s "data late" ops@example.com
    """
    hub = hub_of(ctx)
    from datahub_assets.history.log import render_instant
    from datahub_assets.operations.expectations import status as state_of
    from datahub_assets.operations.read import position_of
    from datahub_assets.operations.waiting import waiting

    position = position_of(hub, known_at)
    now = hub.clock() if known_at is None or position < 0 else hub.log.entry(position).known_at
    names = [hub.dataset(dataset).dataset] if dataset else sorted(hub.catalogue.datasets)
    found = [state_of(hub, name, position, now) for name in names]
    one = {"missing_dates": DAYS} if dataset else {}
    waits = waiting(hub, dataset, position, found[0].missing) if dataset else {}
    if waits and form is not Format.TABLE:
        one["waits_for"] = TEXTS
    rows = [
        {
            "dataset": s.dataset,
            "state": s.state,
            "last_date": s.last_date,
            "expected_date": s.expected_date,
            "partitions": s.partitions,
            "missing": len(s.missing),
            "rejected": s.rejected,
            "corrected": s.corrected,
            "last_known_at": s.last_known_at,
            "missing_dates": list(s.missing),
            "waits_for": [f"{day}: {', '.join(names)}" for day, names in waits.items()],
        }
        for s in found
    ]
    columns = {**_STATUS, **one}
    emit_records(columns, [{name: row[name] for name in columns} for row in rows], form, empty="")
    for day, inputs in waits.items() if form is Format.TABLE else ():
        say(f"{day} waits for {', '.join(inputs)}")
    if position < 0:
        say("Nothing has arrived yet: land files with: datahub land")
    else:
        say(f"At {position_words(hub, position)}, judged at {render_instant(now)}")
    behind = [s.dataset for s in found if s.missing]
    if check and behind:
        say(f"Missing dates: {', '.join(behind)}", style="red")
        raise typer.Exit(1)


def reconcile(
    ctx: typer.Context, dataset: AnyDataset = None, day: Day = None, known_at: KnownAt = None, form: As = Format.TABLE
) -> None:
    """Compare counts and digests of the delivered file, the stored rows and the log, partition by partition.

    Files are parsed again from the vault, tables and extracts read back whole: this takes as long as loading did. Exit
    code 1 when anything differs.

    For example:

        datahub reconcile ecb/fx_reference_rates --date 2013-02-01

        datahub reconcile --format csv > reconciliation.csv
    """
    hub = hub_of(ctx)
    from datahub_assets.operations.read import position_of
    from datahub_assets.operations.reconcile import reconcile as compared
    from datahub_assets.operations.reconcile import scopes

    position = position_of(hub, known_at)
    names = [hub.dataset(dataset).dataset] if dataset else sorted(hub.catalogue.datasets)
    rows: list[dict[str, object]] = []
    with working("reconciling") as bar:
        bar.expect(sum(len(scopes(hub, name, position, day)) for name in names))
        for name in names:
            for one in compared(hub, name, position, day):
                rows.append({**vars(one), "equal": one.equal, "finding": one.finding})
                bar.step(f"{name} {one.partition or ''}")
    shown = [{name: row.get(name) for name in _RECONCILED} for row in rows]
    emit_records(_RECONCILED, shown, form, empty="Nothing is committed there: nothing to reconcile.")
    different = sum(not row["equal"] for row in rows)
    say(
        f"{len(rows)} compared, {different} different, at {position_words(hub, position)}",
        style="red" if different else "",
    )
    if different:
        raise typer.Exit(1)
