"""What every table store promises of rows with several cells (layout ``cells``), and of keys read alone."""

import random
from collections.abc import Callable

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets.stores.tables.interface import CellRows, TableStore
from datahub_assets_tests.contracts.implementations import TablesAt
from datahub_assets_tests.contracts.rows import Cells, cell_rows, numbered, rows, scanned, scanned_cells

TABLE = "test.cells"
A, B, C, S = b"d:a", b"d:b", b"d:long_name", b"m:s"
COLUMNS = [A, B, C, S]
cells = st.dictionaries(st.sampled_from(COLUMNS), st.binary(max_size=4), min_size=1)
keys = st.binary(min_size=1, max_size=2)


@settings(max_examples=settings().max_examples // 3, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.dictionaries(keys, cells, min_size=1, max_size=6), max_size=3),
    st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True),
    st.tuples(st.just(b"") | keys, st.just(b"") | keys, st.integers(1, 4)),
)
def test_scan_of_cells_gives_exactly_what_was_written(
    emptied: Callable[[int], TablesAt],
    batches: list[dict[bytes, Cells]],
    wanted: list[bytes],
    range_: tuple[bytes, bytes, int],
) -> None:
    """Any columns, any nulls, batches of different columns: the cells asked for, row by row in key order, no others.

    Rows that have none of them are not there, and an empty cell is one.
    """
    tables = emptied(0).open()
    content: dict[bytes, Cells] = {}
    for number, batch in enumerate(batches):  # no key twice: what a row holds is written once
        fresh = {b"%d" % number + key: row for key, row in batch.items()}
        assert tables.write(TABLE, [cell_rows(fresh)]) == len(fresh)
        content.update(fresh)
    start, stop, page_rows = range_
    inside = sorted(key for key in content if start <= key and (not stop or key < stop))
    expected = [(key, {name: content[key][name] for name in wanted if name in content[key]}) for key in inside]
    found = scanned_cells(tables, TABLE, wanted, start, stop, page_rows)
    assert found == [(key, row) for key, row in expected if row]
    pages = list(tables.scan_keys(TABLE, start, stop, page_rows=page_rows))
    assert [key for page in pages for key in page.to_pylist()] == inside
    assert all(0 < len(page) <= page_rows for page in pages)


def test_scan_of_cells_gives_the_columns_asked_for_in_their_order(tables: TableStore) -> None:
    """Also one that no row has ever had: it is null, in every page."""
    tables.write(TABLE, [cell_rows({b"1": {A: b"a", S: b"s"}, b"2": {B: b"", S: b"t"}})])
    (page,) = tables.scan_cells(TABLE, b"", b"", [S, b"d:never", B, A])
    assert list(page.columns) == [S, b"d:never", B, A]
    assert [array.type for array in page.columns.values()] == [pa.binary()] * 4
    assert [array.to_pylist() for array in page.columns.values()] == [
        [b"s", b"t"], [None, None], [None, b""], [b"a", None],
    ]  # fmt: skip


def test_write_of_cells_leaves_out_what_lies_under_a_null(tables: TableStore) -> None:
    """Arrow keeps bytes under a null, and arrays that are slices of larger ones: neither reaches the table."""
    whole = pa.array([b"x", b"old", b"new", b"y"], pa.binary())
    mask = pa.py_buffer(bytes([0b1101]))
    hidden = pa.BinaryArray.from_buffers(pa.binary(), 4, [mask, *whole.buffers()[1:]])
    batch = CellRows(
        pa.array([b"0", b"1", b"2", b"3"], pa.binary()).slice(1, 2), {A: hidden.slice(1, 2), S: whole.slice(0, 2)}
    )
    tables.write(TABLE, [batch])
    assert scanned_cells(tables, TABLE, [A, S]) == [(b"1", {S: b"x"}), (b"2", {A: b"new", S: b"old"})]


def test_write_of_cells_again_changes_nothing(tables: TableStore) -> None:
    """A writer that does not know whether its batch arrived sends it again."""
    content = {key: {A: b"a" * (number % 5), S: b"s"} for number, (key, _) in enumerate(numbered(1_000))}
    for _ in range(2):
        assert tables.write(TABLE, [cell_rows(content)]) == 1_000
    assert scanned_cells(tables, TABLE, [A, S]) == list(content.items())


def test_write_takes_many_rows_with_cells_in_any_order(tables: TableStore) -> None:
    """60,000 rows, some cells absent, in batches that no page or block divides."""
    content = {
        key: {S: b"s", **({A: b"%d" % number} if number % 3 else {})}
        for number, (key, _) in enumerate(numbered(60_000))
    }
    shuffled = random.Random(1).sample(list(content.items()), len(content))
    batches = [cell_rows(dict(shuffled[i : i + 23_456])) for i in range(0, len(shuffled), 23_456)]
    assert tables.write(TABLE, batches) == 60_000
    assert scanned_cells(tables, TABLE, [A, S], page_rows=7_777) == list(content.items())


def test_write_keeps_wide_rows_and_long_cells(tables: TableStore) -> None:
    """300 columns, one of them of 1 MB: what a row of analytics may be."""
    row = {b"d:c%03d" % number: b"%d" % number for number in range(300)} | {
        b"d:c007": random.Random(1).randbytes(1 << 20)
    }
    tables.write(TABLE, [cell_rows({b"k": row, b"l": {b"d:c008": b""}})])
    assert scanned_cells(tables, TABLE, sorted(row)) == [(b"k", row), (b"l", {b"d:c008": b""})]
    assert scanned_cells(tables, TABLE, [b"d:c299"]) == [(b"k", {b"d:c299": b"299"})]


def test_delete_range_takes_rows_with_all_their_cells(tables: TableStore) -> None:
    """No cell of a removed row stays behind, whatever its column or family; rows are counted, not cells."""
    content = {key: {A: b"a", B: b"b", S: b"s"} for key, _ in numbered(100)}
    tables.write(TABLE, [cell_rows(content)])
    assert tables.delete_range(TABLE, b"00000010", b"00000090") == 80
    left = [(key, row) for key, row in content.items() if not b"00000010" <= key < b"00000090"]
    assert scanned_cells(tables, TABLE, [A, B, S]) == left
    assert [key for page in tables.scan_keys(TABLE, b"", b"") for key in page.to_pylist()] == [key for key, _ in left]


def test_cells_of_an_absent_table_are_none(tables: TableStore) -> None:
    """A dataset without a commit is no error for a reader, and reading makes no table."""
    assert scanned_cells(tables, TABLE, [A]) == []
    assert list(tables.scan_keys(TABLE, b"", b"")) == []
    assert tables.tables() == []


def test_keys_are_read_alone_from_rows_with_one_value_too(tables: TableStore) -> None:
    """Maintenance asks which rows there are, of tables of either layout."""
    pairs = numbered(25)
    tables.write(TABLE, [rows(pairs)])
    pages = [page.to_pylist() for page in tables.scan_keys(TABLE, b"00000003", b"00000023", page_rows=10)]
    assert [len(page) for page in pages] == [10, 10]
    assert [key for page in pages for key in page] == [key for key, _ in pairs[3:23]]
    assert scanned(tables, TABLE) == pairs
