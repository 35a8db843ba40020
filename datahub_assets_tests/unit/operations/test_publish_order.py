"""Rows that come in key order by themselves are not sorted, and nobody can tell from the extract."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from datahub_assets.errors import DeclarationError, StoreCorrupt
from datahub_assets.operations.definitions import definition_of
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.publish import publish, remake
from datahub_assets.operations.receive import receive_all
from datahub_assets.operations.scanned import Scanned
from datahub_assets.operations.structure import structure
from datahub_assets.stores.tables.interface import Rows
from datahub_assets_tests.hubs import PRICES, RETURNS, D, done, land, open_hub, prices, redeclared, rows, small_hub

PICKED = "SELECT business_date, {} AS ticker, price FROM px.prices WHERE business_date = CAST($business_date AS DATE){}"
TICKERS = {"AZ": 10, "BA": 30, "C": 20, "DX": 40}


def published(home: Path, sql: str, windows: dict[str, int] | None = None) -> list[tuple[object, ...]]:
    """The rows of a day's partition made by this SQL, in stored order, after a second day was there too."""
    hub = redeclared(small_hub(home, PRICES, RETURNS), RETURNS, sql=sql, windows=windows or {PRICES: 0})
    land(hub, PRICES, D[0], prices(D[0], AZ=1, B=2))
    land(hub, PRICES, D[1], prices(D[1], **TICKERS))
    done(hub)
    return rows(hub, RETURNS, None, D[1])


def as_made(ticker: str, name: str) -> str:
    """What the SQL makes of a ticker."""
    if ticker.startswith("CASE"):
        return "A" if name == "DX" else name
    return {"reverse(ticker)": name[::-1], "lower(ticker)": name.lower()}.get(ticker, name)


@pytest.mark.parametrize(
    ("ticker", "rest"),
    [
        ("ticker", ""),
        ("ticker", " AND price >= 20"),
        ("reverse(ticker)", ""),
        ("lower(ticker)", ""),
        ("CASE WHEN ticker = 'DX' THEN 'A' ELSE ticker END", ""),
        ("ticker", " ORDER BY price DESC"),
        ("ticker", " LIMIT 10"),
    ],
)
@pytest.mark.parametrize("back", [0, 1])
def test_rows_stand_in_key_order_however_they_come(tmp_path: Path, ticker: str, rest: str, back: int) -> None:
    """Whether the rows are sorted or come so is the hub's business: the extract has them by its key, each once."""
    expected = sorted(
        (D[1], as_made(ticker, t), Decimal(p)) for t, p in TICKERS.items() if "price >=" not in rest or p >= 20
    )
    assert published(tmp_path, PICKED.format(ticker, rest), {PRICES: back}) == [
        (day, name, price.normalize() + 0) for day, name, price in expected
    ]


def test_rows_without_a_key_of_their_own_are_refused_as_ever(tmp_path: Path) -> None:
    """Rows that come unsorted because two have one key are still told as that."""
    hub = redeclared(small_hub(tmp_path, PRICES, RETURNS), RETURNS, sql=PICKED.format("'X'", ""), windows={PRICES: 0})
    land(hub, PRICES, D[1], prices(D[1], **TICKERS))
    receive_all(hub)
    structure(hub, PRICES, [D[1]])
    with pytest.raises(DeclarationError, match="strict key order"):
        publish(hub, RETURNS, [D[1]])


@pytest.mark.parametrize("ticker", ["ticker", "reverse(ticker)"])
def test_extract_is_made_again_with_the_same_bytes(tmp_path: Path, ticker: str) -> None:
    """A rebuild sorts what the publication found in order: files and digests are those that the log names."""
    published(tmp_path, PICKED.format(ticker, ""))
    hub = open_hub(tmp_path)
    for position, change in hub.log.all_changes(RETURNS, hub.log.last()):
        hub.extracts.remove(change.files)
        assert remake(hub, definition_of(hub, RETURNS), change, position) == (change.files, change.digest)


def test_failure_of_a_store_is_told_as_such(tmp_path: Path) -> None:
    """A table that is damaged under the SQL is the operator's turn, not the author's of the SQL."""
    hub = redeclared(
        small_hub(tmp_path, PRICES, RETURNS), RETURNS, sql=PICKED.format("ticker", ""), windows={PRICES: 0}
    )
    land(hub, PRICES, D[1], prices(D[1], **TICKERS))
    receive_all(hub)
    structure(hub, PRICES, [D[1]])
    hub.tables.write("px.prices", [Rows(pa.array([_key(hub)], pa.binary()), pa.array([b"\x01"], pa.binary()))])
    with pytest.raises(StoreCorrupt):
        publish(hub, RETURNS, [D[1]])


def _key(hub: Hub) -> bytes:
    (page,) = hub.tables.scan("px.prices", b"", b"")
    return bytes(page.keys[0].as_py())


TABLE = pa.table({"d": [1, 2, 3, 4], "k": ["a", "b", "c", "d"], "v": [1.5, None, 3.5, 4.5]})


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT v FROM t WHERE d = 3", [(3.5,)]),
        ("SELECT count(*) FROM t", [(4,)]),
        ("SELECT k FROM t WHERE v IS NULL OR d > 3", [("b",), ("d",)]),
        ("SELECT a.k, b.k FROM t a JOIN t b ON b.d = a.d + 1 WHERE a.v > 3 ORDER BY 1", [("c", "d")]),
        ("SELECT k, (SELECT max(v) FROM t) FROM t WHERE k <> 'a' ORDER BY 1 LIMIT 1", [("b", 4.5)]),
    ],
)
def test_scanned_rows_are_those_of_a_table(sql: str, expected: list[tuple[object, ...]]) -> None:
    """Columns and conditions are asked for as the plan needs them, of a column that is not given out too, and repeatedly."""

    def scan(columns: Sequence[str]) -> Iterator[pa.Table]:
        yield from (TABLE.select(columns).slice(i, 1) for i in range(len(TABLE)))

    with duckdb.connect(":memory:") as duck:
        duck.register("t", Scanned(TABLE.schema, scan))
        assert duck.sql(sql).fetchall() == expected
