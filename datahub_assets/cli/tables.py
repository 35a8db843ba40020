"""``datahub tables``: rows of structured datasets, the history of one key, and how their tables are declared."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datahub_assets.cli.opening import hub_of, position_words
from datahub_assets.cli.options import (
    As,
    Columns,
    Dataset,
    Day,
    Format,
    From,
    KnownAt,
    Limit,
    Output,
    To,
    ValidOn,
    Where,
    Yes,
)
from datahub_assets.cli.output import NUMBER, TEXT, emit, emit_records
from datahub_assets.cli.reading import Wanted, column_names, rows_of
from datahub_assets.cli.words import confirm, say
from datahub_assets.errors import QueryError

if TYPE_CHECKING:
    from datahub_assets.operations.hub import Hub
    from datahub_assets.schema.contract import Contract

app = typer.Typer(
    no_args_is_help=True,
    help="Rows of structured datasets: now or as known earlier, and the history of one key; their tables in HBase.",
)
_RANGES = {
    "table": TEXT, "partition": TEXT, "position": NUMBER, "write_id": NUMBER, "rows": NUMBER, "start": TEXT, "stop": TEXT,
}  # fmt: skip
_STEPS = dict.fromkeys(("table", "what", "actual", "declared", "remedy"), TEXT)


@app.command()
def read(
    ctx: typer.Context,
    dataset: Dataset,
    day: Day = None,
    first: From = None,
    last: To = None,
    valid_on: ValidOn = None,
    columns: Columns = None,
    where: Where = None,
    known_at: KnownAt = None,
    form: As = Format.TABLE,
    output: Output = None,
    limit: Limit = None,
    yes: Yes = False,
) -> None:
    """Read the rows of a structured dataset, by business date and key; stderr says at which position.

    For example:

        datahub tables read ecb/fx_reference_rates --date 2013-02-01

        datahub tables read ecb/fx_reference_rates --date 2013-02-01 --known-at 2013-02-01T18:00+01:00

        datahub tables read iso/currencies --valid-on 2013-01-31 --where "minor_unit = 3"

        datahub tables read synthetic/positions --from 2013-01-01 --format parquet --output positions.parquet
    """
    hub = hub_of(ctx)
    require_structured(hub, dataset)
    from datahub_assets.operations.read import position_of

    position = position_of(hub, known_at)
    wanted = Wanted(dataset, position, day, first, last, valid_on, column_names(columns), where)
    rows = rows_of(hub, wanted)
    count = emit(rows.schema, rows.batches, form, output, limit=limit, yes=yes)
    say(f"{dataset}: {count} row{'s' * (count != 1)} at {position_words(hub, position)}")


@app.command()
def history(
    ctx: typer.Context,
    dataset: Dataset,
    key: Annotated[list[str], typer.Argument(help="Values of the key's columns, in order; or of the first of them.")],
    day: Day = None,
    known_at: KnownAt = None,
    form: As = Format.TABLE,
    output: Output = None,
    limit: Limit = None,
    yes: Yes = False,
) -> None:
    """Show every version of one key: from when to when it was known, from which delivery and line.

    For example:

        datahub tables history ecb/fx_reference_rates USD --date 2013-02-01

        datahub tables history iso/markets XPAR
    """
    hub = hub_of(ctx)
    contract = require_structured(hub, dataset)
    from datahub_assets.operations.read import key_history, position_of
    from datahub_assets.schema.contract import Shape

    if (contract.shape is Shape.SNAPSHOT) != (day is not None):
        needs = "--date" if day is None else "no --date: the whole history is shown"
        raise QueryError(f"History of a {contract.shape.value} dataset", where=dataset, expected=needs)
    position = position_of(hub, known_at)
    versions = key_history(hub, dataset, _values(contract, key), position, day.isoformat() if day else None).to_arrow()
    count = emit(versions.schema, versions.to_batches(), form, output, limit=limit, yes=yes)
    found = f"{count} version{'s' * (count != 1)}" if count else "never held"
    say(f"{dataset} {' '.join(key)}: {found} up to {position_words(hub, position)}")


@app.command()
def ranges(
    ctx: typer.Context, dataset: Dataset, day: Day = None, known_at: KnownAt = None, form: As = Format.TABLE
) -> None:
    """Show which rows of its table a dataset is: ranges of keys in hexadecimal (no stop: to the end), for other readers of HBase.

    A snapshot has one range a business date (and bucket). A bitemporal dataset is all of its table, as far as its rows are
    of a write id that is shown: docs/other-readers.md.

    For example:

        datahub tables ranges ecb/fx_reference_rates --date 2013-02-01
    """
    hub = hub_of(ctx)
    require_structured(hub, dataset)
    from datahub_assets.operations.read import position_of
    from datahub_assets.operations.row_ranges import row_ranges

    position = position_of(hub, known_at)
    found = [
        vars(one) | {"start": one.start.hex(), "stop": one.stop.hex()}
        for one in row_ranges(hub, dataset, position, day)
    ]
    emit_records(_RANGES, found, form, empty="Nothing of it is committed.")
    say(f"{dataset}: at {position_words(hub, position)}")


@app.command()
def plan(ctx: typer.Context, form: As = Format.TABLE) -> None:
    """Show what differs between the declared tables and those in HBase; change nothing. Exit code 0 either way.

    What Thrift cannot change comes with the statement of hbase shell that does. Embedded tables have nothing to declare.

    For example:

        datahub tables plan
    """
    hub = hub_of(ctx)
    from datahub_assets.operations.tables import plan as planned

    emit_records(_STEPS, [vars(step) for step in planned(hub)], form, empty="Every table is as declared.")


@app.command()
def apply(ctx: typer.Context, yes: Yes = False, form: As = Format.TABLE) -> None:
    """Make the declared tables that are not in HBase yet, after showing the plan; then show what is left for hbase shell.

    For example:

        datahub tables apply --yes
    """
    hub = hub_of(ctx)
    from datahub_assets.operations.tables import apply as applied
    from datahub_assets.operations.tables import plan as planned

    absent = [step.table for step in planned(hub) if step.what == "table"]
    if absent:
        confirm(f"Make {len(absent)} tables: {', '.join(absent)}?", yes)
    made, left = applied(hub)
    say(f"{len(made)} tables made" + (": " + ", ".join(made) if made else ""))
    emit_records(_STEPS, [vars(step) for step in left], form, empty="Every table is as declared.")


def require_structured(hub: "Hub", dataset: str) -> "Contract":
    """The contract of a structured dataset.

    Raises:
        DeclarationError: there is no such dataset.
        QueryError: it is an extract.
    """
    if dataset in hub.catalogue.extracts:
        raise QueryError(
            "Not a structured dataset", got=f"{dataset}, an extract", remedy=f"datahub extracts read {dataset}"
        )
    return hub.contract(dataset)


def _values(contract: "Contract", texts: Sequence[str]) -> list[Any]:
    import pyarrow as pa

    if len(texts) > len(contract.key):
        raise QueryError(
            "Too many key values", where=contract.dataset, got=" ".join(texts), expected=" ".join(contract.key)
        )
    values = []
    for column, text in zip(contract.key_columns, texts, strict=False):
        try:
            values.append(pa.scalar(text).cast(column.type.arrow).as_py())
        except pa.ArrowInvalid as error:
            raise QueryError(
                "Not a value of the key",
                where=f"{contract.dataset}.{column.name}",
                got=repr(text),
                expected=str(column.type),
            ) from error
    return values
