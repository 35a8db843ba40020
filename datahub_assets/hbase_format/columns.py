"""Values of one column as the fixed-width bytes of packed rows, and back. Text is not here, it has no fixed width."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from datahub_assets.schema.types import Kind, LogicalType

Values = NDArray[Any]
Mask = NDArray[np.bool_]

_NUMPY: dict[Kind, str] = {
    Kind.INT32: "i4", Kind.INT64: "i8", Kind.FLOAT64: "f8", Kind.DECIMAL: "u8", Kind.DATE: "i4", Kind.TIMESTAMP: "i8",
}  # fmt: skip
_PLAIN: dict[Kind, pa.DataType] = {Kind.DATE: pa.int32(), Kind.TIMESTAMP: pa.int64()}


def encode_column(kind: Kind, array: pa.Array, into: Values) -> None:
    """Each value stands in ``into``, one element a row; nulls are zeros, NaN and zero each have one form.

    >>> into = np.zeros(3, ">f8")
    >>> encode_column(Kind.FLOAT64, pa.array([-0.0, None, 1.5]), into)
    >>> into.tobytes().hex()
    '000000000000000000000000000000003ff8000000000000'
    """
    if kind is Kind.BOOLEAN:
        into[:] = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
        return
    plain = array.view(_PLAIN[kind]) if kind in _PLAIN else array
    if plain.null_count:
        plain = pc.fill_null(plain, pa.scalar(Decimal(0) if kind is Kind.DECIMAL else 0, plain.type))
    values = _numbers(kind, plain)
    if kind is Kind.DECIMAL:
        into[:, 0], into[:, 1] = values[1::2], values[0::2]
    elif kind is Kind.FLOAT64:
        with np.errstate(invalid="ignore"):  # signalling NaNs are as good as others
            values = values + 0.0  # -0.0 + 0.0 is +0.0
        values[np.isnan(values)] = np.nan  # one NaN: 0x7ff8000000000000
        into[:] = values
    else:
        into[:] = values


def decode_column(type_: LogicalType, values: Values, nulls: Mask | None) -> pa.Array:
    """The values of one column of the fixed part, as Arrow; ``nulls`` marks the rows that are null.

    >>> decode_column(LogicalType(Kind.INT32), np.array([7, 0], ">i4"), np.array([False, True])).to_pylist()
    [7, None]
    """
    validity = None if nulls is None else pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    missing = 0 if nulls is None else int(nulls.sum())
    if type_.kind is Kind.BOOLEAN:
        native: Values = np.packbits(values != 0, bitorder="little")
    elif type_.kind is Kind.DECIMAL:
        native = np.empty((len(values), 2), np.uint64)
        native[:, 0], native[:, 1] = values[:, 1], values[:, 0]
    else:
        native = values.astype(_NUMPY[type_.kind])
    return pa.Array.from_buffers(type_.arrow, len(values), [validity, pa.py_buffer(native)], missing)


def _numbers(kind: Kind, array: pa.Array) -> Values:
    """The numbers of an array without nulls, shared (a decimal is two of them: lower half first)."""
    dtype = np.dtype(_NUMPY[kind])
    each = 2 if kind is Kind.DECIMAL else 1
    if not len(array):
        return np.zeros(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array) * each, array.offset * dtype.itemsize * each)
