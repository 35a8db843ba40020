"""Who used which data of which provider, out of the audit log: what a licence report counts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.serving.audit import Record

BY = ("provider", "dataset", "user", "door", "day")
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "provider": pl.String, "dataset": pl.String, "user": pl.String, "door": pl.String, "day": pl.Date,
    "statement": pl.Int64, "rows": pl.Int64, "at": pl.Datetime("ms", "UTC"),
}  # fmt: skip
_BATCH = 10_000


@dataclass(frozen=True)
class Providers:
    """Which providers' data a dataset holds: of an extract those of all its inputs."""

    catalogue: Catalogue

    def of(self, dataset: str) -> tuple[str, ...]:
        """Names of providers, sorted; none for a dataset that is no longer declared."""
        inputs = self.catalogue.inputs.get(dataset, (dataset,))
        known = (self.catalogue.structured[name] for name in inputs if name in self.catalogue.structured)
        return tuple(sorted({structured.feed.provider for structured in known})) or ("",)


def usage(
    records: Iterable[Record], catalogue: Catalogue, by: Iterable[str] = ("provider", "dataset", "user")
) -> pa.Table:
    """Statements and rows for each combination of ``by``, and when the last one began.

    A statement that reads several datasets counts for each of them; its rows are those of its answer. One that was
    refused counts for none; of one that was cut off with its server the rows are not known and count as none.
    """
    names, providers, parts = list(by), Providers(catalogue), list[pl.DataFrame]()
    for number, batch in enumerate(_batches(records, providers)):
        frame = pl.DataFrame(batch, schema=SCHEMA, orient="row").with_columns(pl.col("statement") + number * _BATCH)
        parts.append(_counted(frame, names))
    whole = pl.concat([_counted(pl.DataFrame(schema=SCHEMA), names), *parts])
    totals = whole.group_by(names).agg(pl.col("statements", "rows").sum(), pl.col("last").max())
    columns = [(name, pa.date32() if name == "day" else pa.string()) for name in names]
    counts = [("statements", pa.int64()), ("rows", pa.int64()), ("last", pa.timestamp("ms", "UTC"))]
    return totals.sort(names).to_arrow().cast(pa.schema([*columns, *counts]))


def _counted(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    once = frame.unique([*by, "statement"])  # two providers or relations of one dataset are one use of it
    return once.group_by(by).agg(
        pl.len().cast(pl.Int64).alias("statements"), pl.col("rows").sum(), pl.col("at").max().alias("last")
    )


def _batches(records: Iterable[Record], providers: Providers) -> Iterator[list[tuple[object, ...]]]:
    batch: list[tuple[object, ...]] = []
    statements = 0
    for record in records:
        begun = record.begun
        for dataset in sorted({read.dataset for read in begun.reads}) if record.outcome != "refused" else ():
            batch += [
                (provider, dataset, begun.user, begun.door, begun.at.date(), statements, record.rows or 0, begun.at)
                for provider in providers.of(dataset)
            ]
        statements += 1
        if statements == _BATCH:
            yield batch
            batch, statements = [], 0
    if batch:
        yield batch
