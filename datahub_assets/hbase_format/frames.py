"""Requests of HBase's Thrift 1 interface that carry many rows, built column-wise: bytes only, nothing is sent here.

A frame is one whole ``mutateRows`` message: what generated code writes for a list of ``BatchMutation``, without a Python
object a row or a cell. The bytes of a row are a fixed pattern around its key and its cells, so that one join of Arrow
arrays makes the rows of a whole block, which is then cut into frames at row boundaries.

Source: Hbase.thrift of HBase 2.6 (``mutateRows``, ``BatchMutation``, ``Mutation``); ``thrift`` has the encodings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datahub_assets.hbase_format.arrays import blocks, join, offsets_and_bytes, single
from datahub_assets.hbase_format.thrift import STOP, Encoding, Kind

METHOD = "mutateRows"
FRAME_ROWS = 5_000
"""Rows of a frame at most: more gain nothing, and a gateway keeps objects for all of a frame's cells at once."""
_BLOCK_ROWS = 20_000
_BLOCK_BYTES = 256 << 20


@dataclass(frozen=True)
class Frame:
    """One message, and how many rows it carries."""

    message: bytes
    rows: int


def put_frames(
    encoding: Encoding, table: bytes, keys: pa.BinaryArray, columns: Mapping[bytes, pa.BinaryArray], frame_bytes: int
) -> Iterator[Frame]:
    """Messages that put the cells of all rows, in the order of the rows; a null is no cell.

    Args:
        encoding: of the gateway's protocol.
        table: the table's full name.
        keys: row keys, without nulls.
        columns: by full name, ``family:qualifier``; each as long as ``keys``. A row has one cell at least.
        frame_bytes: what a frame has at most, unless a single row needs more.

    Cost: 1.5 million packed rows a second on one core.
    """
    names = list(columns)
    whole = pa.table([keys, *columns.values()], names=["", *(str(place) for place in range(len(names)))])
    for block in blocks(whole, _BLOCK_ROWS, _BLOCK_BYTES):
        block_keys, *cells = (single(column) for column in block.columns)
        counts = _counts(encoding, len(block), cells)
        puts = [part for name, values in zip(names, cells, strict=True) for part in _put(encoding, name, values)]
        yield from _frames(encoding, table, block_keys, [counts, *puts], frame_bytes)


def delete_frames(
    encoding: Encoding, table: bytes, keys: pa.BinaryArray, families: Sequence[bytes], frame_bytes: int
) -> Iterator[Frame]:
    """Messages that delete all cells that the rows have in these families."""
    mutations = b"".join(
        encoding.true(1) + encoding.field(Kind.TEXT, 2, after=1) + encoding.size(len(family)) + family + STOP
        for family in families
    )
    yield from _frames(encoding, table, keys, [encoding.structs(len(families)) + mutations], frame_bytes)


def _put(encoding: Encoding, name: bytes, values: pa.BinaryArray) -> list[pa.BinaryArray | bytes]:
    """A ``Mutation`` for each value; none for a null."""
    head = encoding.field(Kind.TEXT, 2) + encoding.size(len(name)) + name + encoding.field(Kind.TEXT, 3, after=2)
    parts = [*_sized(encoding, head, values), STOP]
    if not values.null_count:
        return parts
    scalars = [pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in parts]
    return [pc.binary_join_element_wise(*scalars, pa.scalar(b"", pa.binary()), null_handling="emit_null")]


def _sized(encoding: Encoding, head: bytes, values: pa.BinaryArray) -> list[pa.BinaryArray | bytes]:
    """Head, length and bytes of each value; the length is written once where all are as long."""
    lengths = np.diff(offsets_and_bytes(values)[0])
    if len(lengths) and lengths.min() == lengths.max():
        return [head + encoding.size(int(lengths[0])), values]
    return [head, encoding.sizes(lengths), values]


def _counts(encoding: Encoding, rows: int, cells: Sequence[pa.BinaryArray]) -> pa.BinaryArray | bytes:
    """The head of each row's list of mutations: as many as it has cells."""
    if not any(values.null_count for values in cells):
        return encoding.structs(len(cells))
    counts = np.zeros(rows, np.int64)
    for values in cells:
        counts += values.is_valid().to_numpy(zero_copy_only=False)
    return encoding.lists_of_structs(counts)


def _frames(
    encoding: Encoding,
    table: bytes,
    keys: pa.BinaryArray,
    mutations: Sequence[pa.BinaryArray | bytes],
    frame_bytes: int,
) -> Iterator[Frame]:
    """A ``BatchMutation`` a row, cut into messages."""
    if not len(keys):
        return
    row_head, list_head = encoding.field(Kind.TEXT, 1), encoding.field(Kind.LIST, 2, after=1)
    bodies = join([*_sized(encoding, row_head, keys), list_head, *mutations, STOP])
    offsets, data = offsets_and_bytes(bodies)
    arguments = encoding.field(Kind.TEXT, 1) + encoding.size(len(table)) + table + list_head
    head, body = encoding.message(METHOD) + arguments, data.data
    start = 0
    while start < len(keys):
        fitting = int(np.searchsorted(offsets, offsets[start] + frame_bytes - len(head), side="right")) - 1
        stop = min(max(fitting, start + 1), start + FRAME_ROWS, len(keys))
        rows = body[offsets[start] : offsets[stop]]
        yield Frame(b"".join((head, encoding.structs(stop - start), rows, STOP)), stop - start)
        start = stop
