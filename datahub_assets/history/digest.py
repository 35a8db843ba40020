"""Digests of content: two sets of rows are the same if their digests are, in whatever order and batches they came.

A digest is the number of rows and the sum, modulo 2**128, of the MD5 of each row's bytes. Which bytes is the caller's
choice (``hbase_format.rows.canonical_rows``); ``docs/formats/digest.md`` specifies it, and ``v1`` will not change.
MD5 is used because it is the same for ever and in every language; it guards against mistakes, not against forgers.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datahub_assets.errors import StoreCorrupt

_MODULUS = 1 << 128
_HALVES = """
    (md5_number(content) & 18446744073709551615::UHUGEINT)::UBIGINT AS head,
    (md5_number(content) >> 64)::UBIGINT AS tail
"""
"""DuckDB 2.0 reads an MD5 as a little-endian number: its lower half is our upper one, bytes reversed."""
_LOW_HALF = np.uint64(0xFFFFFFFF)

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Digest:
    """Count and sum of a multiset of rows; digests add and subtract as their multisets do.

    >>> whole, part = digest(pa.array([b"a", b"b"], pa.binary())), digest(pa.array([b"b"], pa.binary()))
    >>> str(whole - part)
    'v1:1:0cc175b9c0f1b6a831c399e269772661'
    >>> (whole - part) + part == whole
    True
    """

    count: int = 0
    total: int = 0

    def __add__(self, other: "Digest") -> "Digest":
        return Digest(self.count + other.count, (self.total + other.total) % _MODULUS)

    def __sub__(self, other: "Digest") -> "Digest":
        return Digest(self.count - other.count, (self.total - other.total) % _MODULUS)

    def __str__(self) -> str:
        return f"v1:{self.count}:{self.total:032x}"

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """The digest that ``str`` rendered.

        Raises:
            StoreCorrupt: it is none.
        """
        match = re.fullmatch(r"v1:(-?\d+):([0-9a-f]{32})", text)
        if match is None:
            raise StoreCorrupt("Digest cannot be read", got=repr(text), expected="v1:<count>:<32 hexadecimal digits>")
        return cls(int(match[1]), int(match[2], 16))


EMPTY = Digest()
"""The digest of no rows."""


def digest(rows: pa.BinaryArray | pa.ChunkedArray) -> Digest:
    """The digest of these rows.

    Args:
        rows: the bytes of each row, without nulls.

    Cost: about 0.3 µs a row of 100 bytes, on one core.
    """
    return digest_of_hashes(row_hashes(rows))


def digest_of_hashes(hashes: Hashes) -> Digest:
    """The digest of the rows that have these hashes (``row_hashes``)."""
    low, high = (_exact_sum(hashes[:, half]) for half in (1, 0))
    return Digest(len(hashes), (low + (high << 64)) % _MODULUS)


def row_hashes(rows: pa.BinaryArray | pa.ChunkedArray) -> Hashes:
    """The MD5 of each row as two numbers, in the order of ``rows``.

    Returns:
        (rows, 2) ``uint64``: the upper and the lower half of the MD5 read as a big-endian number of 16 bytes. The upper
        half alone serves where 64 bits are enough.

    >>> [f"{half:016x}" for half in row_hashes(pa.array([b"a"], pa.binary()))[0]]
    ['0cc175b9c0f1b6a8', '31c399e269772661']
    """
    table = pa.table({"content": rows})
    nulls = table["content"].null_count
    if nulls:
        raise StoreCorrupt("Rows without bytes cannot be hashed", got=f"{nulls} nulls", expected="none")
    if not len(table):
        return np.zeros((0, 2), np.uint64)
    with _engine().cursor() as cursor:
        found = cursor.from_arrow(table).project(_HALVES).to_arrow_table()
    hashes = np.empty((len(table), 2), np.uint64)
    hashes[:, 0] = found["head"].to_numpy().byteswap()
    hashes[:, 1] = found["tail"].to_numpy().byteswap()
    return hashes


def _exact_sum(numbers: NDArray[np.uint64]) -> int:
    """The sum without overflow, for fewer than 2**32 numbers."""
    return int((numbers & _LOW_HALF).sum()) + (int((numbers >> np.uint64(32)).sum()) << 32)


@cache
def _engine() -> Any:
    """An in-process DuckDB for MD5 over arrays: one thread, rows keep their order, nothing on disk."""
    import duckdb

    return duckdb.connect(":memory:", config={"threads": 1, "preserve_insertion_order": True, "temp_directory": ""})
