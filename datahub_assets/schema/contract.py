"""A contract: the columns, key and shape that rows of a dataset are held to.

A contract has a version; the row formats carry it, and rows are decoded with the contract that wrote them. Columns have
ids that never change or come back: a rename keeps the id, a dropped column's id is not reused (``evolution``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from datahub_assets.schema.types import Kind, LogicalType

if TYPE_CHECKING:
    import pyarrow as pa

BUSINESS_DATE = "business_date"
VALID_FROM = "valid_from"
VALID_TO = "valid_to"
DELIVERY = "_delivery"
"""Provenance of a row: index into the commit's deliveries (uint32)."""
LINE = "_line"
"""Provenance of a row: line (1-based) or record number in the delivered file (uint32; 0 = not a line of a file)."""
WITHDRAWN = "_withdrawn"
"""Bitemporal rows only: the row says that what began at its valid_from is no longer held (bool)."""


class Shape(StrEnum):
    """How history is kept (DESIGN section 3)."""

    SNAPSHOT = "snapshot"
    BITEMPORAL = "bitemporal"


class RowLayout(StrEnum):
    """How the values of a row lie in its table (``docs/formats``)."""

    PACKED = "packed"
    CELLS = "cells"


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    ``checks`` maps a check's name to its argument, e.g. ``{"ge": 0, "pattern": "[A-Z]{3}"}``; names are those of
    ``validation.CHECKS``.
    """

    id: int
    name: str
    type: LogicalType
    nullable: bool = False
    unit: str | None = None
    description: str = ""
    checks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Contract:
    """Columns, key, shape and layout of a dataset at one contract version.

    A snapshot dataset has a ``business_date`` column (its partition), which is not part of ``key``. A bitemporal one
    has ``valid_from`` and ``valid_to`` (half-open days, ``valid_to`` null = open end), which are not in ``key`` either.
    ``next_id`` is the id that the next new column gets: above every id that this or an earlier version has used.
    """

    dataset: str
    version: int
    shape: Shape
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    next_id: int = 0
    layout: RowLayout = RowLayout.PACKED

    def __post_init__(self) -> None:
        object.__setattr__(self, "next_id", max([self.next_id, *(column.id + 1 for column in self.columns)]))

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """Key columns in key order."""
        return tuple(self.column(name) for name in self.key)

    @property
    def value_columns(self) -> tuple[Column, ...]:
        """Columns kept in the value of a row: neither key, partition nor valid_from, in the contract's order."""
        in_row_key = {*self.key, BUSINESS_DATE if self.shape is Shape.SNAPSHOT else VALID_FROM}
        return tuple(column for column in self.columns if column.name not in in_row_key)

    @property
    def arrow_schema(self) -> "pa.Schema":
        """Arrow schema of the contract's columns, in order, without provenance."""
        import pyarrow as pa

        return pa.schema([pa.field(c.name, c.type.arrow, nullable=c.nullable) for c in self.columns])

    @property
    def stored_schema(self) -> "pa.Schema":
        """Arrow schema of rows on their way to and from a table: the columns, then the provenance."""
        import pyarrow as pa

        extra = [pa.field(DELIVERY, pa.uint32(), nullable=False), pa.field(LINE, pa.uint32(), nullable=False)]
        if self.shape is Shape.BITEMPORAL:
            extra.append(pa.field(WITHDRAWN, pa.bool_(), nullable=False))
        return pa.schema([*self.arrow_schema, *extra])

    def to_json(self) -> str:
        """The contract as canonical JSON: sorted keys, no spaces. Equal contracts give equal text."""
        document = {
            "dataset": self.dataset, "version": self.version, "shape": self.shape.value, "key": list(self.key),
            "next_id": self.next_id,
            "columns": [
                {"id": c.id, "name": c.name, "type": str(c.type), "nullable": c.nullable, "unit": c.unit,
                 "description": c.description, "checks": dict(c.checks)}
                for c in self.columns
            ],
        }  # fmt: skip
        if (
            self.layout is not RowLayout.PACKED
        ):  # left out where it is as ever: contracts that are stored stay as they are
            document["layout"] = self.layout.value
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)

    @classmethod
    def from_json(cls, text: str) -> "Contract":
        """The contract that ``to_json`` wrote."""
        document = json.loads(text)
        columns = tuple(Column(**{**c, "type": LogicalType.parse(c["type"])}) for c in document["columns"])
        shape, key = Shape(document["shape"]), tuple(document["key"])
        layout, next_id = RowLayout(document.get("layout", RowLayout.PACKED)), document.get("next_id", 0)
        return cls(document["dataset"], document["version"], shape, columns, key, next_id, layout)


KEY_KINDS = frozenset({Kind.TEXT, Kind.INT32, Kind.INT64, Kind.DATE})
"""Kinds that may stand in a key: their bytes sort as their values do (no floats, no nulls)."""
