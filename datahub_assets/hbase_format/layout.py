"""Where each part of a packed row stands, for one contract: header, null bitmap, numbers, lengths of texts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from datahub_assets.hbase_format.header import FIELDS
from datahub_assets.schema.contract import Column, Contract
from datahub_assets.schema.types import Kind

# no shape as text, "(2,)>u8": numpy takes that apart with Python's parser, which fails now and then where threads use it at
# once (CPython 3.11: "AST constructor recursion depth mismatch")
FIXED: dict[Kind, tuple[str, tuple[int, ...]]] = {
    Kind.INT32: (">i4", ()), Kind.INT64: (">i8", ()), Kind.FLOAT64: (">f8", ()), Kind.DECIMAL: (">u8", (2,)),
    Kind.BOOLEAN: ("u1", ()), Kind.DATE: (">i4", ()), Kind.TIMESTAMP: (">i8", ()),
}  # fmt: skip
"""numpy's name and shape of the bytes of a value, for every kind but text. Decimal: upper and lower half of 16 bytes."""


@dataclass(frozen=True)
class Layout:
    """The fixed part of a contract's packed rows.

    ``dtype`` has the header's fields, ``nulls`` (bytes; absent without columns), ``c<id>`` for each column that is not
    text, and ``lengths`` (absent without texts). ``texts`` maps the id of a text column to its place among the texts,
    ``places`` that of any column to its place among all.
    """

    version: int
    columns: tuple[Column, ...]
    dtype: np.dtype[Any]
    texts: dict[int, int]
    places: dict[int, int]

    @classmethod
    def of(cls, contract: Contract) -> "Layout":
        """The layout that rows of this contract have.

        >>> from datahub_assets.schema.types import LogicalType
        >>> from datahub_assets.schema.contract import Shape
        >>> columns = (Column(1, "id", LogicalType(Kind.TEXT)), Column(2, "lots", LogicalType(Kind.INT32)))
        >>> Layout.of(Contract("demo", 1, Shape.SNAPSHOT, columns, ("id",))).dtype.itemsize
        17
        """
        columns = contract.value_columns
        texts = [column.id for column in columns if column.type.kind is Kind.TEXT]
        fields: list[Any] = [*FIELDS]
        if columns:
            fields.append(("nulls", "u1", ((len(columns) + 7) // 8,)))
        fields += [(f"c{c.id}", *FIXED[c.type.kind]) for c in columns if c.type.kind is not Kind.TEXT]
        if texts:
            fields.append(("lengths", ">u4", (len(texts),)))
        places = ({id_: place for place, id_ in enumerate(ids)} for ids in (texts, [column.id for column in columns]))
        return cls(contract.version, columns, np.dtype(fields), *places)

    @property
    def names(self) -> frozenset[str]:
        """Names of the columns kept in the value."""
        return frozenset(column.name for column in self.columns)

    def field(self, column: Column) -> str:
        """The name that a column has in ``dtype``."""
        return f"c{column.id}"

    def find(self, column_id: int) -> tuple[Column | None, int]:
        """The column of that id and its place among all value columns; (None, -1) where there is none."""
        place = self.places.get(column_id, -1)
        return (None if place < 0 else self.columns[place]), place
