"""The logical types of the hub and their names in Arrow, polars and SQL. Bytes are not here (``hbase_format``)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import polars as pl
import pyarrow as pa

from datahub_assets.errors import DeclarationError

MAX_DECIMAL_PRECISION = 38


class Kind(StrEnum):
    """The families of values a column can hold."""

    TEXT = "text"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT64 = "float64"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class LogicalType:
    """A logical type: a kind and, for decimals, precision and scale. Timestamps are UTC, in microseconds.

    >>> LogicalType.parse("decimal(18, 6)")
    LogicalType(kind=<Kind.DECIMAL: 'decimal'>, precision=18, scale=6)
    >>> str(LogicalType.parse("date")), LogicalType.parse("date").sql
    ('date', 'DATE')
    """

    kind: Kind
    precision: int = 0
    scale: int = 0

    @classmethod
    @lru_cache(maxsize=1024)
    def parse(cls, text: str) -> "LogicalType":
        """Read a type as it is written in a catalogue file.

        Raises:
            DeclarationError: unknown kind, or decimal digits outside 1 ≤ scale ≤ precision ≤ 38.
        """
        match = re.fullmatch(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)", text.strip())
        if match:
            precision, scale = int(match[1]), int(match[2])
            if not (0 <= scale <= precision and 1 <= precision <= MAX_DECIMAL_PRECISION):
                raise DeclarationError("Impossible decimal type", got=text, expected="decimal(p,s) with 0 ≤ s ≤ p ≤ 38")
            return cls(Kind.DECIMAL, precision, scale)
        if text.strip() == Kind.DECIMAL or text.strip() not in {kind.value for kind in Kind}:
            names = ", ".join("decimal(p,s)" if kind is Kind.DECIMAL else kind.value for kind in Kind)
            raise DeclarationError("Unknown logical type", got=repr(text), expected=f"one of {names}")
        return cls(Kind(text.strip()))

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.kind is Kind.DECIMAL else self.kind.value

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type that values of this type have everywhere in the hub."""
        if self.kind is Kind.DECIMAL:
            return pa.decimal128(self.precision, self.scale)
        return _ARROW[self.kind]

    @property
    def polars(self) -> pl.DataType:
        """The polars dtype with the same values."""
        return pl.Decimal(self.precision, self.scale) if self.kind is Kind.DECIMAL else _POLARS[self.kind]

    @property
    def sql(self) -> str:
        """The SQL type name in DuckDB and PostgreSQL."""
        return f"DECIMAL({self.precision},{self.scale})" if self.kind is Kind.DECIMAL else _SQL[self.kind]


_ARROW: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(), Kind.INT32: pa.int32(), Kind.INT64: pa.int64(), Kind.FLOAT64: pa.float64(),
    Kind.BOOLEAN: pa.bool_(), Kind.DATE: pa.date32(), Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}  # fmt: skip
_POLARS: dict[Kind, pl.DataType] = {
    Kind.TEXT: pl.String(), Kind.INT32: pl.Int32(), Kind.INT64: pl.Int64(), Kind.FLOAT64: pl.Float64(),
    Kind.BOOLEAN: pl.Boolean(), Kind.DATE: pl.Date(), Kind.TIMESTAMP: pl.Datetime("us", "UTC"),
}  # fmt: skip
_SQL: dict[Kind, str] = {
    Kind.TEXT: "VARCHAR", Kind.INT32: "INTEGER", Kind.INT64: "BIGINT", Kind.FLOAT64: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN", Kind.DATE: "DATE", Kind.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip
