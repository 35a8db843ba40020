"""Arrow columns → PostgreSQL's binary values. Column by column; nulls stay null.

Numbers are big-endian; days count from 2000-01-01, instants in microseconds from its midnight; ``numeric`` is groups of four
decimal digits. **Source:** PostgreSQL 15, the ``…send`` functions of each type (``numeric_send``, ``array_send``, …).
"""

import struct
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datahub_assets.serving.odbc.text import texts
from datahub_assets.serving.odbc.types import is_vector, plain, type_of

_DAYS_TO_2000 = 10957
_MICROS_TO_2000 = _DAYS_TO_2000 * 86_400_000_000
_INFINITY_32, _INFINITY_64 = 2**31 - 1, 2**63 - 1


def values(column: pa.Array) -> pa.BinaryArray:
    """The values in binary; ``column`` of a type that ``types`` knows."""
    column = column.cast(plain(column.type)) if column.type != plain(column.type) else column
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _timestamps(column)
    if pa.types.is_decimal(kind):
        return _numerics(column)
    if pa.types.is_list(kind) and not pa.types.is_nested(plain(kind.value_type)):
        return _lists(column)
    encode = _BY_ID.get(kind.id)
    return encode(column) if encode else texts(column).cast(pa.binary())


def _fixed(column: pa.Array, numbers: np.ndarray, form: str) -> pa.BinaryArray:
    """Values of one size, from numbers in order; places of nulls may hold anything."""
    data = numbers.astype(form)
    offsets = np.arange(0, data.nbytes + 1, data.itemsize, dtype=np.int32)
    found = pa.Array.from_buffers(pa.binary(), len(data), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return pc.if_else(column.is_valid(), found, pa.scalar(None, pa.binary())) if column.null_count else found


def _numbers(column: pa.Array) -> np.ndarray:
    found: np.ndarray = (column.fill_null(0) if column.null_count else column).to_numpy(zero_copy_only=False)
    return found


def _integers(form: str) -> Callable[[pa.Array], pa.BinaryArray]:
    return lambda column: _fixed(column, _numbers(column), form)


def _booleans(column: pa.Array) -> pa.BinaryArray:
    return _fixed(column, _numbers(column.cast(pa.int8())), "i1")


def _dates(column: pa.Array) -> pa.BinaryArray:
    days = _numbers(column.cast(pa.int32())).astype(np.int64)
    moved = np.where(np.abs(days) >= _INFINITY_32, days, days - _DAYS_TO_2000)
    return _fixed(column, np.where(days <= -_INFINITY_32, -_INFINITY_32 - 1, moved), ">i4")


def _timestamps(column: pa.Array) -> pa.BinaryArray:
    micros = _numbers(column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64()))
    infinite = (micros == _INFINITY_64) | (micros <= -_INFINITY_64)
    moved = np.where(infinite, micros, micros - np.where(infinite, 0, _MICROS_TO_2000))
    return _fixed(column, np.where(micros <= -_INFINITY_64, -_INFINITY_64 - 1, moved), ">i8")


def _times(column: pa.Array) -> pa.BinaryArray:
    return _fixed(column, _numbers(column.cast(pa.time64("us")).cast(pa.int64())), ">i8")


def _intervals(column: pa.Array) -> pa.BinaryArray:
    parts = np.frombuffer(column.buffers()[1], [("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])
    parts = parts[column.offset : column.offset + len(column)]
    written = np.empty(len(column), [("micros", ">i8"), ("days", ">i4"), ("months", ">i4")])
    written["micros"], written["days"], written["months"] = parts["nanos"] // 1000, parts["days"], parts["months"]
    return _fixed(column, written, written.dtype.descr)  # type: ignore[arg-type]


def _uint64(column: pa.Array) -> pa.BinaryArray:
    return _numerics(column.cast(pa.decimal128(20, 0)))


def _numerics(column: pa.Array) -> pa.BinaryArray:
    """Sign, scale and groups of four digits, without the groups of zeros at both ends."""
    scale = column.type.scale
    column = column.cast(pa.decimal128(38, scale))
    negative, groups = _groups(column, -scale % 4)
    behind = (scale + 3) // 4
    used = groups != 0
    first = np.argmax(used, axis=1)
    last = groups.shape[1] - np.argmax(used[:, ::-1], axis=1)
    any_used = used.any(axis=1)
    first, last = np.where(any_used, first, 0), np.where(any_used, last, 0)
    places = np.arange(groups.shape[1])
    kept = (places >= first[:, None]) & (places < last[:, None])
    head = np.empty((len(column), 4), ">i2")
    head[:, 0] = last - first
    head[:, 1] = np.where(any_used, groups.shape[1] - behind - 1 - first, 0)
    head[:, 2] = np.where(negative & any_used, 0x4000, 0)
    head[:, 3] = scale
    written = np.concatenate([head, groups.astype(np.int16)], axis=1).astype(">i2")
    data = written[np.concatenate([np.ones_like(head, bool), kept], axis=1)]
    offsets = np.concatenate([[0], np.cumsum(8 + 2 * (last - first))]).astype(np.int32)
    found = pa.Array.from_buffers(
        pa.binary(), len(column), [None, pa.py_buffer(offsets), pa.py_buffer(data.tobytes())]
    )  # fmt: skip
    return pc.if_else(column.is_valid(), found, pa.scalar(None, pa.binary())) if column.null_count else found


def _groups(column: pa.Array, digits: int) -> tuple[np.ndarray, np.ndarray]:
    """Which decimals are negative, and the groups of four digits of each absolute value, moved left by some digits."""
    words = np.frombuffer(column.buffers()[1], "<u8").reshape(-1, 2)[column.offset : column.offset + len(column)]
    low, high = words[:, 0].copy(), words[:, 1].copy()
    if column.null_count:
        nothing = ~column.is_valid().to_numpy(zero_copy_only=False)
        low[nothing], high[nothing] = 0, 0
    negative = high >> np.uint64(63) == 1
    low, high = np.where(negative, ~low + np.uint64(1), low), np.where(negative, ~high + (low == 0), high)
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    limbs = [low & mask, low >> shift, high & mask, high >> shift, np.zeros_like(low)]
    factor, carry = np.uint64(10**digits), np.zeros_like(low)
    for i, limb in enumerate(limbs):
        moved = limb * factor + carry
        limbs[i], carry = moved & mask, moved >> shift
    groups: list[np.ndarray] = []
    while any(limb.any() for limb in limbs) or not groups:
        rest = np.zeros_like(low)
        for i in reversed(range(len(limbs))):
            whole = (rest << shift) | limbs[i]
            limbs[i], rest = whole // np.uint64(10_000), whole % np.uint64(10_000)
        groups.append(rest)
    behind = (column.type.scale + 3) // 4
    groups += [np.zeros_like(low)] * (behind - len(groups))
    return negative, np.stack(groups[::-1], axis=1)


def _lists(column: pa.ListArray) -> pa.BinaryArray:
    """One dimension from 1, with its items as values with their lengths."""
    items = column.flatten()
    vector = is_vector(column.type)
    items = items.cast(pa.int16()) if vector else items
    item_type = type_of(items.type)
    fields = with_lengths(values(items))
    counts = pc.list_value_length(column).fill_null(0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    nulls = np.add.reduceat(
        np.append(items.is_null().to_numpy(zero_copy_only=False), False).astype(np.int32), offsets[:-1]
    ) * (counts > 0) if len(counts) else counts  # fmt: skip
    head = np.empty(
        len(column), [("dimensions", ">i4"), ("nulls", ">i4"), ("oid", ">u4"), ("size", ">i4"), ("from", ">i4")]
    )
    head["dimensions"], head["nulls"], head["oid"] = 1, nulls > 0, item_type.oid
    head["size"], head["from"] = counts, 0 if vector else 1
    heads = _fixed(column, head, head.dtype.descr)  # type: ignore[arg-type]
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), fields), pa.scalar(b"", pa.binary()))
    found = pc.binary_join_element_wise(heads, joined, pa.scalar(b"", pa.binary()))
    empty = pa.scalar(struct.pack("!iii", 0, 0, item_type.oid), pa.binary())
    return pc.if_else(pa.array(counts == 0), pc.if_else(column.is_valid(), empty, None), found)


def lengths(column: pa.BinaryArray) -> pa.BinaryArray:
    """The length of each value in four bytes, −1 where it is null."""
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    sizes = np.diff(offsets).astype(">i4")
    if column.null_count:
        sizes[column.is_null().to_numpy(zero_copy_only=False)] = -1
    places = np.arange(0, sizes.nbytes + 1, 4, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), len(sizes), [None, pa.py_buffer(places), pa.py_buffer(sizes)])


def with_lengths(column: pa.BinaryArray) -> pa.BinaryArray:
    """Each value behind its length; a null is its length alone."""
    return pc.binary_join_element_wise(lengths(column), column.fill_null(b""), pa.scalar(b"", pa.binary()))


_BY_ID: dict[int, Callable[[pa.Array], pa.BinaryArray]] = {
    pa.bool_().id: _booleans, pa.int8().id: _integers(">i2"), pa.int16().id: _integers(">i2"),
    pa.int32().id: _integers(">i4"), pa.int64().id: _integers(">i8"), pa.uint8().id: _integers(">i2"),
    pa.uint16().id: _integers(">i4"), pa.uint32().id: _integers(">u4"), pa.uint64().id: _uint64,
    pa.float32().id: _integers(">f4"), pa.float64().id: _integers(">f8"), pa.date32().id: _dates,
    pa.time64("us").id: _times, pa.month_day_nano_interval().id: _intervals,
    pa.binary().id: lambda column: column, pa.large_binary().id: lambda column: column.cast(pa.binary()),
}  # fmt: skip
