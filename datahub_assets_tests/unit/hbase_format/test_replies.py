"""Answers with many rows: what generated classes wrote is read back, and never a byte more is taken than is there."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.replies import Batch, Refusal, Taking, rows_reply
from datahub_assets_tests.unit.hbase_format.generated import refusal_message, rows_message

NAMES = [b"d:a", b"d:b", b"d:long_name", b"m:s"]
sizes = st.integers(0, 5) | st.sampled_from([200, 70_000, 600_000])
values = st.builds(
    lambda size, byte: byte * size, sizes, st.sampled_from([b"\0", b"\x0b\0\x01", b"v", b"\x0d\0\x02\x0b\x0c"])
)
keys = st.binary(min_size=1, max_size=4) | st.just(b"k" * 300)


def taken(reading: Taking[Batch], message: bytes) -> Batch:
    """What is read from a connection that has this message and nothing after it."""
    at = 0
    try:
        wanted = next(reading)
        while True:
            assert 0 < wanted <= len(message) - at, "waits for bytes that do not come"
            at += wanted
            wanted = reading.send(message[at - wanted : at])
    except StopIteration as end:
        assert at == len(message), "leaves bytes behind for the next answer"
        batch: Batch = end.value
        return batch


@given(st.lists(st.tuples(keys, values), max_size=12))
def test_rows_of_one_cell_are_read_back(rows: list[tuple[bytes, bytes]]) -> None:
    """Also where values look like the bytes between rows."""
    batch = taken(rows_reply([b"d:r"]), rows_message([(key, {b"d:r": value}) for key, value in rows]))
    (column,) = batch.columns
    assert list(zip(batch.keys.to_pylist(), column.to_pylist(), strict=True)) == rows


@given(
    st.lists(st.tuples(keys, st.dictionaries(st.sampled_from(NAMES), values)), max_size=12),
    st.lists(st.sampled_from([*NAMES, b"d:never"]), unique=True).filter(lambda columns: len(columns) != 1),
)
def test_rows_of_any_cells_are_read_back(rows: list[tuple[bytes, Mapping[bytes, bytes]]], columns: list[bytes]) -> None:
    """The columns asked for in their order, null where a row has no such cell; other cells are passed over."""
    batch = taken(rows_reply(columns), rows_message(rows))
    assert batch.keys.to_pylist() == [key for key, _ in rows]
    assert [column.to_pylist() for column in batch.columns] == [
        [cells.get(name) for _, cells in rows] for name in columns
    ]


def counted(columns: list[bytes], pieces: list[int]) -> Taking[Batch]:
    """Reads an answer, and keeps how many bytes it asked for each time."""
    reading = rows_reply(columns)
    wanted = next(reading)
    while True:
        pieces.append(wanted)
        try:
            wanted = reading.send((yield wanted))
        except StopIteration as end:
            batch: Batch = end.value
            return batch


def test_many_rows_are_read_in_few_pieces() -> None:
    """10,000 rows in some dozens of reads: each costs a call."""
    pieces: list[int] = []
    message = rows_message([(b"%08d" % i, {b"d:r": b"v" * 120}) for i in range(10_000)])
    assert len(taken(counted([b"d:r"], pieces), message)) == 10_000
    assert len(pieces) < 100


def test_wide_rows_are_read_in_few_pieces_and_whole() -> None:
    """200 rows of 300 cells, some absent: far more bytes a row than are surely there, and fewer than four reads a row."""
    names = [b"d:column_%03d" % n for n in range(300)]
    rows = [(b"%08d" % i, {name: b"%d" % (i * n) for n, name in enumerate(names) if (i + n) % 7}) for i in range(200)]
    pieces: list[int] = []
    batch = taken(counted(names, pieces), rows_message(rows))
    assert batch.keys.to_pylist() == [key for key, _ in rows]
    for name, column in zip(names, batch.columns, strict=True):
        assert column.to_pylist() == [cells.get(name) for _, cells in rows]
    assert len(pieces) < 4 * len(rows)


@pytest.mark.parametrize("columns", [[b"d:r"], NAMES])
def test_refusal_is_told_with_its_text(columns: list[bytes]) -> None:
    """HBase's own words, and the connection is at the end of the answer."""
    with pytest.raises(Refusal, match="TableNotFoundException: nope"):
        taken(rows_reply(columns), refusal_message("TableNotFoundException: nope\n\tat somewhere"))


@pytest.mark.parametrize(
    "message",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x82\x21\x00\x0escannerGetList" + bytes(20),
        b"\x15\x03\x03\x00\x02\x02\x46" + bytes(9),
    ],
    ids=["http", "compact", "tls alert"],
)
def test_another_servers_answer_is_refused(message: bytes) -> None:
    """A wrong port or protocol: the error names the settings that say what the gateway speaks."""
    with pytest.raises(StoreCorrupt, match=r"hbase\.protocol"):
        taken(rows_reply([b"d:r"]), message)


def test_row_with_another_cell_is_refused() -> None:
    """A row of one value has just that cell, for no other was asked for."""
    with pytest.raises(StoreCorrupt, match="one cell"):
        taken(rows_reply([b"d:r"]), rows_message([(b"k", {b"d:x": b"v"})]))
