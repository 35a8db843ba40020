"""Rows as key and value, or key and cells, and back: ``keys`` with ``packed`` or ``cells``. This is what stores call."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from datahub_assets.errors import DatahubError
from datahub_assets.hbase_format.arrays import binary, blocks, cut, encode_dates, join, offsets_and_bytes, single
from datahub_assets.hbase_format.cells import Cells, decode_cells, encode_cells
from datahub_assets.hbase_format.header import HEADER_BYTES
from datahub_assets.hbase_format.keys import HEAD_BYTES, WRITE_ID, decode_keys, encode_key_columns, encode_keys
from datahub_assets.hbase_format.packed import decode_rows, encode_bodies, encode_rows
from datahub_assets.schema.contract import VALID_FROM, WITHDRAWN, Contract, Shape

BATCH_ROWS = 50_000
BATCH_BYTES = 1 << 29


def encode_batch(
    contract: Contract, table: pa.Table, partition: str | None, write_id: int, salt_buckets: int = 0
) -> tuple[pa.BinaryArray, pa.BinaryArray]:
    """Row key and packed value of each row, in the order of ``table``.

    Args and Raises as ``keys.encode_keys`` and ``packed.encode_rows``.
    """
    return encode_keys(contract, table, partition, write_id, salt_buckets), encode_rows(contract, table)


def encode_batches(
    contract: Contract,
    table: pa.Table,
    partition: str | None,
    write_id: int,
    salt_buckets: int = 0,
    rows: int = BATCH_ROWS,
) -> Iterator[tuple[pa.BinaryArray, pa.BinaryArray]]:
    """As ``encode_batch``, in batches of at most ``rows`` rows that fit Arrow arrays, however large the table."""
    for block in blocks(table, rows, BATCH_BYTES):
        yield encode_batch(contract, block, partition, write_id, salt_buckets)


def encode_cell_batches(
    contract: Contract,
    table: pa.Table,
    partition: str | None,
    write_id: int,
    salt_buckets: int = 0,
    rows: int = BATCH_ROWS,
    *,
    key_cells: bool = False,
) -> Iterator[tuple[pa.BinaryArray, dict[bytes, pa.BinaryArray]]]:
    """Row key and cells of each row, in batches as ``encode_batches``.

    Args and Raises as ``keys.encode_keys`` and ``cells.encode_cells``.
    """
    for block in blocks(table, rows, BATCH_BYTES):
        keys = encode_keys(contract, block, partition, write_id, salt_buckets)
        yield keys, encode_cells(contract, block, key_cells=key_cells)


def decode_batch(
    contracts: Mapping[int, Contract],
    target: Contract,
    keys: pa.BinaryArray,
    values: pa.BinaryArray,
    salt_buckets: int = 0,
    columns: Sequence[str] | None = None,
    *,
    with_write_id: bool = False,
) -> pa.Table:
    """The rows, with ``target.stored_schema``, in the order of ``keys``.

    Args:
        contracts: by version, every contract that may have written a row.
        target: names, order and types wanted; its key is that of all ``contracts``.
        columns: only these columns (None: all), with the provenance.
        with_write_id: append ``_write_id`` (uint64), the T of each row.

    Raises:
        StoreCorrupt: bytes that ``encode_batch`` cannot have written.
    """
    value = decode_rows(contracts, target, values, columns, keys)
    return _with_keys(target, keys, value, salt_buckets, columns, with_write_id=with_write_id)


def decode_cell_batch(
    contracts: Mapping[int, Contract],
    target: Contract,
    keys: pa.BinaryArray,
    cells: Cells,
    salt_buckets: int = 0,
    columns: Sequence[str] | None = None,
    *,
    with_write_id: bool = False,
) -> pa.Table:
    """As ``decode_batch``, of rows with the cells that ``cells.cell_columns`` names.

    Raises:
        StoreCorrupt: bytes that ``encode_cell_batches`` cannot have written.
    """
    value = decode_cells(contracts, target, cells, columns, keys)
    return _with_keys(target, keys, value, salt_buckets, columns, with_write_id=with_write_id)


def canonical_rows(contract: Contract, table: pa.Table) -> pa.BinaryArray:
    """What each row says, as bytes: for digests and differences. Specified in ``docs/formats/digest.md``.

    Key columns as in the row key, for a bitemporal dataset ``valid_from`` and one byte ``_withdrawn``, then the packed
    value without its header. Partition, T, contract version, delivery and line are left out.
    """
    parts = [encode_key_columns(contract, table)]
    if contract.shape is Shape.BITEMPORAL:
        days = single(table[VALID_FROM].cast(pa.date32())).view(pa.int32()).to_numpy()
        withdrawn = single(table[WITHDRAWN]).to_numpy(zero_copy_only=False).astype("u1").reshape(-1, 1)
        parts += [binary(encode_dates(days)), binary(withdrawn)]
    return join([*parts, encode_bodies(contract, table)])


def canonical_encoded(
    contract: Contract, keys: pa.BinaryArray, values: pa.BinaryArray, salt_buckets: int = 0
) -> pa.BinaryArray:
    """The ``canonical_rows`` of rows of a snapshot that ``encode_batch`` has encoded: cut out, not encoded again.

    >>> from datahub_assets.schema.types import Kind, LogicalType
    >>> from datahub_assets.schema.contract import Column
    >>> columns = (Column(1, "isin", LogicalType(Kind.TEXT)), Column(2, "lots", LogicalType(Kind.INT32)))
    >>> contract = Contract("demo/lots", 1, Shape.SNAPSHOT, columns, ("isin",))
    >>> rows = pa.table({"isin": ["FR01"], "lots": pa.array([2], pa.int32()), "_delivery": [0], "_line": [17]})
    >>> encoded = encode_batch(contract, rows, "2024-01-31", 7)
    >>> canonical_encoded(contract, *encoded) == canonical_rows(contract, rows)
    True
    """
    if contract.shape is not Shape.SNAPSHOT:
        raise DatahubError("Rows with dates in their keys are digested as tables", got=contract.shape.value)
    return join([key_columns_of(keys, salt_buckets), _without_head(values, HEADER_BYTES)])


def key_columns_of(keys: pa.BinaryArray, salt_buckets: int = 0) -> pa.BinaryArray:
    """The encoded key columns (``keys.encode_key_columns``) out of the row keys of a snapshot."""
    return _without_head(keys, (1 if salt_buckets else 0) + HEAD_BYTES)


def _with_keys(
    target: Contract,
    keys: pa.BinaryArray,
    value: pa.Table,
    salt_buckets: int,
    columns: Sequence[str] | None,
    *,
    with_write_id: bool,
) -> pa.Table:
    """What values say and what keys say, in the order of ``target.stored_schema``."""
    decoded = decode_keys(target, keys, salt_buckets)
    fields = [f for f in target.stored_schema if f.name.startswith("_") or columns is None or f.name in columns]
    arrays = [value[f.name] if f.name in value.column_names else decoded[f.name] for f in fields]
    if with_write_id:
        fields, arrays = [*fields, pa.field(WRITE_ID, pa.uint64(), nullable=False)], [*arrays, decoded[WRITE_ID]]
    return pa.table(arrays, schema=pa.schema(fields))


def _without_head(values: pa.BinaryArray, width: int) -> pa.BinaryArray:
    offsets, data = offsets_and_bytes(values)
    return cut(data, np.stack([offsets[:-1] + width, offsets[1:]], axis=1), 0)
