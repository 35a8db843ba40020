"""``datahub rejects``: rows that broke their contract, and another try under the contract as it is now."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datahub_assets.cli.landing import after
from datahub_assets.cli.opening import hub_of
from datahub_assets.cli.options import AnyDataset, As, Dataset, Day, Format, KnownAt, Limit, Output, Yes
from datahub_assets.cli.output import NUMBER, TEXT, emit, emit_records
from datahub_assets.cli.words import say
from datahub_assets.errors import QueryError

if TYPE_CHECKING:
    from datahub_assets.operations.hub import Hub

app = typer.Typer(
    no_args_is_help=True,
    help="Rows that broke their contract: list, show, and try again after the contract was relaxed.",
)
_LISTED = {
    "dataset": TEXT,
    "partition": TEXT,
    "write_id": NUMBER,
    "state": TEXT,
    "rejected": NUMBER,
    "rows_read": NUMBER,
    "path": TEXT,
}


@app.command(name="list")
def list_(ctx: typer.Context, dataset: AnyDataset = None, known_at: KnownAt = None, form: As = Format.TABLE) -> None:
    """List commits and refused deliveries that have rejects.

    State: standing (of the rows now read), superseded (of an earlier version), refused (beyond tolerance: not committed).

    For example:

        datahub rejects list

        datahub rejects list quandl/equity_prices --format json
    """
    hub = hub_of(ctx)
    if dataset is not None:
        hub.catalogue.structured_dataset(dataset)
    from datahub_assets.operations.read import position_of

    position = position_of(hub, known_at)
    names = [dataset] if dataset else sorted(hub.catalogue.structured)
    rows = [row for name in names for row in _committed(hub, name, position)]
    if known_at is None:
        rows += [row for name in names for row in _refused(hub, name, {str(row["path"]) for row in rows})]
    emit_records(_LISTED, rows, form, empty="No rejects.")


@app.command()
def show(
    ctx: typer.Context,
    which: Annotated[
        str, typer.Argument(help="A path as rejects list tells it, or domain/name for the standing rejects.")
    ],
    day: Day = None,
    form: As = Format.TABLE,
    output: Output = None,
    limit: Limit = None,
    yes: Yes = False,
) -> None:
    """Show rejects: delivery, line, column, value, rule, message and the record as it was delivered.

    For example:

        datahub rejects show quandl/equity_prices --date 2013-01-15

        datahub rejects show vault/rejects/quandl/equity_prices/2013-01-15/T000000000012.parquet --format csv
    """
    hub = hub_of(ctx)
    import polars as pl

    if which.startswith("vault/rejects/"):
        if not hub.files.exists(which):
            raise QueryError("No such rejects", got=which, remedy="List them with: datahub rejects list")
        paths = [which]
    else:
        hub.catalogue.structured_dataset(which)
        found = [row for row in _committed(hub, which, hub.log.last()) if row["state"] == "standing"]
        paths = list(
            dict.fromkeys(str(row["path"]) for row in found if day is None or row["partition"] == day.isoformat())
        )
    if not paths:
        say(f"{which} has no standing rejects{f' on {day}' if day else ''}.")
        return
    rows = pl.concat([hub.vault.rejects(path) for path in paths], how="diagonal").to_arrow()
    emit(rows.schema, rows.to_batches(), form, output, limit=limit, yes=yes)


@app.command()
def replay(ctx: typer.Context, dataset: Dataset, day: Day = None, form: As = Format.TABLE) -> None:
    """Structure again, under the contract as declared now, what has rejects or was refused; extracts follow.

    Correct or relax the catalogue file first: under the same contract the same rows are rejected, and nothing changes.

    For example:

        datahub rejects replay quandl/equity_prices

        datahub rejects replay quandl/equity_prices --date 2013-01-15
    """
    hub = hub_of(ctx)
    declared = hub.catalogue.structured_dataset(dataset)
    from datahub_assets.operations.follow import Step, follow, structure_any
    from datahub_assets.operations.stale import stale_structured
    from datahub_assets.operations.structure_bitemporal import replayable

    position = hub.log.last()
    standing = [row for row in _committed(hub, dataset, position) if row["state"] == "standing"]
    behind = set(stale_structured(hub, dataset, position).days)
    rejected = {date.fromisoformat(str(row["partition"])) for row in standing}
    days = sorted(d for d in {*rejected, *behind} if day in (None, d))
    if not days:
        say(f"{dataset} has no rejects to replay{f' on {day}' if day else ''}.")
        return
    if declared.feed.mode == "intervals" and not behind and not replayable(hub, hub.contract(dataset), days, position):
        raise QueryError(
            "Merged intervals cannot be replayed", where=dataset, got="files merged on top of them, or the same contract",
            expected="the newest file, and a contract that was relaxed", remedy="Ask for a corrected file and land it",
        )  # fmt: skip
    steps = [Step(dataset, commit=structure_any(hub, dataset, days).require(days), days=tuple(days))]
    if not steps[0].commit or not steps[0].commit.entries:
        say(f"The contract of {dataset} is as it was: nothing changed.")
        return
    steps += follow(hub, [dataset])
    after(hub, steps, form, empty="Nothing changed.")


def _committed(hub: "Hub", dataset: str, position: int) -> list[dict[str, Any]]:
    return [
        {
            "dataset": dataset, "partition": change.partition or str(change.observed or ""), "write_id": change.write_id,
            "state": "standing" if _stands(hub, change, position) else "superseded", "rejected": change.rejected,
            "rows_read": change.rows_read, "path": change.rejects,
        }
        for _, change in hub.log.all_changes(dataset, position) if change.rejects
    ]  # fmt: skip


def _stands(hub: "Hub", change: Any, position: int) -> bool:
    if change.partition is None:  # a merge stands until its delivery is merged once more
        later = [c for _, c in hub.log.all_changes(change.dataset, position) if c.folded == change.folded]
        return bool(later and later[-1].write_id == change.write_id)
    found = hub.log.change(change.dataset, change.partition, position)
    return found is not None and found[1].write_id == change.write_id


def _refused(hub: "Hub", dataset: str, committed: set[str]) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows = []
    for path in hub.files.list(f"vault/rejects/{dataset}"):
        if path in committed:
            continue
        scope, name = path.split("/")[-2:]
        with hub.files.open(path) as file:  # a row may have several rejects
            rejects = pq.read_table(file, columns=["receipt", "line"])
        count = rejects.group_by(["receipt", "line"]).aggregate([]).num_rows
        write_id = int(name.removeprefix("T").removesuffix(".parquet"))
        rows.append(
            {
                "dataset": dataset,
                "partition": scope,
                "write_id": write_id,
                "state": "refused",
                "rejected": count,
                "path": path,
            }
        )
    return rows
