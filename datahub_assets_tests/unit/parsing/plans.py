"""Small contracts and plans that the tests of this room share."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, BinaryIO

import polars as pl

from datahub_assets.parsing.options import CsvOptions, FormatOptions
from datahub_assets.parsing.parse import ParsedBatch, ParsePlan, parse_file
from datahub_assets.schema.contract import Column, Contract, Shape
from datahub_assets.schema.types import LogicalType

DAY = date(2013, 1, 2)
COLUMNS = {"business_date": "date", "portfolio": "text", "units": "int64", "price": "decimal(10,2)"}


def contract(
    columns: dict[str, str],
    key: tuple[str, ...] = ("portfolio",),
    shape: Shape = Shape.SNAPSHOT,
    **checks: dict[str, Any],
) -> Contract:
    """A contract from types as in a catalogue file; ``type?`` is nullable; keywords are checks by column."""
    typed = tuple(
        Column(i, name, LogicalType.parse(kind.rstrip("?")), kind.endswith("?"), checks=checks.get(name, {}))
        for i, (name, kind) in enumerate(columns.items(), start=1)
    )
    return Contract("demo/positions", 1, shape, typed, key)


def plan(
    columns: dict[str, str] | None = None,
    options: FormatOptions | None = None,
    checks: dict[str, dict[str, Any]] | None = None,
    key: tuple[str, ...] = ("portfolio",),
    **more: Any,
) -> ParsePlan:
    """A plan whose columns are the file's fields of the same names."""
    columns = columns or COLUMNS
    shape = Shape.SNAPSHOT if "business_date" in columns else Shape.BITEMPORAL
    more.setdefault("sources", {name: name for name in columns})
    return ParsePlan(contract(columns, key, shape, **(checks or {})), options or CsvOptions(), **more)


@dataclass(frozen=True)
class Parsed:
    """All batches of a file together, and how often the caller had to start again."""

    batches: list[ParsedBatch]
    restarts: int

    @property
    def rows(self) -> pl.DataFrame:
        return pl.concat([batch.rows for batch in self.batches])

    @property
    def rejects(self) -> pl.DataFrame:
        return pl.concat([batch.rejects for batch in self.batches])

    @property
    def read(self) -> int:
        return sum(batch.rows_read for batch in self.batches)

    @property
    def rejected(self) -> int:
        return sum(batch.rejected for batch in self.batches)

    def found(self) -> list[tuple[int, str | None, str]]:
        """Line, column and rule of each reject, in order."""
        return self.rejects.select("line", "column", "rule").sort("line", "column", "rule").rows()


def parsed(data: bytes | Callable[[], BinaryIO], how: ParsePlan, batch_rows: int = 1_000) -> Parsed:
    """The file parsed as callers do it; the promise of every batch is checked on the way."""
    batches: list[ParsedBatch] = []
    restarts = 0

    def restart() -> None:
        nonlocal restarts
        restarts += 1
        batches.clear()

    opened = (lambda: io.BytesIO(data)) if isinstance(data, bytes) else data
    for batch in parse_file(opened, how, restart=restart, batch_rows=batch_rows):
        assert batch.rows.height + batch.rejected == batch.rows_read
        assert batch.rejects["line"].n_unique() <= batch.rejects.height
        batches.append(batch)
    return Parsed(batches, restarts)
