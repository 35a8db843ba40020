"""Places of rows of several cells: found all at once, they are those of the walk from cell to cell."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.hbase_format.reply_cells import places, walked
from datahub_assets_tests.unit.hbase_format.generated import rows_message

NAMES = [b"d:a", b"d:b", b"d:long_name", b"m:s"]
COLUMNS = {b"m:s": 0, b"d:a": 1, b"d:never": 2}
BETWEEN = b"\0\0\x0b\0\x01\0\0"
values = st.binary(max_size=3) | st.sampled_from([BETWEEN, BETWEEN * 2, b"\0", b"\0\0\0", b"v" * 30])
rows = st.lists(
    st.tuples(st.binary(min_size=1, max_size=3) | st.just(BETWEEN), st.dictionaries(st.sampled_from(NAMES), values)),
    min_size=1, max_size=12,
)  # fmt: skip


def bytes_of(content: list[tuple[bytes, Mapping[bytes, bytes]]]) -> bytes:
    """The rows' bytes, without what stands before and after them in an answer."""
    return rows_message(content)[len(rows_message([])) - 1 : -1]


@given(rows, st.integers(0, 40), st.integers(0, 14))
def test_places_are_those_of_the_walk(
    content: list[tuple[bytes, Mapping[bytes, bytes]]], cut_off: int, most: int
) -> None:
    """Any cells and nulls, values that look like what stands between rows, a last row that is cut off, fewer rows wanted."""
    data = bytes_of(content)
    data = data[: max(0, len(data) - cut_off)]
    found, expected = places(data, most, COLUMNS), walked(data, most, COLUMNS)
    assert (found.end, found.cells) == (expected.end, expected.cells)
    assert np.array_equal(found.edges, expected.edges)


def test_walk_finds_keys_and_cells() -> None:
    """Begin and end of the key, then of each column's cell in the order of their numbers; −1 where there is none."""
    data = bytes_of([(b"key", {b"d:a": b"1", b"d:b": b"22", b"m:s": b"333"}), (b"k", {b"d:a": b""})])
    found = walked(data, 9, COLUMNS)
    taken = [
        [data[b:e] if b >= 0 else None for b, e in zip(row[::2], row[1::2], strict=True)]
        for row in found.edges.tolist()
    ]
    assert taken == [[b"key", b"333", b"1", None], [b"k", None, b"", None]]
    assert (found.end, found.cells) == (len(data), 4)
