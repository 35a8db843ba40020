"""The cells layout: one cell a column, in the bytes that HBase's own tools read. Specified in ``docs/formats/cells.md``.

A column's cell stands in family ``d`` under the name that the column has in the contract version that wrote the row; the
header of the row, which says that version, is a cell of its own. How values become bytes is in ``cell_values``, rows
from key and cells are in ``rows``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.arrays import Numbers, binary, blocks, concat, conform, offsets_and_bytes, single
from datahub_assets.hbase_format.cell_values import decode_values, encode_microseconds, encode_values
from datahub_assets.hbase_format.header import (
    FIELDS,
    FORMAT_VERSION,
    HEADER_BYTES,
    Headers,
    by_version,
    read_provenance,
    write_headers,
)
from datahub_assets.schema.contract import DELIVERY, LINE, WITHDRAWN, Column, Contract
from datahub_assets.schema.types import Kind

PROVENANCE = b"m:s"
"""The cell that every row has: its header."""
BLOCK_ROWS = 65_536

Cells = Mapping[bytes, pa.BinaryArray]
"""Columns by full name, ``family:qualifier``; null: the row has no such cell."""


def column_name(column: Column) -> bytes:
    """The full name of a column's cells.

    >>> from datahub_assets.schema.types import LogicalType
    >>> traded = Column(3, "traded_at", LogicalType(Kind.TIMESTAMP))
    >>> column_name(traded), microseconds_name(traded)
    (b'd:traded_at', b'm:traded_at.us')
    """
    return b"d:" + column.name.encode()


def microseconds_name(column: Column) -> bytes:
    """The full name of the cells with the microseconds that milliseconds leave of a timestamp. No column is named so."""
    return b"m:" + column.name.encode() + b".us"


def encode_cells(contract: Contract, table: pa.Table, *, key_cells: bool = False) -> dict[bytes, pa.BinaryArray]:
    """The cells of the rows, in the order of ``table``; columns in the order of their names' bytes.

    Args:
        contract: the contract the rows were validated with; its version goes into every row.
        table: ``contract.stored_schema`` (without ``key_cells`` key columns may be absent).
        key_cells: columns of the row key have cells too, for other readers; ours take them from the key.

    Raises:
        DatahubError: a column is missing, or more than 2 GB of one column (then: ``rows.encode_cell_batches``).
        DeliveryMalformed: a value does not fit its type.

    Source: ``docs/formats/cells.md``. Cost: about 0.3 µs a row of 12 columns, decimals most of it.

    >>> from datahub_assets.schema.contract import Shape
    >>> from datahub_assets.schema.types import LogicalType
    >>> columns = (Column(1, "isin", LogicalType(Kind.TEXT)), Column(2, "lots", LogicalType(Kind.INT32)))
    >>> contract = Contract("demo/lots", 3, Shape.SNAPSHOT, columns, ("isin",))
    >>> rows = pa.table({"lots": pa.array([-2], pa.int32()), "_delivery": [0], "_line": [17]})
    >>> {name: cells[0].as_py().hex() for name, cells in encode_cells(contract, rows).items()}
    {b'd:lots': 'fffffffe', b'm:s': '010000030000000000000011'}
    """
    columns = contract.columns if key_cells else contract.value_columns
    names = {column.name for column in columns} | {DELIVERY, LINE, WITHDRAWN}
    rows = conform(table, pa.schema([field for field in contract.stored_schema if field.name in names]))
    parts = [_encode_block(contract.version, columns, block) for block in blocks(rows, BLOCK_ROWS)]
    found = sorted({name for part in parts for name in part} | {PROVENANCE, *map(column_name, columns)})
    return {name: concat([_or_none(part, name) for part in parts]) for name in found}


def cell_columns(contracts: Iterable[Contract], target: Contract, columns: Sequence[str] | None = None) -> list[bytes]:
    """The columns that ``decode_cells`` needs of a table that rows of any of these contracts are in; sorted.

    Args:
        contracts: every contract that may have written a row.
        target: the one to read under.
        columns: only these of its columns (None: all).
    """
    wanted = {column.id for column in _wanted(target, columns)}
    names = {PROVENANCE}
    for contract in contracts:
        for column in contract.value_columns:
            if column.id in wanted:
                names |= {column_name(column)}
                names |= {microseconds_name(column)} if column.type.kind is Kind.TIMESTAMP else set()
    return sorted(names)


def decode_cells(
    contracts: Mapping[int, Contract],
    target: Contract,
    cells: Cells,
    columns: Sequence[str] | None = None,
    keys: pa.BinaryArray | None = None,
) -> pa.Table:
    """The value columns of ``target`` and the provenance, out of rows written under any of ``contracts``.

    Args and Returns as ``packed.decode_rows``, with the cells of ``cell_columns`` instead of the values; a column that is
    not among them counts as null.

    Raises:
        StoreCorrupt: cells that ``encode_cells`` cannot have written, or a version that is not in ``contracts``.

    Source: ``docs/formats/cells.md``.
    """
    wanted = _wanted(target, columns)
    schema = pa.schema([
        *(pa.field(column.name, column.type.arrow, nullable=column.nullable) for column in wanted),
        *(field for field in target.stored_schema if field.name in {DELIVERY, LINE, WITHDRAWN}),
    ])  # fmt: skip
    reader = _Reader(contracts, target, wanted, schema, cells, keys)
    return reader.table() if len(cells[PROVENANCE]) else schema.empty_table()


def _wanted(target: Contract, columns: Sequence[str] | None) -> list[Column]:
    return [column for column in target.value_columns if columns is None or column.name in columns]


def _or_none(part: dict[bytes, pa.BinaryArray], name: bytes) -> pa.BinaryArray:
    return part[name] if name in part else pa.nulls(len(part[PROVENANCE]), pa.binary())


def _encode_block(version: int, columns: Sequence[Column], block: pa.Table) -> dict[bytes, pa.BinaryArray]:
    headers = np.zeros(len(block), FIELDS)
    write_headers(headers, version, block)
    found = {PROVENANCE: binary(headers.view(np.uint8).reshape(len(block), HEADER_BYTES))}
    for column in columns:
        array = single(block[column.name])
        found[column_name(column)] = encode_values(column.type, array)
        left = encode_microseconds(array) if column.type.kind is Kind.TIMESTAMP else None
        if left is not None:
            found[microseconds_name(column)] = left
    return found


@dataclass(frozen=True)
class _Reader:
    """Decodes the cells of a batch of rows."""

    contracts: Mapping[int, Contract]
    target: Contract
    wanted: Sequence[Column]
    schema: pa.Schema
    cells: Cells
    keys: pa.BinaryArray | None

    def table(self) -> pa.Table:
        headers = self._headers()
        return by_version(
            headers["contract"].astype(np.int64), lambda version, rows: self._group(version, rows, headers)
        )

    def _headers(self) -> Headers:
        found = self.cells[PROVENANCE]
        offsets, data = offsets_and_bytes(found)
        sizes = np.diff(offsets) * found.is_valid().to_numpy(zero_copy_only=False)
        if not (sizes == HEADER_BYTES).all():
            at = int(np.argmin(sizes == HEADER_BYTES))
            raise self._corrupt("its provenance, m:s", at, f"{sizes[at]} bytes", f"{HEADER_BYTES}")
        headers = np.frombuffer(data[offsets[0] : offsets[-1]], FIELDS)
        good = headers["format"] == FORMAT_VERSION
        if not good.all():
            at = int(np.argmin(good))
            got, expected = (f"format version {number}" for number in (headers["format"][at], FORMAT_VERSION))
            raise self._corrupt("its provenance, m:s", at, got, expected)
        return headers

    def _group(self, version: int, rows: Numbers, headers: Headers) -> pa.Table:
        """Rows of one contract version; ``rows`` are their places in the batch."""
        if version not in self.contracts:
            known = ", ".join(str(number) for number in sorted(self.contracts))
            got, expected = f"contract version {version}", f"one of {known}"
            raise self._corrupt("its provenance, m:s", int(rows[0]), got, expected)
        written = {column.id: column for column in self.contracts[version].value_columns}
        columns = [self._column(written.get(column.id), column, rows) for column in self.wanted]
        return pa.table([*columns, *read_provenance(headers[rows], self.target.shape)], schema=self.schema)

    def _column(self, written: Column | None, column: Column, rows: Numbers) -> pa.Array:
        cells = self._cells(column_name(written), rows) if written else None
        if written is None or cells is None:
            return pa.nulls(len(rows), column.type.arrow)
        left = self._cells(microseconds_name(written), rows) if written.type.kind is Kind.TIMESTAMP else None

        def refuse(row: int, got: str, expected: str) -> StoreCorrupt:
            return self._corrupt(column.name, int(rows[row]), got, expected)

        array = decode_values(written.type, cells, refuse, left)
        return array if array.type == column.type.arrow else array.cast(column.type.arrow)

    def _cells(self, name: bytes, rows: Numbers) -> pa.BinaryArray | None:
        """The cells of these rows; None where nobody has given any."""
        found = self.cells.get(name)
        return found if found is None or len(rows) == len(found) else found.take(pa.array(rows))

    def _corrupt(self, what: str, row: int, got: str, expected: str) -> StoreCorrupt:
        key = f", key 0x{self.keys[row].as_py().hex()}" if self.keys is not None else ""
        return StoreCorrupt(
            "Cell decode failed", where=f"{self.target.dataset}.{what}, row {row} of the batch{key}", got=got, expected=expected,
            remedy=f"Read it with the contract version that wrote it: datahub tables history {self.target.dataset}",
        )  # fmt: skip
