"""A frame as a partition's image, for assets that are written in Python: a delivery like any other, of typed rows.

The frame is held to the contract, kept in the vault as Parquet, and structured from there: so its rows have a delivery and a
line as all others have, are reconciled with it, and can be made again by a rebuild.
"""

import io
from datetime import date

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.errors import DeliveryMalformed, QueryError
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.receive import receive_frame
from datahub_assets.operations.structure import Commit, structure
from datahub_assets.schema.contract import BUSINESS_DATE, DELIVERY, LINE, Contract, Shape
from datahub_assets.schema.validation import VIOLATIONS, violations
from datahub_assets.stores.structured import ImageSummary

SAMPLE = 20


def commit_frame(hub: Hub, dataset: str, day: date, rows: pa.Table) -> Commit:
    """The rows are the image of the day's partition. The same rows again commit nothing.

    Args:
        rows: the contract's columns by name, others are left out; ``business_date`` may be missing.

    Raises:
        DeliveryMalformed: the rows break the contract; nothing is kept or committed. The first ``SAMPLE`` violations are told.
        QueryError: the dataset is bitemporal; its rows come from files alone.
        StoreConflict: another run committed the partition first.
    """
    contract = hub.register_contract(dataset)
    if contract.shape is not Shape.SNAPSHOT:
        raise QueryError(
            "Frames make snapshots only", where=dataset, got=contract.shape.value, expected="a snapshot dataset"
        )
    frame = _typed(contract, day, rows)
    _require_kept(hub, contract, day, frame)
    if _digest(contract, frame) == _standing(hub, dataset, day):
        return Commit(unchanged=(day.isoformat(),))
    content = io.BytesIO()
    pq.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(contract.arrow_schema), content)
    receive_frame(hub, dataset, day, f"{dataset.rpartition('/')[2]}_{day}.parquet", content.getvalue())
    return structure(hub, dataset, [day]).require([day])


def _typed(contract: Contract, day: date, rows: pa.Table) -> pl.DataFrame:
    """The rows with the contract's columns and types."""
    where = f"{contract.dataset} {day}"
    if BUSINESS_DATE not in rows.column_names:
        rows = rows.append_column(BUSINESS_DATE, pa.array([day] * len(rows), pa.date32()))
    missing = [name for name in contract.arrow_schema.names if name not in rows.column_names]
    if missing:
        got, expected = ", ".join(rows.column_names), ", ".join(contract.arrow_schema.names)
        raise DeliveryMalformed("Columns are missing", where=where, got=got, expected=expected, problems=missing)
    columns, problems = [], []
    for field in contract.arrow_schema:
        try:
            columns.append(_cast(rows.column(field.name), field.type))
        except pa.ArrowException as error:
            problems.append(f"{field.name}: {str(error).splitlines()[0]}")
    if problems:
        got, expected = str(rows.schema).replace("\n", ", "), "values of the contract's types"
        raise DeliveryMalformed(
            "Types are not the contract's", where=where, got=got, expected=expected, problems=problems
        )
    return pl.DataFrame(pa.table(columns, names=contract.arrow_schema.names))


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Arrow's cast, which loses nothing silently; it makes no decimals of integers unless there is room for any of them."""
    if pa.types.is_integer(values.type) and pa.types.is_decimal(wanted):
        values = values.cast(pa.decimal128(38, wanted.scale))
    return values.cast(wanted)


def _require_kept(hub: Hub, contract: Contract, day: date, frame: pl.DataFrame) -> None:
    """Nothing happens when every row keeps the contract, and there are enough."""
    least = max(hub.catalogue.structured_dataset(contract.dataset).checks.min_rows, 1)
    if frame.height < least:
        where, got = f"{contract.dataset} {day}", f"{frame.height} rows"
        raise DeliveryMalformed("Too few rows", where=where, got=got, expected=f"at least {least}")
    broken = _broken(contract, day, frame)
    if broken.height:
        told = [f"row {row}, {column}: {rule}, {value}" for row, column, rule, value in broken.head(SAMPLE).iter_rows()]
        raise DeliveryMalformed(
            "Rows break the contract", where=f"{contract.dataset} {day}", got=f"{broken.height} violations",
            expected=f"rows that keep contract version {contract.version}", problems=told,
        )  # fmt: skip


def _broken(contract: Contract, day: date, frame: pl.DataFrame) -> pl.DataFrame:
    """As ``schema.validation.violations``, and rows of another day and keys that are there twice."""
    numbered = frame.with_row_index("row")
    other = numbered.filter(pl.col(BUSINESS_DATE) != day).select(
        "row", column=pl.lit(BUSINESS_DATE), rule=pl.lit(f"of {day}"), value=pl.col(BUSINESS_DATE).cast(pl.String)
    )
    key = list(contract.key)
    double = numbered.filter(pl.struct(key).is_duplicated()).select(
        "row", column=pl.lit(" + ".join(key)), rule=pl.lit("duplicate_key"),
        value=pl.concat_str([pl.col(name).cast(pl.String) for name in key], separator=" | "),
    )  # fmt: skip
    return pl.concat([violations(frame, contract), other.cast(VIOLATIONS), double.cast(VIOLATIONS)])


def _digest(contract: Contract, frame: pl.DataFrame) -> str:
    nowhere = frame.with_columns(pl.lit(0, pl.UInt32).alias(DELIVERY), pl.lit(0, pl.UInt32).alias(LINE))
    summary, schema = ImageSummary(), contract.stored_schema
    summary.add(contract, nowhere.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema))
    return str(summary.digest)


def _standing(hub: Hub, dataset: str, day: date) -> str | None:
    found = hub.log.change(dataset, day.isoformat(), hub.log.last())
    return found[1].digest if found else None
