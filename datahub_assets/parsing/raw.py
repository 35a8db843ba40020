"""What every reader gives: a batch of records as they stand in the file, and the records that are none.

Values are text as in the file, or typed where the format is (Parquet); nothing is cast here (``casting``).
"""

from dataclasses import dataclass, field

import polars as pl

MAX_VALUE = 1_000
"""Characters of a value that a reject keeps."""
MAX_RECORD = 4_000
"""Characters of a record that a reject keeps."""

REJECTS = pl.Schema(
    {
        "line": pl.UInt32(),
        "column": pl.String(),
        "value": pl.String(),
        "rule": pl.String(),
        "message": pl.String(),
        "record": pl.String(),
    }
)
"""Rejects: line or record number, column (null = the whole row), value as in the file, rule, message, record."""


@dataclass(frozen=True)
class Unreadable:
    """A record that could not be split into fields."""

    line: int
    rule: str
    message: str
    text: str


@dataclass(frozen=True)
class RawBatch:
    """Records in the file's order.

    ``fields``: one column a field of the file, no provenance. ``lines``: UInt32, for each record its physical line
    (1-based), or its number where the format has no lines. ``has_nul``: some value may hold a NUL.
    """

    fields: pl.DataFrame
    lines: pl.Series
    unreadable: tuple[Unreadable, ...] = ()
    has_nul: bool = field(default=True)

    @property
    def records(self) -> int:
        """Records read, readable or not."""
        return self.fields.height + len(self.unreadable)

    def sliced(self, rows: int) -> "list[RawBatch]":
        """The same records in batches of at most ``rows``; what is unreadable goes with the first."""
        if self.fields.height <= rows:
            return [self]
        cuts = range(0, self.fields.height, rows)
        return [
            RawBatch(
                self.fields[i : i + rows], self.lines[i : i + rows], self.unreadable if i == 0 else (), self.has_nul
            )
            for i in cuts
        ]


def unreadable_rejects(records: tuple[Unreadable, ...]) -> pl.DataFrame:
    """The rejects of records that could not be split: column and value are null."""
    rows = [(r.line, None, None, r.rule, r.message, r.text[:MAX_RECORD]) for r in records]
    return pl.DataFrame(rows, schema=REJECTS, orient="row")


def numbered(first: int, count: int) -> pl.Series:
    """Lines ``first``, ``first`` + 1, … as UInt32."""
    return pl.Series("line", range(first, first + count), dtype=pl.UInt32)
