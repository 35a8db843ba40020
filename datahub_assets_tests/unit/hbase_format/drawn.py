"""Hypothesis strategies for contracts and for rows that keep them."""

from dataclasses import replace
from datetime import UTC, date
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from datahub_assets.schema.contract import (
    BUSINESS_DATE,
    DELIVERY,
    LINE,
    VALID_FROM,
    VALID_TO,
    WITHDRAWN,
    Column,
    Contract,
    Shape,
)  # fmt: skip
from datahub_assets.schema.types import Kind, LogicalType

WIDE = Context(prec=60)
PARTITION = date(2024, 1, 31)
KEY_TYPES = [LogicalType(kind) for kind in (Kind.TEXT, Kind.INT32, Kind.INT64, Kind.DATE)]
DECIMALS = [LogicalType(Kind.DECIMAL, *digits) for digits in ((38, 0), (38, 38), (18, 6), (1, 0))]
TYPES = [LogicalType(kind) for kind in Kind if kind is not Kind.DECIMAL] + DECIMALS
TEXTS = st.text(st.sampled_from("\x00\x01\xff aé€😀") | st.characters(exclude_categories=["Cs"]), max_size=6)


def values(type_: LogicalType) -> st.SearchStrategy[Any]:
    """Values of a type, the awkward ones more often."""
    if type_.kind is Kind.DECIMAL:
        bound = 10**type_.precision - 1
        return st.integers(-bound, bound).map(lambda n: Decimal(n).scaleb(-type_.scale, context=WIDE))
    return {
        Kind.TEXT: TEXTS,
        Kind.INT32: st.sampled_from([0, -1, 2**31 - 1, -(2**31), 0x7F000000]) | st.integers(-(2**31), 2**31 - 1),
        Kind.INT64: st.sampled_from([0, -1, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1),
        Kind.FLOAT64: st.floats(),
        Kind.BOOLEAN: st.booleans(),
        Kind.DATE: st.dates(),
        Kind.TIMESTAMP: st.datetimes(timezones=st.just(UTC)),
    }[type_.kind]


@st.composite
def contracts(draw: st.DrawFn, version: int = 1) -> Contract:
    """A contract of either shape, one to three key columns, up to ten value columns in any order."""
    shape = draw(st.sampled_from(Shape))
    keys = [
        Column(0, f"k{i}", t) for i, t in enumerate(draw(st.lists(st.sampled_from(KEY_TYPES), min_size=1, max_size=3)))
    ]
    others = [
        Column(0, f"v{i}", t, nullable=True) for i, t in enumerate(draw(st.lists(st.sampled_from(TYPES), max_size=10)))
    ]
    day = LogicalType(Kind.DATE)
    if shape is Shape.SNAPSHOT:
        dates = [Column(0, BUSINESS_DATE, day)]
    else:
        dates = [Column(0, VALID_FROM, day), Column(0, VALID_TO, day, nullable=True)]
    columns = draw(st.permutations([*keys, *others, *dates]))
    numbered = tuple(replace(column, id=place) for place, column in enumerate(columns, start=1))
    return Contract("demo/drawn", version, shape, numbered, tuple(column.name for column in keys))


@st.composite
def rows(draw: st.DrawFn, contract: Contract, max_size: int = 8) -> list[dict[str, Any]]:
    """Rows with the contract's stored schema."""
    number = st.integers(0, 2**32 - 1)
    fields = {c.name: st.none() | values(c.type) if c.nullable else values(c.type) for c in contract.columns}
    if contract.shape is Shape.SNAPSHOT:
        fields[BUSINESS_DATE] = st.just(PARTITION)
    else:
        fields[WITHDRAWN] = st.booleans()
    return draw(st.lists(st.fixed_dictionaries({**fields, DELIVERY: number, LINE: number}), max_size=max_size))


def table(contract: Contract, drawn: list[dict[str, Any]]) -> pa.Table:
    """The rows as the table that stores hand over."""
    return pa.Table.from_pylist(drawn, schema=contract.stored_schema)
