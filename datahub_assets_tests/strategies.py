"""Hypothesis strategies that several rooms share: contracts, frames that keep them, logs. Small domains, so that things meet."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st

from datahub_assets.history.fence import stamped
from datahub_assets.history.log import Change, Cut, DataFile, Delivery, Entry, Input, Retention
from datahub_assets.schema.contract import BUSINESS_DATE, KEY_KINDS, VALID_FROM, VALID_TO, Column, Contract, Shape
from datahub_assets.schema.types import Kind, LogicalType

DAY_ONE = date(2013, 1, 1)
EPOCH = datetime(2013, 1, 1, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.text("abcxyz", min_size=1, max_size=3)
days = st.integers(0, 9).map(lambda n: DAY_ONE + timedelta(n))
instants = st.integers(0, 10**9).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
datasets = st.sampled_from(["ecb/fx", "iso/markets"])
partitions = st.none() | st.sampled_from(["2013-01-01", "2013-01-02"])


@st.composite
def logical_types(draw: st.DrawFn, kinds: frozenset[Kind] = frozenset(Kind)) -> LogicalType:
    """Any logical type of these kinds."""
    kind = draw(st.sampled_from(sorted(kinds)))
    if kind is not Kind.DECIMAL:
        return LogicalType(kind)
    precision = draw(st.integers(1, 38))
    return LogicalType(kind, precision, draw(st.integers(0, precision)))


def values(of: LogicalType) -> st.SearchStrategy[Any]:
    """Any value that the type holds, as Python knows it, without null."""
    limit = 10**of.precision - 1
    return {
        Kind.TEXT: texts,
        Kind.INT32: st.integers(-(2**31), 2**31 - 1),
        Kind.INT64: st.integers(-(2**63), 2**63 - 1),
        Kind.FLOAT64: st.floats(),
        Kind.DECIMAL: st.integers(-limit, limit).map(lambda n: Decimal((n < 0, _digits(n), -of.scale))),
        Kind.BOOLEAN: st.booleans(),
        Kind.DATE: st.dates(date(1, 1, 1), date(9999, 12, 31)),
        Kind.TIMESTAMP: st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    }[of.kind]


@st.composite
def contracts(draw: st.DrawFn, shape: Shape | None = None) -> Contract:
    """A contract with one or two key columns and up to four others, in any order."""
    shape = shape or draw(st.sampled_from(Shape))
    key = [Column(0, f"k{i}", draw(logical_types(KEY_KINDS))) for i in range(draw(st.integers(1, 2)))]
    rest = [Column(0, f"v{i}", draw(logical_types()), draw(st.booleans())) for i in range(draw(st.integers(0, 4)))]
    day = LogicalType(Kind.DATE)
    dates = [Column(0, BUSINESS_DATE, day)]
    if shape is Shape.BITEMPORAL:
        dates = [Column(0, VALID_FROM, day), Column(0, VALID_TO, day, nullable=True)]
    columns = draw(st.permutations([*key, *rest, *dates]))
    numbered = tuple(Column(i, c.name, c.type, c.nullable) for i, c in enumerate(columns, start=1))
    return Contract("test/rows", draw(st.integers(1, 3)), shape, numbered, tuple(column.name for column in key))


@st.composite
def frames(draw: st.DrawFn, contract: Contract, max_rows: int = 8) -> pl.DataFrame:
    """Rows that keep the contract, distinct by key (and date), without provenance."""
    strategies = [values(c.type) | st.none() if c.nullable else values(c.type) for c in contract.columns]
    dated = {*contract.key, BUSINESS_DATE, VALID_FROM}
    known_by = [i for i, column in enumerate(contract.columns) if column.name in dated]
    rows = st.lists(st.tuples(*strategies), max_size=max_rows, unique_by=lambda row: tuple(row[i] for i in known_by))
    return pl.DataFrame(draw(rows), schema={c.name: c.type.polars for c in contract.columns}, orient="row")


_receipts = st.tuples(st.integers(0, 20), st.integers(0, 3))
_counts = st.integers(0, 5)
_files = st.builds(DataFile, path=names, rows=_counts, size=_counts, sha256=names, partitions=st.tuples(names))


@st.composite
def _deliveries(draw: st.DrawFn) -> Delivery:
    """A delivery speaks of its file date, if it has one; what it also touches it does not speak of."""
    file_date = draw(st.none() | days)
    spoken = draw(st.sets(days, max_size=3)) | ({file_date} if file_date else set())
    return Delivery(
        feed=draw(datasets), name=draw(names), sha256=draw(names), size=draw(_counts), arrived_at=draw(instants),
        business_dates=tuple(sorted(spoken)), also_touches=tuple(sorted(draw(st.sets(days, max_size=2)) - spoken)),
        file_date=file_date, sequence=draw(st.none() | st.integers(0, 2)), repeats=draw(st.none() | _receipts),
        is_frame=draw(st.booleans()),
    )  # fmt: skip


deliveries = _deliveries()
changes = st.builds(
    Change, dataset=datasets, partition=partitions, write_id=st.integers(1, 99), base=st.none() | _counts,
    deliveries=st.lists(_receipts, max_size=2).map(tuple), rows=_counts, rows_read=_counts, accepted=_counts,
    rejected=_counts, added=_counts, changed=_counts, removed=_counts, digest=texts, code_version=texts,
    contract_version=_counts, folded=st.none() | _receipts, observed=st.none() | days,
    affects_from=st.none() | days, affects_to=st.none() | days, files=st.lists(_files, max_size=1).map(tuple),
    inputs=st.lists(st.builds(Input, datasets, partitions, st.none() | _counts), max_size=2).map(tuple),
    rejects=st.none() | names, declaration=texts,
)  # fmt: skip


def _distinct_scopes(found: list[Change]) -> tuple[Change, ...]:
    return tuple({(change.dataset, change.partition): change for change in found}.values())


drafts = st.builds(
    Entry, known_at=instants, actor=names, run_id=names, reason=texts,
    received=st.lists(deliveries, max_size=2).map(tuple),
    changes=st.lists(changes, max_size=3).map(_distinct_scopes),
    cut=st.none() | st.builds(Cut, names, _counts, texts),
    retention=st.lists(st.builds(Retention, datasets, _counts), max_size=1).map(tuple),
)  # fmt: skip


@st.composite
def logs(draw: st.DrawFn, max_entries: int = 8) -> list[Entry]:
    """Entries 0, 1, 2, … of one log: positions without gaps, known times that grow, receipts that fit."""
    found = draw(st.lists(drafts, max_size=max_entries))
    gaps = draw(st.lists(st.integers(1, 5000), min_size=len(found), max_size=len(found)))
    known_at = [EPOCH + timedelta(milliseconds=sum(gaps[: i + 1])) for i in range(len(found))]
    return [stamped(draft, i, known_at[i]) for i, draft in enumerate(found)]


def _digits(value: int) -> tuple[int, ...]:
    return tuple(int(digit) for digit in str(abs(value)))
