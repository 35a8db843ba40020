"""Batches bound as two byte strings: what stands in the table is what one row after the other would have left there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datahub_assets.stores.tables.embedded_insert import FEW, MAX_BYTES, insert, make_ready

Pair = tuple[bytes, bytes]
SMALL = st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=12)), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """An empty table of the store's definition."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.execute("CREATE TABLE rows (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
        yield opened


def stored(
    connection: sqlite3.Connection, pairs: list[Pair], before: int = 0, parts: int = 1, max_bytes: int = MAX_BYTES
) -> list[Pair]:
    """What the table holds after these rows, given as slices of arrays that have ``before`` other rows in front."""
    keys = pa.array([b"other"] * before + [key for key, _ in pairs], pa.binary())[before:]
    values = pa.array([b"\0"] * before + [value for _, value in pairs], pa.binary())[before:]
    connection.execute("DELETE FROM rows")
    step = -(-len(pairs) // parts)
    for i in range(0, len(pairs), step):
        make_ready(connection, min(step, len(pairs) - i))
        insert(connection, keys[i : i + step], values[i : i + step], max_bytes)
    return connection.execute("SELECT k, v FROM rows ORDER BY k").fetchall()


@given(few=SMALL, times=st.sampled_from([1, FEW // 4, FEW, 2_000]), before=st.integers(0, 3), parts=st.integers(1, 3))
@example(few=[(b"", b"")], times=FEW, before=0, parts=1)
@example(few=[(b"\0", b"\0\xff"), (b"\0\xff", b"")], times=FEW, before=1, parts=2)
def test_insert_leaves_the_last_value_of_each_key(
    connection: sqlite3.Connection, few: list[Pair], times: int, before: int, parts: int
) -> None:
    """The rule of the store, for batches of any size: idempotent by key, whatever the bytes, empty ones included."""
    pairs = [(b"%d" % (i % 5) + key, value + b"%d" % i if i % 3 else value) for i in range(times) for key, value in few]
    assert stored(connection, pairs, before, parts) == sorted(dict(pairs).items())


def test_insert_of_more_bytes_than_a_statement_takes_is_cut(connection: sqlite3.Connection) -> None:
    """SQLite takes blobs of a billion bytes at most: larger batches go in halves, and lose nothing."""
    pairs = [(b"%05d" % i, bytes([i % 251]) * (i % 97)) for i in range(3_000)]
    assert stored(connection, pairs, max_bytes=20_000) == pairs


@pytest.mark.soak
def test_insert_takes_more_than_sqlites_longest_blob(connection: sqlite3.Connection) -> None:
    """As above, at the real size: 1.1 GB in one batch, where one statement with all of it would be refused."""
    keys, value = [b"%05d" % i for i in range(1_100)], b"\0\xff" * 500_000
    make_ready(connection, len(keys))
    connection.execute("DELETE FROM rows")
    insert(connection, pa.array(keys), pa.array([value] * len(keys), pa.binary()))
    found = connection.execute("SELECT k FROM rows WHERE v = ? ORDER BY k", (value,)).fetchall()
    connection.execute("DELETE FROM rows")
    assert [key for (key,) in found] == keys


def test_nulls_are_refused_as_row_by_row(connection: sqlite3.Connection) -> None:
    """An empty value is a value: only a key or value that is not there is refused."""
    assert stored(connection, [(b"%d" % i, b"") for i in range(FEW)]) == sorted((b"%d" % i, b"") for i in range(FEW))
    for rows in (1, FEW):
        with pytest.raises(sqlite3.IntegrityError):
            insert(connection, pa.array([b"k%d" % i for i in range(rows)]), pa.array([None] * rows, pa.binary()))
