"""Extracts as Parquet: what comes back is what went in, bytes depend on rows alone, disorder is refused."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.errors import DeclarationError, StoreConflict, StoreCorrupt
from datahub_assets.stores import parquet
from datahub_assets.stores.extracts import ExtractStore
from datahub_assets.stores.local_files import LocalFileStore

DAY = date(2013, 1, 2)
SCHEMA = pa.schema(
    [
        ("business_date", pa.date32()), ("isin", pa.string()), ("lot", pa.int32()), ("rows", pa.int64()), ("price", pa.float64()),
        ("amount", pa.decimal128(18, 4)), ("active", pa.bool_()), ("seen_at", pa.timestamp("us", tz="UTC")),
    ]
)  # fmt: skip


def prices(day: date = DAY, rows: int = 5, shift: float = 0.0) -> pa.Table:
    """Rows of every storable type, with nulls, in key order (isin, lot)."""
    values = {
        "business_date": [day] * rows, "isin": [f"US{i // 2:06d}é" for i in range(rows)], "lot": [i % 2 for i in range(rows)],
        "rows": [None if i % 3 == 0 else i * 10**12 for i in range(rows)], "price": [i / 7 + shift for i in range(rows)],
        "amount": [None if i % 4 == 0 else Decimal(i) / 4 for i in range(rows)], "active": [i % 2 == 0 for i in range(rows)],
        "seen_at": [datetime(2013, 1, 2, tzinfo=UTC) + timedelta(microseconds=i) for i in range(rows)],
    }  # fmt: skip
    return pa.table(values, SCHEMA)


@pytest.fixture
def store(tmp_path: Path) -> ExtractStore:
    """A store below a root with a space in its name."""
    return ExtractStore(LocalFileStore(tmp_path / "a hub"))


def test_extract_comes_back_as_it_went_in(store: ExtractStore) -> None:
    """Reconciliation compares digests of the SQL's rows and of the file's: types and values must be identical."""
    rows = prices()
    files = store.write("quandl/prices", "2013-01-02", 7, rows.schema, rows.to_batches(), ("isin", "lot"))
    assert [file.path for file in files] == ["extracts/quandl/prices/2013-01-02/T000000000007-0.parquet"]
    assert (files[0].rows, files[0].partitions) == (5, ("2013-01-02",))
    assert store.read(files, "2013-01-02").read_all().equals(rows, check_metadata=True)
    assert store.read(files, "2013-01-02", ["price", "isin"]).read_all().equals(rows.select(["price", "isin"]))


@settings(deadline=None, max_examples=20)
@given(cuts=st.lists(st.integers(1, 40_000), min_size=1, max_size=8))
def test_extract_bytes_depend_on_the_rows_alone(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    """A re-run after a crash publishes under the same name: other batches must not give other bytes."""
    rows, start, batches = prices(rows=40_000), 0, []
    for cut in [*cuts, 40_000]:
        batches += rows.slice(start, cut).to_batches()
        start += cut
    store = ExtractStore(LocalFileStore(tmp_path_factory.mktemp("hub")))
    whole = store.write("q/p", "2013-01-02", 1, SCHEMA, rows.to_batches(), ("isin", "lot"))
    assert store.write("q/p", "2013-01-02", 1, SCHEMA, batches, ("isin", "lot")) == whole


def test_extract_refuses_other_rows_under_the_same_write_id(store: ExtractStore) -> None:
    """A write id names one set of rows for ever; a second writer of it is a fault that must show."""
    store.write("q/p", "2013-01-02", 1, SCHEMA, prices().to_batches(), ("isin", "lot"))
    with pytest.raises(StoreConflict):
        store.write("q/p", "2013-01-02", 1, SCHEMA, prices(shift=1).to_batches(), ("isin", "lot"))


def test_extract_starts_a_new_file_when_one_is_large_enough(tmp_path: Path) -> None:
    """Files stay of a size that engines can share out; rows keep their order over them."""
    store, rows = ExtractStore(LocalFileStore(tmp_path), max_file_bytes=1), prices(rows=600_000)
    files = store.write("q/p", "2013-01-02", 1, SCHEMA, rows.to_batches(), ("isin", "lot"))
    assert [file.rows for file in files] == [262_144, 262_144, 75_712]
    assert store.read(files, "2013-01-02").read_all().equals(rows)


def test_extract_without_rows_keeps_its_columns(store: ExtractStore) -> None:
    """An empty answer still has columns, for the reader who looks at that day."""
    files = store.write("q/p", "2013-01-02", 1, SCHEMA, [], ("isin",))
    assert store.read(files, "2013-01-02").read_all().equals(SCHEMA.empty_table())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: pa.concat_tables([t, t.slice(4)]), "strict key order"),
        (lambda t: pa.concat_tables([t.slice(1), t.slice(0, 1)]), "strict key order"),
        (lambda t: t.set_column(2, "lot", pa.array([0, 1, None, 1, 0], pa.int32())), "strict key order"),
        (lambda t: t.set_column(0, "business_date", pa.array([DAY] * 4 + [date(2013, 1, 3)])), "another business date"),
        (lambda t: t.set_column(0, "business_date", pa.array(["2013-01-02"] * 5)), "lacks its partition"),
        (lambda t: t.append_column("tags", pa.array([[1]] * 5)), "no place in an extract"),
    ],
    ids=["twice", "falling", "null in the key", "other date", "date as text", "list"],
)
def test_extract_refuses_rows_that_break_its_declaration(
    store: ExtractStore, change: Callable[[pa.Table], pa.Table], said: str
) -> None:
    """A key that is not unique, or rows of another day, would make an extract that cannot be explained. Nothing is left."""
    rows = change(prices())
    with pytest.raises(DeclarationError, match=said):
        store.write("q/p", "2013-01-02", 1, rows.schema, rows.to_batches(), ("isin", "lot"))
    assert list(store.files.list("extracts")) == []


def test_extract_key_order_holds_over_row_groups() -> None:
    """The check must see the seam between groups as well: (a, 2), then (a, 2) again in the next group."""
    rows = pa.table({"a": ["x", "x", "y"], "b": [1, 2, 2]})
    assert parquet.first_disorder(rows, ["a", "b"]) is None
    assert parquet.first_disorder(rows, ["b", "a"]) is None
    assert parquet.first_disorder(pa.table({"a": ["é", "z"], "b": [1, 2]}), ["a"]) == 1


def test_extract_rows_out_of_order_over_row_groups_are_refused(store: ExtractStore) -> None:
    """A row group is checked together with the last row of the one before."""
    rows = prices(rows=262_144)
    with pytest.raises(DeclarationError, match="strict key order"):
        store.write(
            "q/p", "2013-01-02", 1, SCHEMA, [*rows.to_batches(), *rows.slice(262_143).to_batches()], ("isin", "lot")
        )


def test_compacted_file_gives_each_partition_as_it_was(store: ExtractStore) -> None:
    """Compaction changes files and not content: the digest of every partition stays."""
    days = [DAY + timedelta(days=n) for n in range(3)]
    parts = {
        day.isoformat(): store.write(
            "q/p", day.isoformat(), n, SCHEMA, prices(day, 5 + n).to_batches(), ("isin", "lot")
        )
        for n, day in enumerate(days)
    }
    compacted = store.compact("q/p", parts, 9, SCHEMA, ("isin", "lot"))
    assert compacted.partitions == ("2013-01-02", "2013-01-03", "2013-01-04")
    assert compacted.rows == 18
    assert store.compact("q/p", parts, 9, SCHEMA, ("isin", "lot")) == compacted
    for n, day in enumerate(days):
        assert store.read([compacted], day.isoformat()).read_all().equals(prices(day, 5 + n))
        assert store.read([compacted], day.isoformat(), ["price"]).read_all().num_rows == 5 + n
    assert store.read([compacted]).read_all().num_rows == 18


def test_compaction_brings_old_files_to_the_columns_of_now(store: ExtractStore) -> None:
    """Files of earlier contracts lack columns or have narrower ones; the compacted file has today's."""
    old, new = prices(DAY).drop_columns(["price"]), prices(DAY + timedelta(days=1))
    wider = new.set_column(2, "lot", new["lot"].cast(pa.int64()))
    parts = {
        "2013-01-02": store.write("q/p", "2013-01-02", 1, old.schema, old.to_batches(), ("isin", "lot")),
        "2013-01-03": store.write("q/p", "2013-01-03", 2, wider.schema, wider.to_batches(), ("isin", "lot")),
    }
    rows = store.read([store.compact("q/p", parts, 3, wider.schema, ("isin", "lot"))]).read_all()
    assert rows.schema == wider.schema
    assert rows["price"].null_count == old.num_rows
    assert store.read([*parts["2013-01-02"], *parts["2013-01-03"]]).read_all().schema.field("lot").type == pa.int64()


def test_extract_file_names_its_columns_by_stable_ids(store: ExtractStore, tmp_path: Path) -> None:
    """Iceberg maps columns by id: an id follows from name and family, whatever the column's place or width."""
    rows = prices()
    first, second = (
        store.write("q/p", "2013-01-02", write_id, schema, rows.to_batches(), ("isin", "lot"))[0]
        for write_id, schema in ((1, SCHEMA), (2, pa.schema(list(reversed(SCHEMA)))))
    )
    ids = [
        {f.name: f.metadata[parquet.FIELD_ID] for f in pq.read_schema(tmp_path / "a hub" / file.path)}
        for file in (first, second)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0].values())) == len(SCHEMA)


def test_extract_removed_or_damaged_file_is_a_corrupt_store(store: ExtractStore, tmp_path: Path) -> None:
    """What the log names must be there: a hole is told by its name, not answered with fewer rows."""
    files = store.write("q/p", "2013-01-02", 1, SCHEMA, prices().to_batches(), ("isin", "lot"))
    (tmp_path / "a hub" / files[0].path).write_bytes(b"not Parquet")
    with pytest.raises(StoreCorrupt, match="T000000000001"):
        store.read(files, "2013-01-02").read_all()
    store.remove(files)
    store.remove(files)
    with pytest.raises(StoreCorrupt, match="rebuild"):
        store.read(files, "2013-01-02").read_all()
