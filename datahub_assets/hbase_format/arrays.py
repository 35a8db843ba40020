"""Arrow arrays as plain bytes and back, without a Python object a row: the bricks of ``keys``, ``packed`` and frames.

A *matrix* here is a 2-D ``uint8`` array, one row a row, one column a byte. A *binary* is a ``pa.BinaryArray``, whose
offsets are 32-bit: no array may hold more than 2 GB, so tables are taken in blocks (``blocks``). What the bytes mean is
not here.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from datahub_assets.errors import DatahubError, DeliveryMalformed

MAX_BINARY = 2**31 - 1
"""Bytes that one Arrow binary array can hold."""
BLOCK_ROWS = 16_384
"""Rows encoded at once: enough to forget the cost of a call, few enough to stay in the processor's cache."""
BLOCK_BYTES = 1 << 29

Bytes = NDArray[np.uint8]
Matrix = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

_ISO_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9])
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, as days since 1970-01-01


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of ``schema`` out of ``table``, in its order and its types (``large_string`` becomes ``string``).

    Raises:
        DatahubError: a column is missing.
        DeliveryMalformed: a value does not fit the type.
    """
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise DatahubError("Rows lack columns", got=", ".join(table.column_names), expected=", ".join(schema.names))
    chosen = table.select(schema.names)
    if chosen.schema.types == schema.types:
        return chosen
    try:
        return chosen.cast(schema)
    except (pa.ArrowInvalid, ValueError) as problem:
        raise DeliveryMalformed("Rows do not fit their contract", got=str(problem)) from problem


def blocks(table: pa.Table, rows: int = BLOCK_ROWS, size: int = BLOCK_BYTES) -> Iterator[pa.Table]:
    """Slices of ``table`` in order, of at most ``rows`` rows and, above one row, ``size`` bytes.

    >>> [len(block) for block in blocks(pa.table({"a": [1, 2, 3]}), rows=2)]
    [2, 1]
    """
    for start in range(0, len(table), rows):
        part = table.slice(start, rows)
        if len(part) > 1 and part.nbytes > size:
            yield from blocks(part, (len(part) + 1) // 2, size)
        else:
            yield part


def single(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; it has to be small (a block's)."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def concat(parts: Sequence[pa.BinaryArray]) -> pa.BinaryArray:
    """The arrays one after the other, as one.

    Raises:
        DatahubError: together they hold more than one array can.
    """
    if len(parts) == 1:
        return parts[0]
    size = sum(part.nbytes for part in parts)
    if size > MAX_BINARY:
        raise DatahubError(
            "Encoded rows are too large for one array", got=f"{size} bytes", expected=f"at most {MAX_BINARY}",
            remedy="Encode in batches: hbase_format.rows.encode_batches",
        )  # fmt: skip
    return pa.concat_arrays(parts) if parts else pa.array([], pa.binary())


def binary(matrix: Matrix) -> pa.BinaryArray:
    """Each row of the matrix as one value; the bytes are shared, not copied.

    >>> binary(np.array([[1, 2], [3, 4]], np.uint8)).to_pylist()
    [b'\\x01\\x02', b'\\x03\\x04']
    """
    rows, width = matrix.shape
    offsets = np.arange(0, rows * width + 1, width, dtype=np.int32) if width else np.zeros(rows + 1, np.int32)
    return pa.BinaryArray.from_buffers(
        pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix))]
    )


def join(parts: Sequence[pa.BinaryArray | bytes]) -> pa.BinaryArray:
    """Row by row, the parts' bytes one after the other (bytes: the same in every row; null: nothing)."""
    scalars = [pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in parts]
    return pc.binary_join_element_wise(
        *scalars, pa.scalar(b"", pa.binary()), null_handling="replace", null_replacement=""
    )


def offsets_and_bytes(values: pa.BinaryArray) -> tuple[Numbers, Bytes]:
    """Where each value begins (and the last ends) and the bytes they are in; the bytes are shared, not copied."""
    _, offsets, data = values.buffers()
    if not len(values) or offsets is None:
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    starts = np.frombuffer(offsets, np.int32, len(values) + 1, values.offset * 4).astype(np.int64)
    return starts, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def cut(data: Bytes, edges: Numbers, column: int, nulls: Mask | None = None) -> pa.BinaryArray:
    """The bytes between ``edges[:, column]`` and ``edges[:, column + 1]`` of each row, as one value a row.

    Args:
        data: the bytes of all rows.
        edges: (rows, columns) places in ``data``; ascending along a row, and from a row's last to the next one's first.
        nulls: rows whose value is null.

    Cost: one C-speed copy; Arrow sees pieces and gaps as one array over ``data`` and takes every n-th.
    """
    return every(pieces(data, edges), edges.shape[1], column, nulls)


def every(found: pa.BinaryArray, width: int, column: int, nulls: Mask | None = None) -> pa.BinaryArray:
    """Every ``width``-th of the values, from ``column`` on; null in the rows of ``nulls``."""
    return found.take(pa.array(np.arange(column, len(found), width), mask=nulls))


def pieces(data: Bytes, edges: Numbers) -> pa.BinaryArray:
    """The bytes between all ``edges`` (as in ``cut``), row by row: piece ``column + row * width`` is what ``cut`` takes.

    To be made once where many columns are cut.
    """
    offsets = np.append(edges.ravel(), edges[-1, -1] if len(edges) else 0).astype(np.int32)
    return pa.BinaryArray.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def gather(data: Bytes, starts: Numbers, width: int) -> Matrix:
    """The ``width`` bytes of ``data`` from each of ``starts`` (ascending, not overlapping) on, as a matrix."""
    rows = len(starts)
    if not rows or not width:
        return np.zeros((rows, width), np.uint8)
    if starts[-1] - starts[0] == (rows - 1) * width and bool((np.diff(starts) == width).all()):
        return data[starts[0] : starts[0] + rows * width].reshape(rows, width)
    taken = cut(data, np.stack([starts, starts + width], axis=1), 0)
    return np.frombuffer(taken.buffers()[2], np.uint8, rows * width).reshape(rows, width)


def encode_dates(days: NDArray[np.int32]) -> Matrix:
    """Days since 1970-01-01 as ISO text of 10 bytes.

    Raises:
        DeliveryMalformed: a day before 0001-01-01 or after 9999-12-31.

    >>> encode_dates(np.array([0, 19753], np.int32)).tobytes()
    b'1970-01-012024-01-31'
    """
    if not len(days):
        return np.zeros((0, 10), np.uint8)
    first, last = int(days.min()), int(days.max())
    if first < _FIRST_DAY or last > _LAST_DAY:
        raise DeliveryMalformed(
            "Date cannot stand in a row key", got=f"day {first} to {last} of 1970", expected="years 0001 to 9999"
        )
    if last - first <= 4 * len(days) + 366:
        distinct, place = np.arange(first, last + 1), days.astype(np.int64) - first
    else:
        distinct, place = np.unique(days.astype(np.int64), return_inverse=True)
    text = np.datetime_as_string(distinct.astype("datetime64[D]")).astype("S10")
    iso: Matrix = text[place].view(np.uint8).reshape(len(days), 10)
    return iso


def decode_dates(iso: Matrix) -> tuple[NDArray[np.int32], Mask]:
    """Days since 1970-01-01 out of ISO text, and which rows are proper dates."""
    if len(iso) > 1 and bool((iso == iso[0]).all()):
        days, good = decode_dates(iso[:1])
        return np.repeat(days, len(iso)), np.repeat(good, len(iso))
    digits = iso[:, _ISO_DIGITS].astype(np.int64) - ord("0")
    year = digits[:, :4] @ np.array([1000, 100, 10, 1])
    month, day = digits[:, 4:6] @ np.array([10, 1]), digits[:, 6:] @ np.array([10, 1])
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    dates = months.astype("datetime64[D]") + (day - 1)
    good = ((digits >= 0) & (digits <= 9)).all(axis=1) & (iso[:, 4] == ord("-")) & (iso[:, 7] == ord("-"))
    good &= (month >= 1) & (month <= 12) & (day >= 1) & (dates.astype("datetime64[M]") == months)
    return dates.astype(np.int64).astype(np.int32), good
