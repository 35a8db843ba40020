"""Where rows come from: only what a condition leaves over is read, files of every age and form are one extract."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import StoreCorrupt
from datahub_assets.operations.maintain import compact
from datahub_assets.operations.read import read
from datahub_assets.serving.described import Described
from datahub_assets.serving.granted_files import Granted, GrantedFiles
from datahub_assets.serving.sources import key_of, left_over
from datahub_assets.serving.standing import StandingChanges
from datahub_assets.stores.structured import StructuredStore, table_name
from datahub_assets.stores.tables.embedded import EmbeddedTableStore
from datahub_assets_tests.hubs import NOON, PRICES, RETURNS, D, done, land, open_hub, prices, redeclared
from datahub_assets_tests.unit.serving.served import Served, make_hub, serving

DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(6)]
SCHEMA = pa.schema([("business_date", pa.date32()), ("ticker", pa.string()), ("price", pa.float64())])
FIELD = pc.field("business_date")


def _day(day: date) -> pa.Scalar:
    return pa.scalar(day, pa.date32())


CONDITIONS = st.recursive(
    st.one_of(
        st.tuples(st.sampled_from(["==", "<", ">=", "!="]), st.sampled_from(DAYS)).map(lambda pair: _compared(*pair)),
        st.lists(st.sampled_from(DAYS), min_size=1, max_size=3).map(lambda days: FIELD.isin(pa.array(days, pa.date32()))),
        st.just(pc.field("ticker") == "A"), st.just(pc.field("price") > 1.0), st.just(FIELD.is_null()),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]), st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        inner.map(lambda one: ~one),
    ),
    max_leaves=4,
)  # fmt: skip


def _compared(name: str, day: date) -> pc.Expression:
    return {"==": _day(day) == FIELD, "<": _day(day) > FIELD, ">=": _day(day) <= FIELD, "!=": _day(day) != FIELD}[name]


@given(CONDITIONS)
def test_partitions_that_are_left_out_have_no_row_of_the_answer(condition: pc.Expression) -> None:
    """Pruning may keep too much and never too little."""
    table = pa.table(
        {"business_date": [d for d in DAYS for _ in "AB"], "ticker": ["A", "B"] * 6, "price": [1.0, 2.0] * 6}, SCHEMA
    )
    kept = left_over({day.isoformat(): None for day in DAYS}, condition, SCHEMA)
    wanted = {day.isoformat() for day in table.filter(condition)["business_date"].to_pylist()}
    assert wanted <= set(kept)
    assert kept == sorted(kept)


def test_partitions_are_pruned_by_days() -> None:
    """A day, a range, a list: what analysts write."""
    days = {day.isoformat(): None for day in DAYS}
    assert left_over(days, _day(DAYS[2]) == FIELD, SCHEMA) == ["2024-01-03"]
    assert left_over(days, (_day(DAYS[4]) <= FIELD) & (pc.field("ticker") == "A"), SCHEMA) == [
        "2024-01-05",
        "2024-01-06",
    ]
    assert left_over(days, FIELD.isin(pa.array(DAYS[:2])), SCHEMA) == ["2024-01-01", "2024-01-02"]
    assert left_over(days, pc.field("ticker") == "A", SCHEMA) == left_over(days, None, SCHEMA) == list(days)


def test_key_is_taken_from_a_condition_as_far_as_it_demands_one(served: Served) -> None:
    """A prefix of the key columns; nothing of what stands below an OR."""
    contract = served.engine.described.contract("idx/members")
    index, ticker = pc.field("index_name") == "X", pc.field("ticker") == "A"
    assert key_of(index & ticker, contract) == ["X", "A"]
    assert key_of(index & (pc.field("valid_from") > _day(DAYS[0])), contract) == ["X"]
    assert key_of(ticker, contract) == key_of(index | ticker, contract) == key_of(None, contract) == []


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """The ranges of the table of prices that were scanned."""
    scanned: list[tuple[bytes, bytes]] = []
    scan: Callable[..., Any] = EmbeddedTableStore.scan

    def watched(store: EmbeddedTableStore, table: str, start: bytes, stop: bytes, **more: Any) -> Any:
        if table == "px.prices":
            scanned.append((start, stop))
        return scan(store, table, start, stop, **more)

    monkeypatch.setattr(EmbeddedTableStore, "scan", watched)
    return scanned


def test_only_the_partitions_and_keys_that_are_asked_for_are_read(
    served: Served, scans: list[tuple[bytes, bytes]]
) -> None:
    """For an unrestricted person and for one whose filter demands a key: a range of the table each."""
    for user, sql, ranges in (
        ("ann", "SELECT * FROM px.prices WHERE business_date = '2013-01-03'", 1),
        ("ann", "SELECT * FROM px.prices WHERE business_date IN ('2013-01-03', '2013-01-07') AND price > 1", 2),
        ("ann", "SELECT * FROM (SELECT * FROM px.prices) WHERE business_date > '2013-01-06'", 2),
        ("ann", "SELECT * FROM px.prices WHERE business_date = '2001-01-01'", 0),
        ("bob", "SELECT * FROM px.prices WHERE business_date = '2013-01-03'", 1),
    ):
        scans.clear()
        served.rows(user, sql)
        assert len(scans) == ranges, sql
    scans.clear()
    served.rows("bob", "SELECT * FROM px.prices WHERE business_date = '2013-01-03'")
    assert all(b"2013-01-03" in start and b"A" in start for start, _ in scans)


def test_only_the_columns_that_are_asked_for_are_decoded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that a condition needs."""
    asked: list[tuple[str, ...]] = []
    read_image: Callable[..., Any] = StructuredStore.read

    def watched(store: StructuredStore, contract: Any, partition: str, write_id: int, columns: Any, *more: Any) -> Any:
        asked.append(tuple(columns))
        return read_image(store, contract, partition, write_id, columns, *more)

    monkeypatch.setattr(StructuredStore, "read", watched)
    served.rows("ann", "SELECT sum(volume) FROM px.prices WHERE business_date = '2013-01-03'")
    served.rows("ann", "SELECT sum(volume) FROM px.prices WHERE business_date = '2013-01-03' AND price + volume > 7")
    assert asked == [("business_date", "volume"), ("business_date", "price", "volume")]


# -- extracts --------------------------------------------------------------------------------------------------------------


def test_extract_is_one_relation_over_files_of_every_age_and_form(tmp_path: Any) -> None:
    """Daily files, compacted ones of which a day was corrected since, and files of another SQL with other columns."""
    hub, _ = make_hub(tmp_path / "hub")
    compact(hub, RETURNS)
    hub.settings.set_clock(NOON + timedelta(days=2))
    land(hub, PRICES, D[2], prices(D[2], A=77, HIDDENB=78))
    done(hub)
    with serving(hub) as served:
        _same(served)
    sql = hub.catalogue.extract(RETURNS).sql
    wider = sql.replace(
        "q.price AS previous_price", "CAST(q.price AS DECIMAL(20,4)) AS previous_price, p.volume * 2 AS twice"
    )
    hub = redeclared(hub, RETURNS, sql=wider)
    hub.settings.set_clock(NOON + timedelta(days=3))
    with serving(hub) as served:  # none of the files has the new column yet
        assert served.table("ann", "SELECT * FROM an.returns").schema.names[-1] == "twice"
        _same(served)
    land(hub, PRICES, D[5], prices(D[5], A=88))
    done(hub)
    with serving(open_hub(hub.settings.home)) as served:
        _same(served)
        assert served.rows("ann", "SELECT twice FROM an.returns WHERE business_date = '2013-01-09'") == [(200,)]


def _same(served: Served) -> None:
    """SQL through DuckDB's own Parquet reader, through Arrow, and ``operations.read`` say the same, now and before."""
    hub = served.hub
    for position in range(hub.log.last(), -1, -5):
        wanted = [row for table in read(hub, RETURNS, position) for row in table.to_pylist()]
        shown = served.table("ann", "SELECT * FROM an.returns", known_at=position)
        assert sorted(map(_known, shown.to_pylist())) == sorted(map(_known, wanted))
        days = sorted({row["business_date"] for row in wanted})
        for day in days[:3]:
            counted = served.rows(
                "ann", "SELECT count(*) FROM an.returns WHERE business_date = $1", [day], known_at=position
            )
            assert counted == [(sum(row["business_date"] == day for row in wanted),)]
        mine = [row for row in wanted if row["ticker"] == "A"]
        seen = served.table("bob", "SELECT * FROM an.returns", known_at=position).to_pylist()
        assert sorted(map(_known, seen)) == sorted(map(_known, mine))


def _known(row: dict[str, Any]) -> str:
    """A row without the columns that it does not have."""
    return str(sorted((name, value) for name, value in row.items() if value is not None))


def test_granted_files_are_read_from_many_places_at_once() -> None:
    """DuckDB seeks and reads one handle from several threads: each has its own place."""
    from concurrent.futures import ThreadPoolExecutor

    data = bytes(range(256)) * 4096
    files = GrantedFiles()
    files.grant({"hub://x": Granted.of_bytes(data)})
    handle = files.open("hub://x")

    def reads(offset: int) -> bool:
        places = range(offset, offset + 300)
        return all(handle.seek(n) == n and handle.read(100) == data[n : n + 100] for n in places)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(reads, range(0, 80_000, 10_000)))
    assert (handle.seek(-3, 2), handle.read()) == (len(data) - 3, data[-3:])
    for path, mode in (("hub://y", "rb"), ("hub://x", "wb")):
        with pytest.raises((FileNotFoundError, PermissionError)):
            files.open(path, mode)
    files.grant({})
    assert not files.exists("hub://x")


# -- what stands -----------------------------------------------------------------------------------------------------------


def test_what_stands_is_brought_forward_and_back_as_the_log_says_it(own: Served) -> None:
    """Remembered answers equal the log's own at every position, in any order of asking, while the log grows."""
    hub = own.hub
    standing = StandingChanges(hub.log)
    for _ in range(2):
        for position in [*range(hub.log.last() + 1), *range(hub.log.last(), -2, -3), hub.log.last()]:
            for dataset in (PRICES, RETURNS, "ref/instruments"):
                found = standing.changes(dataset, position)
                wanted = hub.log.changes(dataset, position)
                assert list(found.items()) == list(wanted.items())
        hub.settings.set_clock(NOON + timedelta(days=2))
        land(hub, PRICES, D[3], prices(D[3], A=60))
        done(hub)
    described = Described(hub)
    ids = {change.write_id: change.rows for _, change in hub.log.all_changes("ref/instruments", hub.log.last())}
    assert described.committed("ref/instruments", hub.log.last()) == ids
    assert described.committed("ref/instruments", -1) == {}


@pytest.mark.parametrize("relation", ["px.prices", "idx.members", "idx.members_history"])
def test_question_about_a_lost_table_is_told(own: Served, relation: str) -> None:
    """The log knows of rows that the table has not: an error with what to do, never an empty answer."""
    for name in (PRICES, "idx/members"):
        own.hub.tables.drop(table_name(name))
    with pytest.raises(StoreCorrupt, match="Run: datahub rebuild"):
        own.rows("ann", f"SELECT * FROM {relation}")


@pytest.mark.parametrize("harm", ["lost", "cut"])
def test_question_about_a_harmed_extract_file_is_told(own: Served, harm: str) -> None:
    """An error with what to do for who reads its rows, by whichever way it is read; other business dates are still answered."""
    day, change = min(Described(own.hub).images(RETURNS, own.hub.log.last()).items())
    (file,) = change.files
    path = Path(own.hub.files.location(file.path))
    rows = own.rows("ann", "SELECT * FROM an.returns")
    others = f"SELECT count(*) FROM an.returns WHERE business_date <> DATE '{day}'"
    left = own.rows("ann", others)
    if harm == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20])
    for user in ("ann", "bob"):  # bob sees some rows: they do not go through DuckDB's own reading
        with pytest.raises(StoreCorrupt, match=r"(?s)Extract file cannot be read.*datahub rebuild"):
            own.rows(user, "SELECT * FROM an.returns")
    if harm == "lost":
        assert own.rows("ann", others) == left
    assert len(rows) > left[0][0]
