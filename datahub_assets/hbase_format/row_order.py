"""Rows in the order of their keys, and where regions begin among them. What is written as files has to be sorted first."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datahub_assets.hbase_format.arrays import blocks, single

KEY = "key"
_BLOCK_ROWS = 20_000
_BLOCK_BYTES = 256 << 20
_CELL_BYTES = 64
"""What a file has for each cell beside key and value, and more."""


def as_table(keys: pa.BinaryArray, columns: Mapping[bytes, pa.BinaryArray]) -> pa.Table:
    """Keys and columns as a table; the columns have their names in hexadecimal, for they need not be text."""
    return pa.table([keys, *columns.values()], names=[KEY, *(name.hex() for name in columns)])


def in_order(parts: Sequence[pa.Table]) -> pa.Table:
    """All rows of these tables (``as_table``) by their keys; of rows with the same key the last. A column may be in some only.

    Cost: nothing is copied where the rows are in order.

    >>> some = as_table(pa.array([b"b", b"a", b"b"], pa.binary()), {b"d:r": pa.array([b"1", b"2", b"3"], pa.binary())})
    >>> in_order([some]).to_pylist()
    [{'key': b'a', '643a72': b'2'}, {'key': b'b', '643a72': b'3'}]
    """
    table = pa.concat_tables(parts, promote_options="default")
    keys = single(table[KEY])
    if len(keys) < 2 or pc.all(pc.less(keys[:-1], keys[1:])).as_py():
        return table
    order = pc.sort_indices(keys)  # a stable sort: the last of equal keys stays the last
    ordered = keys.take(order)
    repeated = pc.equal(ordered[:-1], ordered[1:]).to_numpy(zero_copy_only=False)
    order = order.to_numpy()[np.append(~repeated, True)]
    return table.combine_chunks().take(pa.array(order))


def regions_of(table: pa.Table, starts: Sequence[bytes]) -> Iterator[pa.Table]:
    """The rows of each region that has any, in order.

    Args:
        table: in order.
        starts: first keys of all regions; the first of them is empty.
    """
    keys = table[KEY]
    edges = [bisect_left(range(len(keys)), start, key=lambda at: keys[at].as_py()) for start in sorted(starts)]
    for begin, end in zip(edges, [*edges[1:], len(keys)], strict=True):
        if end > begin:
            yield table.slice(begin, end - begin)


def families(table: pa.Table) -> Iterator[tuple[pa.BinaryArray, dict[bytes, dict[bytes, pa.BinaryArray]]]]:
    """The rows block by block: keys, and columns by family and qualifier. In files each cell has the key and more."""
    heads = table.num_columns * (table[KEY].nbytes // max(len(table), 1) + _CELL_BYTES)
    for block in blocks(table, max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // heads)), _BLOCK_BYTES):
        found: dict[bytes, dict[bytes, pa.BinaryArray]] = {}
        for name in block.column_names[1:]:
            family, _, qualifier = bytes.fromhex(name).partition(b":")
            found.setdefault(family, {})[qualifier] = single(block[name])
        yield single(block[KEY]), found
