"""Rows as (key, value) and back: ``keys`` and ``packed`` put together. This is what stores call."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from datahub_assets.hbase_format.arrays import binary, blocks, encode_dates, join, single
from datahub_assets.hbase_format.keys import WRITE_ID, decode_keys, encode_key_columns, encode_keys
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
    decoded = decode_keys(target, keys, salt_buckets)
    value = decode_rows(contracts, target, values, columns, keys)
    fields = [f for f in target.stored_schema if f.name.startswith("_") or columns is None or f.name in columns]
    arrays = [value[f.name] if f.name in value.column_names else decoded[f.name] for f in fields]
    if with_write_id:
        fields, arrays = [*fields, pa.field(WRITE_ID, pa.uint64(), nullable=False)], [*arrays, decoded[WRITE_ID]]
    return pa.table(arrays, schema=pa.schema(fields))


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
