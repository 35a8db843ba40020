"""Cells in the embedded store's one value a row: the bytes, rows of several sets of columns, and what is refused."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import StoreCorrupt
from datahub_assets.stores.tables.embedded_cells import concatenated, separated
from datahub_assets.stores.tables.interface import CellRows, Rows

A, B = b"d:a", b"m:long"
HEAD = b"\0\0\0\x0d" + b"\0\3d:a" + b"\0\6m:long"


def one(*cells: bytes | None) -> CellRows:
    """A row with the columns A and B."""
    columns = {name: pa.array([cell], pa.binary()) for name, cell in zip((A, B), cells, strict=True)}
    return CellRows(pa.array([b"k"], pa.binary()), columns)


def stored(*values: bytes) -> Rows:
    """Rows with these values."""
    keys = [b"k%d" % place for place in range(len(values))]
    return Rows(pa.array(keys, pa.binary()), pa.array(values, pa.binary()))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((b"xyz", b"\0"), b"\0\0\0\3" + b"\0\0\0\1" + b"xyz\0"),
        ((b"", b"w"), b"\0\0\0\0" + b"\0\0\0\1" + b"w"),
        ((None, b"w"), b"\xff\xff\xff\xff" + b"\0\0\0\1" + b"w"),
    ],
)
def test_value_has_the_specified_bytes(cells: tuple[bytes | None, bytes], expected: bytes) -> None:
    """Backups of tables are read by later releases: docs/formats/cells.md says the bytes."""
    (rows,) = concatenated(one(*cells))
    assert rows.values.to_pylist() == [HEAD + expected]
    assert {name: array.to_pylist() for name, array in separated(rows, [A, B], "t.t").columns.items()} == {
        A: [cells[0]], B: [cells[1]],
    }  # fmt: skip


@given(
    st.lists(st.dictionaries(st.sampled_from([A, B, b"d:c"]), st.binary(max_size=3), min_size=1), max_size=8), st.data()
)
def test_rows_of_several_sets_of_columns_keep_their_order(rows: list[dict[bytes, bytes]], data: st.DataObject) -> None:
    """A page of a scan holds what many writes have put there, under several contract versions."""
    values = []
    for row in rows:
        more = data.draw(st.sampled_from([[], [A], [A, B]]))  # columns that the writer named and this row lacks
        names = list(dict.fromkeys([*row, *more]))
        columns = {name: pa.array([row.get(name)], pa.binary()) for name in names}
        values += [found.values[0].as_py() for found in concatenated(CellRows(pa.array([b"k"], pa.binary()), columns))]
    wanted = data.draw(st.lists(st.sampled_from([A, B, b"d:c", b"d:never"]), min_size=1, unique=True))
    found = separated(stored(*values), wanted, "t.t")
    expected = [
        (b"k%d" % n, [row.get(name) for name in wanted]) for n, row in enumerate(rows) if set(row) & set(wanted)
    ]
    lists = [array.to_pylist() for array in found.columns.values()]
    assert [(key, [each[n] for each in lists]) for n, key in enumerate(found.keys.to_pylist())] == expected


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0\0",
        bytes.fromhex("010000010000000000000000"),  # a packed value
        HEAD + b"\0\0\0\1" + b"\0\0\0",
        HEAD + b"\0\0\0\1" + b"\0\0\0\1" + b"x",
        HEAD + b"\0\0\0\1" + b"\0\0\0\1" + b"xyz",
    ],
)
def test_value_that_holds_no_cells_is_refused(value: bytes) -> None:
    """A table declared with another layout than its rows have, or a damaged row, is never read as cells."""
    good = HEAD + b"\0\0\0\0" + b"\xff\xff\xff\xff"
    with pytest.raises(StoreCorrupt, match="row 1 of the page, key 0x6b31"):
        separated(stored(good, value), [A], "t.t")
