"""Values of one column as the cells that HBase's Java class ``Bytes`` writes and reads, and back. A null is no cell.

Which cells a row has is in ``cells``; the bytes are specified in ``docs/formats/cells.md``.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.arrays import Bytes, Mask, Matrix, Numbers, binary, cut, offsets_and_bytes
from datahub_assets.hbase_format.columns import Values, decode_column, encode_column
from datahub_assets.schema.types import Kind, LogicalType

WIDTHS: dict[Kind, int] = {
    Kind.INT32: 4, Kind.INT64: 8, Kind.FLOAT64: 8, Kind.BOOLEAN: 1, Kind.DATE: 8, Kind.TIMESTAMP: 8,
}  # fmt: skip
"""Bytes of a cell, for every kind but text and decimal."""
SCALE_BYTES, MAX_DECIMAL_BYTES = 4, 20
_DAY_MS = 86_400_000
_DATE_RANGE, _TIME_RANGE = 2**31, (2**63 - 1000) // 1000

Refuse = Callable[[int, str, str], StoreCorrupt]
"""Makes the error of a cell that cannot have been written: its row among the cells, what was got, what was expected."""


def encode_values(type_: LogicalType, array: pa.Array) -> pa.BinaryArray:
    """The cell of each value.

    >>> encode_values(LogicalType(Kind.INT32), pa.array([1, None, -2], pa.int32())).to_pylist()
    [b'\\x00\\x00\\x00\\x01', None, b'\\xff\\xff\\xff\\xfe']
    >>> from decimal import Decimal
    >>> encode_values(LogicalType.parse("decimal(9,2)"), pa.array([Decimal("-1.28")], pa.decimal128(9, 2))).to_pylist()
    [b'\\x00\\x00\\x00\\x02\\x80']
    """
    if type_.kind is Kind.TEXT:
        return array.cast(pa.binary())
    nulls = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if type_.kind is Kind.DECIMAL:
        return _decimals(type_.scale, _plain(type_.kind, array, "u8", (2,)), nulls)
    if type_.kind is Kind.BOOLEAN:
        values = _plain(type_.kind, array, "u1") * np.uint8(0xFF)
    elif type_.kind is Kind.DATE:
        values = (_plain(type_.kind, array, "i8") * _DAY_MS).astype(">i8")
    elif type_.kind is Kind.TIMESTAMP:
        values = (_plain(type_.kind, array, "i8") // 1000).astype(">i8")
    else:
        values = _plain(type_.kind, array, f">{'f' if type_.kind is Kind.FLOAT64 else 'i'}{WIDTHS[type_.kind]}")
    return _fixed(values.view(np.uint8).reshape(len(array), WIDTHS[type_.kind]), nulls)


def encode_microseconds(array: pa.Array) -> pa.BinaryArray | None:
    """What milliseconds leave of timestamps, 1 to 999 µs, as 2 bytes; null where they leave nothing; None: nowhere any."""
    left = (_plain(Kind.TIMESTAMP, array, "i8") % 1000).astype(">i2")
    if not left.any():
        return None
    return _fixed(left.view(np.uint8).reshape(len(array), 2), left == 0)


def decode_values(
    type_: LogicalType, cells: pa.BinaryArray, refuse: Refuse, microseconds: pa.BinaryArray | None = None
) -> pa.Array:
    """The values of cells, with ``type_.arrow``.

    Args:
        type_: of the column, in the contract version that wrote them.
        cells: one a row; null: no cell, hence null.
        refuse: makes the error.
        microseconds: of timestamps, the cells of ``encode_microseconds``.

    Raises:
        StoreCorrupt: bytes that ``encode_values`` cannot have written.
    """
    if type_.kind is Kind.TEXT:
        return _texts(cells, refuse)
    nulls = cells.is_null().to_numpy(zero_copy_only=False) if cells.null_count else None
    if type_.kind is Kind.DECIMAL:
        return decode_column(type_, _read_decimals(type_, cells, nulls, refuse), nulls)
    matrix = _read_fixed(type_.kind.value, cells, WIDTHS[type_.kind], nulls, refuse)
    if type_.kind is Kind.BOOLEAN:
        return decode_column(type_, matrix[:, 0], nulls)
    if type_.kind is Kind.FLOAT64:
        return decode_column(type_, matrix.view(">f8").reshape(-1), nulls)
    numbers: Numbers = matrix.view(f">i{WIDTHS[type_.kind]}").reshape(-1).astype(np.int64)
    if type_.kind is Kind.DATE:
        numbers = _days(numbers, refuse)
    elif type_.kind is Kind.TIMESTAMP:
        numbers = _instants(numbers, microseconds, refuse)
    return decode_column(type_, numbers, nulls)


def _plain(kind: Kind, array: pa.Array, dtype: str, each: tuple[int, ...] = ()) -> Values:
    """The values as numbers; nulls are zeros."""
    into = np.zeros((len(array), *each), dtype)
    encode_column(kind, array, into)
    return into


def _fixed(matrix: Matrix, nulls: Mask | None) -> pa.BinaryArray:
    """Each row as a cell, none where null; nothing lies under a null."""
    if nulls is None:
        return binary(matrix)
    offsets = np.zeros(len(matrix) + 1, np.int32)
    np.cumsum(~nulls * np.int32(matrix.shape[1]), dtype=np.int32, out=offsets[1:])
    validity = np.packbits(~nulls, bitorder="little")
    buffers = [pa.py_buffer(validity), pa.py_buffer(offsets), pa.py_buffer(matrix[~nulls])]
    return pa.BinaryArray.from_buffers(pa.binary(), len(matrix), buffers, int(nulls.sum()))


def _decimals(scale: int, halves: Values, nulls: Mask | None) -> pa.BinaryArray:
    """Scale, then the unscaled value in as few bytes as hold it and its sign (``BigInteger.toByteArray``)."""
    high, low = halves[:, 0], halves[:, 1]
    lengths = _lengths(high, low)
    left_out = ((16 - lengths) << 3).astype(np.uint64)  # bits; shifts of 64 and more give 0 in numpy
    cells = np.empty(len(halves), [("scale", ">u4"), ("high", ">u8"), ("low", ">u8")])
    cells["scale"] = scale
    cells["high"] = high << left_out | low >> (np.uint64(64) - left_out) | low << (left_out - np.uint64(64))
    cells["low"] = low << left_out
    starts = np.arange(len(halves)) * MAX_DECIMAL_BYTES
    ends = starts + SCALE_BYTES + lengths
    if nulls is not None:
        ends[nulls] = starts[nulls]
    return cut(cells.view(np.uint8), np.stack([starts, ends], axis=1), 0, nulls)


def _lengths(high: Values, low: Values) -> Numbers:
    """Bytes that hold each number of 128 bits, with its sign."""
    top = high.view(np.int64)
    short = top == low.view(np.int64) >> 63
    number = np.where(short, low.view(np.int64), top)
    magnitude = number ^ (number >> 63)
    lengths = np.where(short, np.int64(1), np.int64(9))
    largest = int(magnitude.max(initial=0))
    for bits in range(7, 63, 8):
        if largest >> bits:
            lengths += magnitude >= 1 << bits
    return lengths


def _read_fixed(kind: str, cells: pa.BinaryArray, width: int, nulls: Mask | None, refuse: Refuse) -> Matrix:
    """The bytes of cells, a row each; nulls are zeros."""
    offsets, data = offsets_and_bytes(cells.drop_null() if nulls is not None else cells)
    sizes = np.diff(offsets)
    if not (sizes == width).all():
        at = int(np.argmin(sizes == width))
        raise refuse(_place(at, nulls), f"{sizes[at]} bytes", f"{width} ({kind})")
    there: Matrix = data[offsets[0] : offsets[-1]].reshape(-1, width)
    if nulls is None:
        return np.ascontiguousarray(there)
    matrix = np.zeros((len(cells), width), np.uint8)
    matrix[~nulls] = there
    return matrix


def _read_decimals(type_: LogicalType, cells: pa.BinaryArray, nulls: Mask | None, refuse: Refuse) -> Values:
    offsets, data = offsets_and_bytes(cells.drop_null() if nulls is not None else cells)
    sizes = np.diff(offsets)
    good = (sizes > SCALE_BYTES) & (sizes <= MAX_DECIMAL_BYTES)
    if not good.all():
        at = int(np.argmin(good))
        raise refuse(_place(at, nulls), f"{sizes[at]} bytes", f"5 to {MAX_DECIMAL_BYTES} ({type_})")
    # 16 bytes in front, so that the last 16 bytes of a short number begin somewhere
    padded = np.concatenate([np.zeros(16, np.uint8), data[offsets[0] : offsets[-1]]])
    ends = offsets[1:] - offsets[0] + 16
    scales = _windows(padded, ends - sizes, ">u4")
    if not (scales == type_.scale).all():
        at = int(np.argmin(scales == type_.scale))
        raise refuse(_place(at, nulls), f"scale {scales[at]}", f"scale {type_.scale} ({type_})")
    bits = ((sizes - SCALE_BYTES) << 3).astype(np.int64)
    halves = np.empty((len(sizes), 2), np.int64)
    short = bits <= 64
    last = _windows(padded, ends - 8, ">i8").astype(np.int64)
    signed = last << np.where(short, 64 - bits, 0) >> np.where(short, 64 - bits, 0)
    halves[:, 1] = signed
    halves[:, 0] = signed >> 63
    if not short.all():
        long = np.flatnonzero(~short)
        first = _windows(padded, ends[long] - 16, ">i8").astype(np.int64)
        halves[long, 0] = first << (128 - bits[long]) >> (128 - bits[long])
    if nulls is None:
        return halves.view(np.uint64)
    filled = np.zeros((len(cells), 2), np.uint64)
    filled[~nulls] = halves.view(np.uint64)
    return filled


def _windows(data: Bytes, starts: Numbers, dtype: str) -> Values:
    """The number that begins at each of the places."""
    width = np.dtype(dtype).itemsize
    every: NDArray[np.int64] = np.ndarray((max(len(data) - width + 1, 0),), dtype, data, strides=(1,))
    return every[starts]


def _days(milliseconds: Numbers, refuse: Refuse) -> Numbers:
    days = milliseconds // _DAY_MS
    good = (days * _DAY_MS == milliseconds) & (days >= -_DATE_RANGE) & (days < _DATE_RANGE)
    if not good.all():
        at = int(np.argmin(good))
        raise refuse(at, f"{milliseconds[at]} ms", "midnight of a day, UTC (date)")
    return days


def _instants(milliseconds: Numbers, left: pa.BinaryArray | None, refuse: Refuse) -> Numbers:
    good = (milliseconds >= -_TIME_RANGE - 2) & (milliseconds <= _TIME_RANGE)
    if not good.all():
        at = int(np.argmin(good))
        raise refuse(at, f"{milliseconds[at]} ms", "milliseconds since 1970 that microseconds can count (timestamp)")
    if left is None or left.null_count == len(left):
        return milliseconds * 1000
    nulls = left.is_null().to_numpy(zero_copy_only=False)
    matrix = _read_fixed("microseconds", left, 2, nulls, refuse)
    microseconds = matrix.view(">i2").reshape(-1).astype(np.int64)
    inside = (microseconds >= 0) & (microseconds < 1000)
    if not inside.all():
        at = int(np.argmin(inside))
        raise refuse(at, f"{microseconds[at]} µs", "1 to 999 (microseconds)")
    return milliseconds * 1000 + microseconds


def _texts(cells: pa.BinaryArray, refuse: Refuse) -> pa.StringArray:
    try:
        return cells.cast(pa.string())
    except pa.ArrowInvalid as problem:
        at = next(place for place, cell in enumerate(cells.to_pylist()) if cell is not None and not _is_text(cell))
        raise refuse(at, "bytes that are not UTF-8", "text") from problem


def _is_text(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


def _place(at: int, nulls: Mask | None) -> int:
    """The row of the ``at``-th cell that is there."""
    return at if nulls is None else int(np.flatnonzero(~nulls)[at])
