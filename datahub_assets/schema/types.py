"""The logical types of the hub and their names in Arrow, polars and SQL. Bytes are not here (``hbase_format``).

Arrow and polars are imported when they are first asked for: who only declares (``orchestration``) needs neither.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from datahub_assets.errors import DeclarationError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

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
    def arrow(self) -> "pa.DataType":
        """The Arrow type that values of this type have everywhere in the hub."""
        return _arrow(self)

    @property
    def polars(self) -> "pl.DataType":
        """The polars dtype with the same values."""
        return _polars(self)

    @property
    def sql(self) -> str:
        """The SQL type name in DuckDB and PostgreSQL."""
        return f"DECIMAL({self.precision},{self.scale})" if self.kind is Kind.DECIMAL else _SQL[self.kind]


@cache
def _arrow(logical: LogicalType) -> "pa.DataType":
    import pyarrow as pa

    types: dict[Kind, pa.DataType] = {
        Kind.TEXT: pa.string(), Kind.INT32: pa.int32(), Kind.INT64: pa.int64(), Kind.FLOAT64: pa.float64(),
        Kind.BOOLEAN: pa.bool_(), Kind.DATE: pa.date32(), Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    }  # fmt: skip
    return pa.decimal128(logical.precision, logical.scale) if logical.kind is Kind.DECIMAL else types[logical.kind]


@cache
def _polars(logical: LogicalType) -> "pl.DataType":
    import polars as pl

    types: dict[Kind, pl.DataType] = {
        Kind.TEXT: pl.String(), Kind.INT32: pl.Int32(), Kind.INT64: pl.Int64(), Kind.FLOAT64: pl.Float64(),
        Kind.BOOLEAN: pl.Boolean(), Kind.DATE: pl.Date(), Kind.TIMESTAMP: pl.Datetime("us", "UTC"),
    }  # fmt: skip
    return pl.Decimal(logical.precision, logical.scale) if logical.kind is Kind.DECIMAL else types[logical.kind]


_SQL: dict[Kind, str] = {
    Kind.TEXT: "VARCHAR", Kind.INT32: "INTEGER", Kind.INT64: "BIGINT", Kind.FLOAT64: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN", Kind.DATE: "DATE", Kind.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip
