"""The packed layout: the values of a row in the one cell it has. Specified in ``docs/formats/packed.md``.

A value is a fixed part (header, null bitmap, numbers, lengths of texts), as wide in every row of a contract, then the
bytes of the texts. The fixed part of a block of rows is one numpy structured array (``layout``), so that rows are
encoded and decoded by column. Keys are in ``keys``, rows from key and value in ``rows``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.arrays import (
    BLOCK_ROWS,
    Bytes,
    Mask,
    Matrix,
    Numbers,
    binary,
    blocks,
    concat,
    conform,
    every,
    gather,
    join,
    offsets_and_bytes,
    pieces,
    single,
)  # fmt: skip
from datahub_assets.hbase_format.columns import decode_column, encode_column
from datahub_assets.hbase_format.header import (
    FORMAT_VERSION,
    HEADER_BYTES,
    Headers,
    by_version,
    read_provenance,
    write_headers,
)
from datahub_assets.hbase_format.layout import Layout
from datahub_assets.schema.contract import DELIVERY, LINE, WITHDRAWN, Column, Contract

CACHED_BYTES = 1 << 22
"""Size of the fixed part of a block: columns are written across its rows, which is slow out of the processor's cache."""
MIN_ROWS = 1_024
DECODE_ROWS = 65_536


def encode_rows(contract: Contract, table: pa.Table) -> pa.BinaryArray:
    """The packed value of each row, in the order of ``table``.

    Args:
        contract: the contract the rows were validated with; its version goes into every value.
        table: ``contract.stored_schema`` (key columns may be absent).

    Raises:
        DatahubError: a column is missing, or more than 2 GB of values (then: ``rows.encode_batches``).
        DeliveryMalformed: a value does not fit its type.

    Source: ``docs/formats/packed.md``. Cost: about 0.1 to 0.2 µs a row of 12 columns.

    >>> from datahub_assets.schema.contract import Shape
    >>> from datahub_assets.schema.types import Kind, LogicalType
    >>> columns = (Column(1, "isin", LogicalType(Kind.TEXT)), Column(2, "lots", LogicalType(Kind.INT32)))
    >>> contract = Contract("demo/lots", 3, Shape.SNAPSHOT, columns, ("isin",))
    >>> rows = pa.table({"lots": pa.array([-2], pa.int32()), "_delivery": [0], "_line": [17]})
    >>> encode_rows(contract, rows)[0].as_py().hex(" ", -4)
    '01000003 00000000 00000011 00ffffff fe'
    """
    return _encode(contract, table, header=True)


def encode_bodies(contract: Contract, table: pa.Table) -> pa.BinaryArray:
    """The packed values without their header: what a row says, without where it came from. For digests."""
    return _encode(contract, table, header=False)


def decode_rows(
    contracts: Mapping[int, Contract],
    target: Contract,
    values: pa.BinaryArray | pa.ChunkedArray,
    columns: Sequence[str] | None = None,
    keys: pa.BinaryArray | None = None,
) -> pa.Table:
    """The value columns of ``target`` and the provenance, out of rows written under any of ``contracts``.

    Columns are found by id: one that was added later is null in older rows, one that was widened is cast, one that was
    dropped is gone, one that was renamed has its new name.

    Args:
        contracts: by version, every contract that may have written a row.
        target: names, order and types wanted.
        values: packed values, in any mixture of contract versions; the order is kept.
        columns: only these value columns (None: all); provenance always comes with them.
        keys: the rows' keys, for the text of errors.

    Returns:
        Value columns in the contract's order, ``_delivery`` and ``_line`` (uint32), where bitemporal ``_withdrawn``.

    Raises:
        StoreCorrupt: bytes that ``encode_rows`` cannot have written, or a version that is not in ``contracts``.

    Source: ``docs/formats/packed.md``. Cost: about 0.1 to 0.2 µs a row of 12 columns.
    """
    wanted = [column for column in target.value_columns if columns is None or column.name in columns]
    schema = pa.schema([
        *(pa.field(column.name, column.type.arrow, nullable=column.nullable) for column in wanted),
        *(field for field in target.stored_schema if field.name in {DELIVERY, LINE, WITHDRAWN}),
    ])  # fmt: skip
    chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    tables, before = [], 0
    for chunk in chunks:
        rows = max(MIN_ROWS, min(DECODE_ROWS, CACHED_BYTES * len(chunk) // max(chunk.nbytes, 1)))
        for start in range(0, len(chunk), rows):
            part = chunk.slice(start, rows)
            reader = _Reader(contracts, target, wanted, schema, before + start, keys)
            tables.append(reader.table(part))
        before += len(chunk)
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _encode(contract: Contract, table: pa.Table, *, header: bool) -> pa.BinaryArray:
    layout = Layout.of(contract)
    fields = [
        field
        for field in contract.stored_schema
        if field.name in layout.names or (header and field.name in {DELIVERY, LINE, WITHDRAWN})
    ]
    if not fields:  # Arrow's tables without columns forget how many rows they have
        return binary(np.zeros((len(table), 0), np.uint8))
    rows = conform(table, pa.schema(fields))
    fitting = max(MIN_ROWS, min(BLOCK_ROWS, CACHED_BYTES // layout.dtype.itemsize))
    return concat([_encode_block(layout, block, header=header) for block in blocks(rows, fitting)])


def _encode_block(layout: Layout, block: pa.Table, *, header: bool) -> pa.BinaryArray:
    fixed = np.zeros(len(block), layout.dtype)
    if header:
        write_headers(fixed, layout.version, block)
    texts = []
    for place, column in enumerate(layout.columns):
        array = single(block[column.name])
        if array.null_count:
            fixed["nulls"][:, place >> 3] |= array.is_null().to_numpy(zero_copy_only=False).astype(
                np.uint8
            ) << np.uint8(place & 7)
        if column.id in layout.texts:
            offsets, _ = offsets_and_bytes(array)
            lengths = np.diff(offsets)
            if array.null_count:
                lengths[array.is_null().to_numpy(zero_copy_only=False)] = 0
            fixed["lengths"][:, layout.texts[column.id]] = lengths
            texts.append(array.cast(pa.binary()))
        else:
            encode_column(column.type.kind, array, fixed[layout.field(column)])
    matrix: Matrix = fixed.view(np.uint8).reshape(len(block), layout.dtype.itemsize)
    head = binary(matrix if header else matrix[:, HEADER_BYTES:])
    return join([head, *texts]) if texts else head


@dataclass(frozen=True)
class _Reader:
    """Decodes one block of values; knows where the block stands, for errors."""

    contracts: Mapping[int, Contract]
    target: Contract
    wanted: Sequence[Column]
    schema: pa.Schema
    first: int
    keys: pa.BinaryArray | None

    def table(self, values: pa.BinaryArray) -> pa.Table:
        offsets, data = offsets_and_bytes(values)
        starts, ends = offsets[:-1], offsets[1:]
        self._require(ends - starts >= HEADER_BYTES, ends - starts, "at least 12")
        if values.null_count:
            raise StoreCorrupt("Row without a value", where=self.target.dataset)
        self._require(
            data[starts] == FORMAT_VERSION, data[starts], f"format version {FORMAT_VERSION}", "format version "
        )
        versions = data[starts + 2].astype(np.int64) << 8 | data[starts + 3]

        def group(version: int, rows: Numbers) -> pa.Table:
            if len(rows) == len(starts):
                return self._group(version, data, starts, ends, rows)
            places, taken = offsets_and_bytes(values.take(pa.array(rows)))
            return self._group(version, taken, places[:-1], places[1:], rows)

        return by_version(versions, group)

    def _group(self, version: int, data: Bytes, starts: Numbers, ends: Numbers, rows: Numbers) -> pa.Table:
        """Rows of one contract version; ``rows`` are their places in the block."""
        if version not in self.contracts:
            known = ", ".join(str(number) for number in sorted(self.contracts))
            raise self._corrupt(int(rows[0]), f"contract version {version}", f"one of {known}")
        layout = Layout.of(self.contracts[version])
        width, sizes = layout.dtype.itemsize, ends - starts
        self._require(sizes >= width, sizes, f"at least {width}", rows=rows)
        fixed = np.frombuffer(gather(data, starts, width), layout.dtype)
        edges = np.empty((len(starts), len(layout.texts) + 1), np.int64)
        edges[:, 0] = starts + width
        if layout.texts:
            np.cumsum(fixed["lengths"], axis=1, dtype=np.int64, out=edges[:, 1:])
            edges[:, 1:] += edges[:, :1]
        self._require(edges[:, -1] == ends, sizes, edges[:, -1] - starts, rows=rows)
        texts = pieces(data, edges)
        columns = [self._column(layout, column, fixed, texts) for column in self.wanted]
        return pa.table([*columns, *read_provenance(fixed, self.target.shape)], schema=self.schema)

    def _column(self, layout: Layout, column: Column, fixed: Headers, texts: pa.BinaryArray) -> pa.Array:
        written, place = layout.find(column.id)
        if written is None:
            return pa.nulls(len(fixed), column.type.arrow)
        nulls = (fixed["nulls"][:, place >> 3] >> np.uint8(place & 7) & 1).astype(bool)
        mask = nulls if nulls.any() else None
        if written.id in layout.texts:
            return self._text(every(texts, len(layout.texts) + 1, layout.texts[written.id], mask), column.name)
        array = decode_column(written.type, fixed[layout.field(written)], mask)
        return array if array.type == column.type.arrow else array.cast(column.type.arrow)

    def _text(self, values: pa.BinaryArray, name: str) -> pa.StringArray:
        try:
            return values.cast(pa.string())
        except pa.ArrowInvalid as problem:
            where = f"{self.target.dataset}.{name}, in the rows from {self.first} of the batch on"
            raise StoreCorrupt("Packed row holds text that is not UTF-8", where=where, got=str(problem)) from problem

    def _require(
        self, good: Mask, got: Numbers | Matrix, expected: str | Numbers,
        got_prefix: str = "", rows: Numbers | None = None,
    ) -> None:  # fmt: skip
        if good.all():
            return
        at = int(np.argmin(good))
        wanted = expected if isinstance(expected, str) else f"{expected[at]}"
        unit = "" if got_prefix else " bytes"
        raise self._corrupt(at if rows is None else int(rows[at]), f"{got_prefix}{got[at]}{unit}", f"{wanted}{unit}")

    def _corrupt(self, row: int, got: str, expected: str) -> StoreCorrupt:
        at = self.first + row
        key = f", key 0x{self.keys[at].as_py().hex()}" if self.keys is not None else ""
        return StoreCorrupt(
            "Packed row decode failed",
            where=f"{self.target.dataset}, row {at} of the batch{key}",
            got=got,
            expected=expected,
            remedy=f"Read it with the contract version that wrote it: datahub tables history {self.target.dataset}",
        )  # fmt: skip
