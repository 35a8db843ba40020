"""Packed and cells are two ways to keep the same rows: whatever is asked of a hub, its answer is the same in both."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets.catalogue.models import TableOptions
from datahub_assets.errors import DeclarationError
from datahub_assets.hbase_format.keys import encode_keys
from datahub_assets.history.snapshot import Counts
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import key_history, read, read_snapshot
from datahub_assets.operations.reconcile import reconcile
from datahub_assets.schema.contract import Contract, RowLayout, Shape
from datahub_assets.stores.structured import ImageSummary, StructuredStore, concat, table_name
from datahub_assets_tests.contracts.implementations import TablesAt
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    PRICED_MEMBERS,
    PRICES,
    D,
    done,
    instruments,
    land,
    members,
    redeclared,
    small_hub,
)
from datahub_assets_tests.unit.hbase_format.drawn import PARTITION, contracts, rows, table

STRUCTURED = (PRICES, INSTRUMENTS, MEMBERS)
COLUMNS: list[dict[str, Any]] = [
    {"name": "business_date", "type": "date"},
    {"name": "ticker", "type": "text"},
    {"name": "price", "type": "decimal(18,4)", "unit": "EUR"},
    {"name": "volume", "type": "int32", "nullable": True},
    {"name": "yield", "type": "float64", "nullable": True},
    {"name": "halted", "type": "boolean", "nullable": True},
    {"name": "listed", "type": "date", "nullable": True},
    {"name": "traded_at", "type": "timestamp", "nullable": True},
    {"name": "remark", "type": "text", "nullable": True},
]
EVOLVED: list[dict[str, Any]] = [
    {"name": "business_date", "type": "date"},
    {"name": "ticker", "type": "text"},
    {"name": "halted", "type": "text", "nullable": True, "source": "note"},
    {"name": "price", "type": "decimal(24,6)", "unit": "EUR"},
    {"name": "volume", "type": "int64", "nullable": True},
    {"name": "return", "type": "float64", "nullable": True, "aliases": ["yield"], "source": "yield"},
    {"name": "seen_at", "type": "timestamp", "nullable": True, "aliases": ["traded_at"], "source": "traded_at"},
    {"name": "remark", "type": "text", "nullable": True},
    {"name": "lots", "type": "int32", "nullable": True},
]
RATED: list[dict[str, Any]] = [
    {"name": "ticker", "type": "text"},
    {"name": "name", "type": "text"},
    {"name": "currency", "type": "text"},
    {"name": "rating", "type": "int32", "nullable": True},
    {"name": "valid_from", "type": "date"},
    {"name": "valid_to", "type": "date", "nullable": True},
]
SCORE: dict[str, Any] = {"name": "score", "type": "int64", "nullable": True, "source": "rating"}
HEAD = "business_date,ticker,price,volume,yield,halted,listed,traded_at,remark"
EVOLVED_HEAD = "business_date,ticker,note,price,volume,yield,traded_at,remark,lots"


@dataclass
class Twins:
    """Two hubs with the same catalogue but for the layout of their tables, which are told the same."""

    hubs: list[Hub]

    def land(self, dataset: str, day: date, content: str) -> None:
        """Both get the file and do what follows."""
        for hub in self.hubs:
            land(hub, dataset, day, content)
            done(hub)

    def redeclare(self, dataset: str, **changes: Any) -> None:
        """Both declare a dataset anew."""
        self.hubs = [replace(redeclared(hub, dataset, **changes), tables=hub.tables) for hub in self.hubs]

    def both(self, answer: Callable[..., Any], *question: object) -> Any:
        """The answer of both, which is the same."""
        packed, cells = (answer(hub, *question) for hub in self.hubs)
        assert packed == cells
        return packed


@pytest.fixture
def salt_buckets() -> int:
    """How the tables of ``twins`` are salted."""
    return 3


@pytest.fixture
def twins(salt_buckets: int, tmp_path: Path, new_tables: Callable[[], TablesAt]) -> Twins:
    """A hub with packed tables and one with cells, empty."""
    made = []
    for layout in RowLayout:
        options = {"table": {"layout": layout.value, "salt_buckets": salt_buckets}}
        declared = dict.fromkeys(STRUCTURED, options) | {PRICES: {**options, "columns": COLUMNS}}
        declared[INSTRUMENTS] = {**options, "columns": RATED}
        made.append(replace(small_hub(tmp_path / layout.value, declared=declared), tables=new_tables().open()))
    return Twins(made)


def rated(**told: str) -> str:
    """An instruments file with ratings."""
    return instruments(**told).replace("currency\n", "currency,rating\n", 1)


def tell(twins: Twins) -> None:
    """Two days of prices with every type and null, corrections, instruments and members that change."""
    first = [
        f"{D[0]},A,10.5,100,0.25,true,1999-12-31,2013-01-02T10:00:00.000250Z,é€",
        f"{D[0]},B,2,,,,,,",
        f"{D[0]},C,99999999999999.9999,-2147483648,-1e300,false,0001-01-01,1969-12-31T23:59:59.999999Z,x",
    ]
    second = [f"{D[1]},A,10.25,5,,,,2013-01-03T10:00:00Z,", f"{D[1]},D,0.0001,0,0,false,9999-12-31,,\x01"]
    twins.land(INSTRUMENTS, D[0], rated(A="Alpha EUR 1", B="Beta USD "))
    twins.land(MEMBERS, D[0], members(("A", D[0], None), ("B", D[0], D[2])))
    twins.land(PRICES, D[0], "\n".join([HEAD, *first]) + "\n")
    twins.land(PRICES, D[1], "\n".join([HEAD, *second]) + "\n")
    twins.land(PRICES, D[0], "\n".join([HEAD, first[0].replace("10.5", "10.75"), *first[2:]]) + "\n")
    twins.land(INSTRUMENTS, D[2], rated(A="Alphabet EUR 2", C="Gamma JPY 3"))
    twins.land(INSTRUMENTS, D[1], rated(B="Beta USD 4"))


def evolve(twins: Twins) -> None:
    """Columns of prices are renamed, widened, dropped and added; then the name of a dropped one is another column's."""
    twins.redeclare(PRICES, columns=[{**c, "name": "note"} if c["name"] == "halted" else c for c in EVOLVED])
    later = [
        f"{D[2]},A,why,10.123456,9007199254740993,0.5,2013-01-04T10:00:00.000001Z,a,7",
        f"{D[2]},B,,1,,,,,",
    ]
    twins.land(PRICES, D[2], "\n".join([EVOLVED_HEAD, *later]) + "\n")
    twins.redeclare(PRICES, columns=EVOLVED)
    twins.land(PRICES, D[1], "\n".join([EVOLVED_HEAD, *(line.replace(str(D[2]), str(D[1])) for line in later)]) + "\n")
    twins.redeclare(INSTRUMENTS, columns=[*RATED[:-3], {**SCORE, "aliases": ["rating"]}, *RATED[-2:]])
    twins.land(INSTRUMENTS, D[3], rated(A="Alpha EUR 5000000000", C="Gamma JPY 3"))


def rows_at(hub: Hub, dataset: str, position: int) -> list[dict[str, Any]]:
    """All rows of a dataset at a position."""
    return [row for found in read(hub, dataset, position) for row in found.to_pylist()]


def versions(hub: Hub, dataset: str, ticker: str, position: int, day: str | None = None) -> list[dict[str, Any]]:
    """The history of one key, in an order of its own."""
    return sorted(key_history(hub, dataset, [ticker], position, day).to_dicts(), key=str)


def changes(hub: Hub, last: int) -> list[tuple[object, ...]]:
    """What the log says of the content of every commit."""
    made = [change for at in range(last + 1) for change in hub.log.entry(at).changes]
    return [
        (
            c.dataset, c.partition, c.write_id, c.base, c.deliveries, c.rows, c.rows_read, c.accepted, c.rejected, c.added,
            c.changed, c.removed, c.digest, c.contract_version, c.observed, c.affects_from, c.affects_to, c.files,
        )
        for c in made
    ]  # fmt: skip


def unequal(hub: Hub, dataset: str) -> list[str]:
    """What reconciliation finds."""
    return [one.finding for one in reconcile(hub, dataset, hub.log.last()) if not one.equal]


@pytest.mark.parametrize("salt_buckets", [0, 3], ids=["unsalted", "salted"])
def test_both_layouts_answer_alike_at_every_position(twins: Twins) -> None:
    """As-of reads, history of keys, extracts, counts and digests: nothing tells which layout a table has."""
    tell(twins)
    for dataset in STRUCTURED:  # files parsed again, rows read back and the log agree
        assert twins.both(unequal, dataset) == []
    evolve(twins)
    last = twins.both(lambda hub: hub.log.last())
    assert last > 20
    for position in range(last + 1):
        for dataset in (*STRUCTURED, PRICED_MEMBERS):
            twins.both(rows_at, dataset, position)
    for ticker in "ABCD":
        for day in D[:3]:
            twins.both(versions, PRICES, ticker, last, day.isoformat())
        assert twins.both(versions, INSTRUMENTS, ticker, last) or ticker == "D"
    assert any(contract_version == 3 for *_, contract_version, _, _, _, _ in twins.both(changes, last))
    newest = {row["ticker"]: row for row in rows_at(twins.hubs[1], PRICES, last) if row["business_date"] == D[0]}
    assert newest["C"]["seen_at"].microsecond == 999_999
    assert newest["A"]["return"] == 0.25
    assert newest["A"]["halted"] is None


def test_columns_may_be_chosen_in_both_layouts(twins: Twins) -> None:
    """Some columns of an image, also ones that old rows have under another name."""
    tell(twins)
    evolve(twins)

    def chosen(hub: Hub) -> list[dict[str, Any]]:
        found = []
        for partition, (_, change) in hub.log.changes(PRICES, hub.log.last()).items():
            for page in read_snapshot(hub, PRICES, str(partition), change, ["ticker", "return", "seen_at"]):
                found += page.to_pylist()
        return found

    assert {"ticker", "return", "seen_at"} < set(twins.both(chosen)[0])


def test_cells_are_what_other_tools_look_for(twins: Twins) -> None:
    """The table of layout cells has a cell for each value, named as its column; the packed one has none."""
    tell(twins)
    _, cells = twins.hubs
    pages = list(cells.tables.scan_cells(table_name(PRICES), b"", b"", [b"d:volume", b"d:remark", b"m:s"]))
    found = [value for page in pages for value in page.columns[b"d:volume"].to_pylist()]
    assert sorted(value.hex() for value in found if value is not None) == [
        "00000000", "00000005", "00000064", "00000064", "80000000", "80000000",
    ]  # fmt: skip
    assert sum(len(page) for page in pages) == 7
    assert all(page.columns[b"m:s"].null_count == 0 for page in pages)


def test_layout_cannot_be_changed_once_there_are_rows(twins: Twins) -> None:
    """A reader of the other layout would find no row; the declaration is refused before anything is read or written."""
    tell(twins)
    for hub, other in zip(twins.hubs, ("cells", "packed"), strict=True):
        changed = replace(redeclared(hub, PRICES, table={"layout": other}), tables=hub.tables)
        with pytest.raises(DeclarationError) as caught:
            rows_at(changed, PRICES, changed.log.last())
        assert any("layout was" in problem for problem in caught.value.problems)


def test_image_is_removed_with_all_its_cells(twins: Twins) -> None:
    """Maintenance takes images by their range of keys, whatever their rows hold."""
    tell(twins)

    def removed(hub: Hub) -> tuple[int, int, list[str]]:
        history = hub.log.history(PRICES, D[0].isoformat(), hub.log.last())
        first, current = history[0][1].write_id, history[-1][1]
        gone = hub.structured.remove(PRICES, D[0].isoformat(), first)
        left = concat(hub.contract(PRICES), hub.structured.read(hub.contract(PRICES), D[0].isoformat(), first))
        kept = [t for page in read_snapshot(hub, PRICES, D[0].isoformat(), current) for t in page["ticker"].to_pylist()]
        return gone, len(left), sorted(kept)

    assert twins.both(removed) == (3, 0, ["A", "C"])


@settings(max_examples=settings().max_examples // 6, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from([0, 3]))
def test_rows_of_any_contract_read_alike_from_both_layouts(
    emptied: Callable[[int], TablesAt], data: st.DataObject, salt: int
) -> None:
    """Any columns of any type, null or not: equal rows, digests, differences and ranges of keys."""
    drawn: Contract = data.draw(contracts())
    content = distinct(drawn, table(drawn, data.draw(rows(drawn))))
    partition = PARTITION.isoformat() if drawn.shape is Shape.SNAPSHOT else None
    columns = data.draw(st.none() | st.lists(st.sampled_from(drawn.stored_schema.names)))
    found = []
    for number, layout in enumerate(RowLayout):
        found.append(asked(emptied(number), replace(drawn, layout=layout), content, partition, columns, salt))
    assert found[0] == found[1]


def asked(
    at: TablesAt, contract: Contract, content: pa.Table, partition: str | None, columns: list[str] | None, salt: int
) -> list[str]:
    """What a store says of rows that it was given: all of them, some columns, the first key's, digests."""
    options = TableOptions(salt_buckets=salt, key_cells=salt > 0)
    store = StructuredStore(at.open(), lambda _: {1: contract}, lambda _: options)
    written = ImageSummary(keep_hashes=True)
    assert store.write(contract, [(partition, content)], 7, {partition: written} if partition else {}) == len(content)
    key = [content[name][0].as_py() for name in contract.key] if len(content) else None
    if partition is None:
        whole = concat(contract, store.versions(contract), with_write_id=True)
        first = concat(contract, store.versions(contract, key), with_write_id=True) if key else None
        return [rendered(whole), rendered(first)]
    whole = concat(contract, store.read(contract, partition, 7))
    first = store.read_key(contract, key, partition, 7) if key else None
    assert first is None or len(first) == 1
    some = [rendered(page) for page in store.read(contract, partition, 7, columns)]
    read_back = store.summary(contract, partition, 7, keep_hashes=True)
    assert written.digest == read_back.digest
    assert read_back.differences_from(written) == Counts(0, 0, 0)
    return [rendered(whole), rendered(first), *some, str(written.digest)]


def distinct(contract: Contract, content: pa.Table) -> pa.Table:
    """The rows without those whose key an earlier one has."""
    keys = encode_keys(contract, content, PARTITION.isoformat(), 0).to_pylist()
    return content.take(pa.array([n for n, key in enumerate(keys) if keys.index(key) == n], pa.int64()))


def rendered(found: pa.Table | None) -> str:
    """A table as text, in which NaN is NaN."""
    return "" if found is None else repr(found.schema) + repr(found.to_pylist())
