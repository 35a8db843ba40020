"""Reading rows of any dataset for a command: which days, columns and rows, at which position; streamed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING

import pyarrow as pa

from datahub_assets.errors import DeliveryMissing, QueryError

if TYPE_CHECKING:
    from datahub_assets.operations.hub import Hub


@dataclass(frozen=True)
class Wanted:
    """What is read of a dataset."""

    dataset: str
    position: int
    day: date | None = None
    first: date | None = None
    last: date | None = None
    valid_on: date | None = None
    columns: tuple[str, ...] = ()
    where: str | None = None


@dataclass(frozen=True)
class Rows:
    """Batches to come, and their schema."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


def column_names(text: str | None) -> tuple[str, ...]:
    """The names in ``a,b``."""
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def rows_of(hub: "Hub", wanted: Wanted) -> Rows:
    """The rows that are wanted: partitions in order, rows in key order.

    Raises:
        QueryError: options that do not fit the dataset, an unknown column, SQL that cannot be run, or versions that are
            no longer kept.
        DeliveryMissing: the one business date asked for is not committed at the position.
    """
    from datahub_assets.operations.read import read

    days = _days(hub, wanted)
    schema = _schema(hub, wanted, days)
    tables = read(hub, wanted.dataset, wanted.position, days, valid_on=wanted.valid_on)
    rows = Rows(schema, (batch for table in tables for batch in _shaped(table, schema).to_batches()))
    return _selected(rows, wanted) if wanted.columns or wanted.where else rows


def _days(hub: "Hub", wanted: Wanted) -> list[date] | None:
    from datahub_assets.schema.contract import Shape

    structured = hub.catalogue.structured.get(wanted.dataset)
    is_bitemporal = structured is not None and structured.shape is Shape.BITEMPORAL
    given = [
        f"--{name}" for name, value in (("date", wanted.day), ("from", wanted.first), ("to", wanted.last)) if value
    ]
    if is_bitemporal and given:
        raise QueryError(
            "A bitemporal dataset has no business dates",
            where=wanted.dataset,
            got=", ".join(given),
            expected="--valid-on, or nothing",
        )
    if wanted.valid_on and not is_bitemporal:
        raise QueryError(
            "Rows of this dataset have no validity",
            where=wanted.dataset,
            got="--valid-on",
            expected="--date, --from or --to",
        )
    if wanted.day and len(given) > 1:
        raise QueryError("Two ways to say which dates", got=", ".join(given), expected="--date, or --from and --to")
    if not given:
        return None
    held = sorted(date.fromisoformat(p) for p in hub.log.changes(wanted.dataset, wanted.position) if p)
    if wanted.day and wanted.day not in held:
        raise _missing(hub, wanted, wanted.day, held)
    first, last = wanted.day or wanted.first or date.min, wanted.day or wanted.last or date.max
    return [day for day in held if first <= day <= last]


def _missing(hub: "Hub", wanted: Wanted, day: date, held: list[date]) -> DeliveryMissing:
    near = max((other for other in held if other < day), default=None)
    remedy = f"The newest before it is {near}" if near else "See what there is: datahub status"
    got = (
        "a day that is no business date of it"
        if not hub.is_business_date(wanted.dataset, day)
        else f"nothing at position {wanted.position}"
    )
    return DeliveryMissing("Business date not there", where=f"{wanted.dataset} {day}", got=got, remedy=remedy)


def _schema(hub: "Hub", wanted: Wanted, days: list[date] | None) -> pa.Schema:
    if wanted.dataset in hub.catalogue.structured:
        return hub.contract(wanted.dataset).arrow_schema
    from datahub_assets.operations.definitions import extract_contract

    texts = None if days is None else {day.isoformat() for day in days}
    changes = hub.log.changes(wanted.dataset, wanted.position).items()
    files = {file.path: file for p, (_, change) in changes if texts is None or p in texts for file in change.files}
    return hub.extracts.schema(list(files.values())) if files else extract_contract(hub, wanted.dataset).arrow_schema


def _shaped(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table's rows under the schema: files of an extract may be of several ages."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, names=schema.names)


def _selected(rows: Rows, wanted: Wanted) -> Rows:
    unknown = [name for name in wanted.columns if name not in rows.schema.names]
    if unknown:
        near = [match for name in unknown for match in get_close_matches(name, rows.schema.names, n=1)]
        raise QueryError(
            "No such column",
            where=wanted.dataset,
            got=", ".join(unknown),
            expected=", ".join(near or rows.schema.names),
        )
    if wanted.where is None:
        narrow = pa.schema([rows.schema.field(name) for name in wanted.columns])
        return Rows(narrow, (batch.select(list(wanted.columns)) for batch in rows.batches))
    return _filtered(rows, wanted)


def _filtered(rows: Rows, wanted: Wanted) -> Rows:
    import duckdb

    from datahub_assets.catalogue import extract_sql

    domain, name = wanted.dataset.split("/")
    chosen = ", ".join(f'"{column}"' for column in wanted.columns or rows.schema.names)
    reader = pa.RecordBatchReader.from_batches(rows.schema, rows.batches)
    duck = extract_sql.connection({wanted.dataset: reader})
    try:
        found = duck.sql(f'SELECT {chosen} FROM "{domain}"."{name}" WHERE ({wanted.where}\n)').to_arrow_reader()
    except duckdb.Error as error:
        duck.close()
        raise _refused(wanted, error) from error

    def batches() -> Iterator[pa.RecordBatch]:
        with duck:
            try:
                yield from found
            except duckdb.Error as error:
                raise _refused(wanted, error) from error

    return Rows(found.schema, batches())


def _refused(wanted: Wanted, error: Exception) -> QueryError:
    return QueryError(
        "Condition cannot be evaluated",
        where=f"--where {wanted.where!r}",
        got=str(error).splitlines()[0],
        expected="e.g. \"currency = 'USD'\"",
    )
