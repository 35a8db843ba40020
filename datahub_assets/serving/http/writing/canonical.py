"""Arrow columns whose buffers hold their values and nothing else.

Under a null, behind the end, and in the bits that fill a byte up, buffers hold whatever memory held before (DuckDB 2.0,
pyarrow 26). An Arrow stream would send that: bytes of the server's that nobody asked for, and other bytes each time.
"""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def canonical(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same values; zero wherever a buffer has none. Equal batches have equal bytes."""
    return pa.RecordBatch.from_arrays([_column(column) for column in batch.columns], schema=batch.schema)


def _column(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_null(kind) or not len(column):
        return pa.nulls(len(column), kind)
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) or pa.types.is_interval(kind):
        return pa.array(column.to_pylist(), kind)  # few, and of statements only
    if pa.types.is_boolean(kind):
        values = pc.fill_null(column, False).to_numpy(zero_copy_only=False)
        return pa.Array.from_buffers(kind, len(column), [_validity(column), _bits(values)], column.null_count)
    if not column.null_count:
        return column
    filled = pc.fill_null(column, _zero(kind))
    buffers = _whole(filled).buffers()
    return pa.Array.from_buffers(kind, len(column), [_validity(column), *buffers[1:]], column.null_count)


def _whole(column: pa.Array) -> pa.Array:
    """The column with buffers that begin with its first value."""
    return pa.concat_arrays([column, column.slice(0, 0)]) if column.offset else column


def _validity(column: pa.Array) -> pa.Buffer | None:
    return _bits(column.is_valid().to_numpy(zero_copy_only=False)) if column.null_count else None


def _bits(values: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little").tobytes())


def _zero(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.scalar("", kind)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.scalar(b"", kind)
    if pa.types.is_decimal(kind):
        return pa.scalar(Decimal(0), kind)
    width = pa.int32() if pa.types.is_temporal(kind) and kind.bit_width == 32 else pa.int64()
    return pa.scalar(0, width).cast(kind)
