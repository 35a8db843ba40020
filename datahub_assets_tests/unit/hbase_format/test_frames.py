"""Requests with many rows, byte by byte against what generated classes write for the same rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.hbase_format.frames import FRAME_ROWS, delete_frames, put_frames
from datahub_assets.hbase_format.thrift import encoding_of
from datahub_assets_tests.unit.hbase_format.generated import Protocol, delete_message, put_message

TABLE = b"datahub:px.prices"
WIDE = 1 << 30
protocols = st.sampled_from(["binary", "compact"])
# lengths on both sides of where a variable-length number takes a byte more
keys = st.binary(min_size=1, max_size=3) | st.sampled_from([b"k" * 127, b"k" * 128, b"k" * 20_000])
cells = st.none() | st.binary(max_size=3) | st.sampled_from([b"v" * 127, b"v" * 128, b"v" * 16_383, b"v" * 16_384])


@given(protocols, st.data())
def test_put_frame_is_what_generated_code_writes(protocol: Protocol, data: st.DataObject) -> None:
    """Any keys, cells and nulls, up to 16 columns (a list's length is written in another way from 15 on), sliced arrays."""
    names = [b"d:c%d" % i for i in range(data.draw(st.integers(1, 16)))]
    rows = data.draw(st.lists(st.tuples(keys, st.tuples(*[cells] * len(names))), min_size=1, max_size=20))
    columns = {name: [row[i] for _, row in rows] for i, name in enumerate(names)}
    skipped = {name: pa.array([b"x", *values], pa.binary()).slice(1) for name, values in columns.items()}
    (frame,) = put_frames(encoding_of(protocol), TABLE, pa.array([key for key, _ in rows], pa.binary()), skipped, WIDE)
    assert frame.message == put_message(protocol, TABLE, [key for key, _ in rows], columns)
    assert frame.rows == len(rows)


@given(protocols, st.lists(keys, min_size=1, max_size=20), st.sampled_from([[b"d"], [b"d", b"m"]]))
def test_delete_frame_is_what_generated_code_writes(
    protocol: Protocol, rows: list[bytes], families: list[bytes]
) -> None:
    """All cells of a family are deleted by naming the family alone."""
    (frame,) = delete_frames(encoding_of(protocol), TABLE, pa.array(rows, pa.binary()), families, WIDE)
    assert frame.message == delete_message(protocol, TABLE, rows, families)


@given(protocols, st.lists(st.integers(0, 400), min_size=1, max_size=60), st.integers(1, 2_000))
def test_frames_are_as_large_as_they_may_be(protocol: Protocol, sizes: list[int], frame_bytes: int) -> None:
    """Each is whole rows, in order; only one that is a single row exceeds the limit, and none could take the next row."""
    rows = [b"%04d" % i for i in range(len(sizes))]
    values = [b"v" * size for size in sizes]
    column = pa.array(values, pa.binary())
    frames = list(put_frames(encoding_of(protocol), TABLE, pa.array(rows, pa.binary()), {b"d:r": column}, frame_bytes))
    at = 0
    for frame in frames:
        part = slice(at, at + frame.rows)
        assert frame.message == put_message(protocol, TABLE, rows[part], {b"d:r": values[part]})
        assert frame.rows == 1 or len(frame.message) <= frame_bytes + 16
        more = slice(at, at + frame.rows + 1)
        if at + frame.rows < len(rows):
            assert len(put_message(protocol, TABLE, rows[more], {b"d:r": values[more]})) > frame_bytes - 16
        at += frame.rows
    assert at == len(rows)


def test_frames_of_many_rows_are_cut_at_a_number_of_rows() -> None:
    """50,000 tiny rows: a gateway makes objects of each row of a frame, so their number is bounded too."""
    count = 50_000
    keys_ = pa.array(np.char.zfill(np.arange(count).astype("S8"), 8).tolist(), pa.binary())
    column = pa.array([b"v"] * count, pa.binary())
    frames = list(put_frames(encoding_of("binary"), TABLE, keys_, {b"d:r": column}, WIDE))
    assert sum(frame.rows for frame in frames) == count
    assert max(frame.rows for frame in frames) == FRAME_ROWS


@pytest.mark.parametrize("protocol", ["binary", "compact"])
def test_no_rows_make_no_frame(protocol: Protocol) -> None:
    """An empty batch is not sent."""
    nothing = pa.array([], pa.binary())
    assert list(put_frames(encoding_of(protocol), TABLE, nothing, {b"d:r": nothing}, WIDE)) == []
    assert list(delete_frames(encoding_of(protocol), TABLE, nothing, [b"d"], WIDE)) == []
