"""Values that may be empty, as cells that never are: HBase's "put if absent" takes an empty cell for no cell.

A value of zero bytes only (also of none) gets one zero byte more; all others stay as they are. No packed row and no text of
JSON is changed by this. Specified in ``docs/formats/hbase-tables.md``.
"""

import numpy as np
import pyarrow as pa

from datahub_assets.hbase_format.arrays import Bytes, Mask, Numbers, cut, join, offsets_and_bytes


def cells_of(values: pa.BinaryArray) -> pa.BinaryArray:
    """The cells that hold the values.

    >>> cells_of(pa.array([b"", b"\\0", b"a", b"\\0a"], pa.binary())).to_pylist()
    [b'\\x00', b'\\x00\\x00', b'a', b'\\x00a']
    """
    zeros = _only_zeros(values)
    if not zeros.any():
        return values
    return join([values, pa.array([b"", b"\0"], pa.binary()).take(pa.array(zeros.astype(np.int8)))])


def values_of(cells: pa.BinaryArray) -> pa.BinaryArray:
    """The values that the cells hold.

    >>> values_of(cells_of(pa.array([b"", b"\\0", b"a", b"\\0a"], pa.binary()))).to_pylist()
    [b'', b'\\x00', b'a', b'\\x00a']
    """
    zeros = _only_zeros(cells)
    if not zeros.any():
        return cells
    offsets, data = offsets_and_bytes(cells)
    return cut(data, np.stack([offsets[:-1], offsets[1:] - zeros], axis=1), 0)


def _only_zeros(values: pa.BinaryArray) -> Mask:
    """Which values have no byte that is not zero."""
    offsets, data = offsets_and_bytes(values)
    starts, stops = offsets[:-1], offsets[1:]
    zeros: Mask = starts == stops
    first = np.flatnonzero(~zeros)
    first = first[data[starts[first]] == 0]  # next to none, so that the bytes as a whole are hardly ever looked at
    if len(first):
        zeros[first] = _others(data, offsets, first) == 0
    return zeros


def _others(data: Bytes, offsets: Numbers, rows: Numbers) -> Numbers:
    """How many bytes of each of these rows are not zero."""
    seen = np.zeros(offsets[-1] - offsets[0] + 1, np.int64)
    np.cumsum(data[offsets[0] : offsets[-1]] != 0, out=seen[1:])
    found: Numbers = seen[offsets[rows + 1] - offsets[0]] - seen[offsets[rows] - offsets[0]]
    return found
