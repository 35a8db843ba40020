"""The salt: one byte before a row key that spreads neighbouring keys over the buckets of a hot table.

``salt = remainderUnsigned(mix(Arrays.hashCode(key columns)), buckets)``: Java's ``Arrays.hashCode(byte[])`` and the
finaliser of MurmurHash3: two lines of Java, and a few array operations here. Specified in ``docs/formats/row-key.md``.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datahub_assets.errors import DeclarationError
from datahub_assets.hbase_format.arrays import Matrix, offsets_and_bytes

MAX_BUCKETS = 256
_INVERSE_OF_31 = pow(31, -1, 2**32)

Words = NDArray[np.uint32]


def salt_bytes(key_columns: pa.BinaryArray, buckets: int) -> Matrix:
    """The salt of each row, as a matrix of one column.

    Args:
        key_columns: the encoded key columns, without partition, valid_from and T.
        buckets: 1 to 256, as declared for the table.

    Cost: four passes over the bytes: with prefix sums s of byte · 31**-place, the polynomial of a row is
    31**(end - 1) · (s(end) - s(start)) modulo 2**32, as 31 is odd and so has an inverse.

    >>> salt_bytes(pa.array([b"FR01", b"FR02", b"FR03"], pa.binary()), 8).ravel().tolist()
    [4, 5, 3]
    """
    if not 1 <= buckets <= MAX_BUCKETS:
        raise DeclarationError("Impossible number of salt buckets", got=str(buckets), expected=f"1 to {MAX_BUCKETS}")
    return (_mix(java_hashes(key_columns)) % np.uint32(buckets)).astype(np.uint8).reshape(-1, 1)


def java_hashes(values: pa.BinaryArray) -> Words:
    """``java.util.Arrays.hashCode(byte[])`` of each value, as unsigned 32-bit numbers.

    >>> java_hashes(pa.array([b"", b"a", b"ab"], pa.binary())).tolist()
    [1, 128, 4066]
    """
    offsets, data = offsets_and_bytes(values)
    starts, ends = offsets[:-1] - offsets[0], offsets[1:] - offsets[0]
    down, up = _powers(1 << int(ends[-1] if len(ends) else 0).bit_length())
    signed = data[offsets[0] : offsets[-1]].view(np.int8).astype(np.uint32)
    sums = np.zeros(len(signed) + 1, np.uint32)
    np.cumsum(signed * down[: len(signed)], dtype=np.uint32, out=sums[1:])
    polynomial: Words = up[ends] * (sums[ends] - sums[starts]) * np.uint32(_INVERSE_OF_31)
    polynomial += up[ends - starts]
    return polynomial


@lru_cache(maxsize=4)
def _powers(size: int) -> tuple[Words, Words]:
    """31**-i and 31**i modulo 2**32, for i below ``size``, and one more."""
    down, up = np.full(size + 1, _INVERSE_OF_31, np.uint32), np.full(size + 1, 31, np.uint32)
    down[0] = up[0] = 1
    return np.cumprod(down, dtype=np.uint32), np.cumprod(up, dtype=np.uint32)


def _mix(words: Words) -> Words:
    words = (words ^ (words >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    words = (words ^ (words >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return words ^ (words >> np.uint32(16))
