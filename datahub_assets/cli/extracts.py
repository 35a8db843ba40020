"""``datahub extracts``: rows of published datasets, and files of them for consumers who want files."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datahub_assets.cli.opening import hub_of, position_words
from datahub_assets.cli.options import As, Columns, Dataset, Day, Format, From, KnownAt, Limit, Output, To, Where, Yes
from datahub_assets.cli.output import NUMBER, TEXT, emit, emit_records
from datahub_assets.cli.reading import Wanted, column_names, rows_of
from datahub_assets.cli.words import confirm, say, working
from datahub_assets.errors import DeclarationError, QueryError

if TYPE_CHECKING:
    from datahub_assets.catalogue.models import DropOptions
    from datahub_assets.operations.hub import Hub

app = typer.Typer(no_args_is_help=True, help="Rows of published datasets, now or as known earlier, and files of them.")


@app.command()
def read(
    ctx: typer.Context,
    dataset: Dataset,
    day: Day = None,
    first: From = None,
    last: To = None,
    columns: Columns = None,
    where: Where = None,
    known_at: KnownAt = None,
    form: As = Format.TABLE,
    output: Output = None,
    limit: Limit = None,
    yes: Yes = False,
) -> None:
    """Read the rows of an extract, by business date and key; stderr says at which position.

    For example:

        datahub extracts read analytics/valuations --date 2013-02-01

        datahub extracts read analytics/prices_eur --from 2013-01-01 --to 2013-01-31 --format csv > prices.csv

        datahub extracts read analytics/valuations --known-at 2013-01-31-eod --where "market_value_eur > 1e6"
    """
    hub = hub_of(ctx)
    _require_extract(hub, dataset)
    from datahub_assets.operations.read import position_of

    position = position_of(hub, known_at)
    rows = rows_of(hub, Wanted(dataset, position, day, first, last, None, column_names(columns), where))
    count = emit(rows.schema, rows.batches, form, output, limit=limit, yes=yes)
    say(f"{dataset}: {count} row{'s' * (count != 1)} at {position_words(hub, position)}")


@app.command()
def export(
    ctx: typer.Context,
    dataset: Dataset,
    day: Day = None,
    first: From = None,
    last: To = None,
    known_at: KnownAt = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="One file for all rows; its suffix says the format: .csv, .xlsx, .parquet or .json."
        ),
    ] = None,
    yes: Yes = False,
    form: As = Format.TABLE,
) -> None:
    """Write files of an extract: with --output one file, else the drops that the catalogue declares, with manifests.

    A drop's folder is drops/DATASET/DATE/pPOSITION below the hub's root, of the position that made the partition; it is
    complete once its manifest is there. The same drop again changes nothing. Without a date all partitions are dropped.

    For example:

        datahub extracts export analytics/valuations --date 2013-02-01

        datahub extracts export analytics/valuations --from 2013-01-01 --output valuations.xlsx
    """
    hub = hub_of(ctx)
    _require_extract(hub, dataset)
    from datahub_assets.operations.read import position_of

    position = position_of(hub, known_at)
    wanted = Wanted(dataset, position, day, first, last)
    rows = rows_of(hub, wanted)
    if output is not None:
        if output.suffix == ".xlsx":
            _write_xlsx(hub, wanted, output, yes)
        else:
            emit(rows.schema, rows.batches, _format_of(output), output, yes=yes)
        say(f"{output}: {dataset} at {position_words(hub, position)}")
        return
    formats = hub.catalogue.extract(dataset).drops
    if not formats:
        raise DeclarationError(
            "No drops declared",
            where=dataset,
            remedy="Declare drops in its catalogue file, or name a file with --output",
        )
    made = list(_drops(hub, wanted, formats))
    columns = {"partition": TEXT, "position": NUMBER, "file": TEXT, "size": NUMBER, "sha256": TEXT}
    emit_records(columns, made, form, short=["sha256"], empty=f"{dataset} has no partitions there: nothing to drop.")
    say(f"Below {hub.files.url('')}, at {position_words(hub, position)}")


def _require_extract(hub: "Hub", dataset: str) -> None:
    if dataset in hub.catalogue.structured:
        raise QueryError(
            "Not an extract", got=f"{dataset}, a structured dataset", remedy=f"datahub tables read {dataset}"
        )
    hub.catalogue.extract(dataset)


def _format_of(output: Path) -> Format:
    formats = {".csv": Format.CSV, ".parquet": Format.PARQUET, ".json": Format.JSON}
    if output.suffix not in formats:
        raise QueryError("Unknown kind of file", got=output.name, expected=".csv, .xlsx, .parquet or .json")
    return formats[output.suffix]


def _write_xlsx(hub: "Hub", wanted: Wanted, output: Path, yes: bool) -> None:
    from datahub_assets.stores import drop_formats, parquet

    if output.exists():
        confirm(f"{output} exists. Replace it?", yes)
    rows = rows_of(hub, wanted)
    stored = parquet.storable(rows.schema, wanted.dataset)
    typed = (batch.cast(stored) for batch in rows.batches)
    known_at = hub.log.entry(wanted.position).known_at if wanted.position >= 0 else hub.clock()
    temporary = output.with_name(f".{output.name}.part")
    try:
        with temporary.open("wb") as file:
            file.writelines(drop_formats.xlsx(typed, stored, wanted.dataset.split("/")[1], known_at))
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _drops(hub: "Hub", wanted: Wanted, formats: "tuple[DropOptions, ...]") -> "list[dict[str, object]]":
    from datahub_assets.operations.drops import contents, drop_partition

    changes = contents(hub, wanted.dataset, wanted.position)
    first, last = wanted.day or wanted.first or date.min, wanted.day or wanted.last or date.max
    chosen = {p: found for p, found in changes.items() if p and first <= date.fromisoformat(p) <= last}
    rows: list[dict[str, object]] = []
    with working(f"dropping {wanted.dataset}") as bar:
        bar.expect(len(chosen))
        for partition, (at, change) in chosen.items():
            made = drop_partition(hub, partition, at, change, formats)
            rows += [
                {"partition": partition, "position": at, "file": f.path, "size": f.size, "sha256": f.sha256}
                for f in made.files
            ]
            bar.step()
    return rows
