"""Row keys: which bytes a row stands under, so that the order of bytes is the order of values.

Snapshot: ``[salt] partition T key…``; bitemporal: ``[salt] key… valid_from ~T``. The bytes are specified in
``docs/formats/row-key.md``. Ranges of keys (scans, point reads) are in ``ranges``; the value under a key in ``packed``.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from datahub_assets.errors import DatahubError, DeliveryMalformed
from datahub_assets.hbase_format.arrays import (
    Matrix,
    binary,
    blocks,
    concat,
    conform,
    decode_dates,
    encode_dates,
    join,
    offsets_and_bytes,
    single,
)  # fmt: skip
from datahub_assets.hbase_format.key_reader import PAD, KeyReader, pads
from datahub_assets.hbase_format.salt import salt_bytes
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM, Contract, Shape
from datahub_assets.schema.types import Kind

WRITE_ID = "_write_id"
"""Name of the column (uint64) that holds the T of a row, where rows of several Ts are read."""
HEAD_BYTES = 18
"""Bytes of a snapshot's key before the key columns (``key_head``): the date as text, then T."""
MAX_KEY = 32_767
"""Bytes of a row key that HBase accepts (``HConstants.MAX_ROW_LENGTH``)."""


def encode_keys(
    contract: Contract, table: pa.Table, partition: str | None, write_id: int, salt_buckets: int = 0
) -> pa.BinaryArray:
    """The row key of each row, in the order of ``table``.

    Args:
        contract: gives shape and key columns.
        table: has at least the key columns; bitemporal: also ``valid_from``. A ``business_date``, if there, must be
            ``partition``.
        partition: ISO business date (snapshot); None for a bitemporal dataset.
        write_id: T, 0 ≤ T < 2**64.
        salt_buckets: 0 = no salt, else 1 to 256.

    Raises:
        DeliveryMalformed: a key column holds null, or a key is longer than HBase takes.
        DatahubError: rows of another partition, or more than 2 GB of keys.

    Source: ``docs/formats/row-key.md``. Cost: about 0.1 µs a row for two text columns.

    >>> from datahub_assets.schema.types import LogicalType
    >>> from datahub_assets.schema.contract import Column
    >>> columns = (Column(1, "business_date", LogicalType(Kind.DATE)), Column(2, "isin", LogicalType(Kind.TEXT)))
    >>> contract = Contract("demo/prices", 1, Shape.SNAPSHOT, columns, ("isin",))
    >>> encode_keys(contract, pa.table({"isin": ["FR01"]}), "2024-01-31", 7).to_pylist()
    [b'2024-01-31\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x07FR01\\x00']
    """
    snapshot = contract.shape is Shape.SNAPSHOT
    head = key_head(partition or "", write_id) if snapshot else b""
    tail = b"" if snapshot else write_id_bytes(2**64 - 1 - write_id)
    _check_partition(contract, table, partition)
    rows = conform(table, _key_schema(contract, dated=not snapshot))
    encoded = []
    for block in blocks(rows):
        key: list[pa.BinaryArray | bytes] = _key_parts(contract, block)
        dated = [binary(encode_dates(_ints(block, VALID_FROM, np.int32)))] if not snapshot else []
        if salt_buckets:
            columns = join(key)
            key = [binary(salt_bytes(columns, salt_buckets)), head, columns]
        else:
            key = [head, *key]
        encoded.append(join([part for part in [*key, *dated, tail] if part != b""]))
        _check_lengths(contract, encoded[-1])
    return concat(encoded)


def encode_key_columns(contract: Contract, table: pa.Table, first: int | None = None) -> pa.BinaryArray:
    """The key columns alone, encoded as they stand in a row key: what is salted, digested and compared.

    Args:
        contract: gives the key columns.
        table: has them at least. Bitemporal: ``valid_from`` is left out.
        first: only so many of the key columns (None: all).
    """
    schema = _key_schema(contract, dated=False)
    rows = conform(table, pa.schema(list(schema)[:first]))
    return concat([join(_key_parts(contract, block)) for block in blocks(rows)])


def key_head(partition: str, write_id: int) -> bytes:
    """The bytes of a snapshot's keys between salt and key columns: partition and T.

    Raises:
        DatahubError: not an ISO date, or T outside 0 ≤ T < 2**64.
    """
    text = partition.encode()
    if len(text) != 10 or not decode_dates(np.frombuffer(text, np.uint8).reshape(1, 10))[1].all():
        raise DatahubError("Impossible partition", got=repr(partition), expected="an ISO date, YYYY-MM-DD")
    return text + write_id_bytes(write_id)


def write_id_bytes(write_id: int) -> bytes:
    """T as 8 bytes, big-endian and unsigned."""
    if not 0 <= write_id < 2**64:
        raise DatahubError("Impossible write id", got=str(write_id), expected="0 ≤ T < 2**64")
    return write_id.to_bytes(8, "big")


def decode_keys(contract: Contract, keys: pa.BinaryArray, salt_buckets: int = 0) -> pa.Table:
    """What the keys say, by column: ``business_date`` (or ``valid_from``), the key columns, ``_write_id`` (uint64).

    Raises:
        StoreCorrupt: a key that ``encode_keys`` cannot have written.

    Source: ``docs/formats/row-key.md``.
    """
    reader = KeyReader(contract, keys, 1 if salt_buckets else 0)
    snapshot = contract.shape is Shape.SNAPSHOT
    columns: dict[str, pa.Array] = {BUSINESS_DATE: None} if snapshot else {VALID_FROM: None}
    if snapshot:
        columns[BUSINESS_DATE] = reader.dates()
        write_ids = reader.write_ids()
    for column, pad in zip(contract.key_columns, pads(contract), strict=True):
        columns[column.name] = reader.column(column, pad)
    if not snapshot:
        columns[VALID_FROM] = reader.dates()
        write_ids = ~reader.write_ids()
    reader.finish()
    return pa.table({**columns, WRITE_ID: pa.array(write_ids, pa.uint64())})


def _key_schema(contract: Contract, *, dated: bool) -> pa.Schema:
    names = [*contract.key, *([VALID_FROM] if dated else [])]
    return pa.schema([pa.field(name, contract.column(name).type.arrow) for name in names])


def _check_partition(contract: Contract, table: pa.Table, partition: str | None) -> None:
    if contract.shape is Shape.SNAPSHOT and BUSINESS_DATE in table.column_names and len(table):
        bounds = pc.min_max(table[BUSINESS_DATE].cast(pa.date32()))
        found = {str(bounds["min"]), str(bounds["max"])}
        if found != {partition} or table[BUSINESS_DATE].null_count:
            raise DatahubError(
                "Rows of another partition", where=contract.dataset, got=" to ".join(sorted(found)), expected=partition
            )


def _key_parts(contract: Contract, block: pa.Table) -> list[pa.BinaryArray | bytes]:
    parts: list[pa.BinaryArray | bytes] = []
    for column, pad in zip(contract.key_columns, pads(contract), strict=True):
        if column.name not in block.column_names:
            break
        if block[column.name].null_count:
            raise DeliveryMalformed(
                "Null in a key column", where=f"{contract.dataset}.{column.name}", expected="a value in every row"
            )
        if column.type.kind is Kind.TEXT:
            parts += [_escaped(single(block[column.name])), b"\x00" + (PAD if pad else b"")]
        elif column.type.kind is Kind.DATE:
            parts.append(binary(encode_dates(_ints(block, column.name, np.int32))))
        elif column.type.kind is Kind.INT32:
            parts.append(binary(_flipped(_ints(block, column.name, np.int32).astype(">i4"))))
        elif column.type.kind is Kind.INT64:
            parts.append(binary(_flipped(_ints(block, column.name, np.int64).astype(">i8"))))
        else:
            raise DatahubError(
                "Type cannot stand in a key", where=f"{contract.dataset}.{column.name}", got=str(column.type)
            )
    return parts


def _ints(block: pa.Table, name: str, dtype: type[np.int32] | type[np.int64]) -> NDArray[np.int32]:
    array = single(block[name])
    if array.null_count:
        raise DeliveryMalformed("Null in a row key", where=name, expected="a value in every row")
    return (
        np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * np.dtype(dtype).itemsize)
        if len(array)
        else np.zeros(0, dtype)
    )


def _flipped(values: NDArray[np.int64]) -> Matrix:
    matrix: Matrix = values.view(np.uint8).reshape(len(values), values.dtype.itemsize)
    matrix[:, 0] ^= 0x80
    return matrix


def _escaped(text: pa.StringArray) -> pa.BinaryArray:
    data = text.cast(pa.binary())
    offsets, content = offsets_and_bytes(data)
    if not (content[offsets[0] : offsets[-1]] == 0).any():
        return data
    return pc.replace_substring(data, pattern=b"\x00", replacement=b"\x00\xff")


def _check_lengths(contract: Contract, keys: pa.BinaryArray) -> None:
    longest = pc.max(pc.binary_length(keys)).as_py() or 0
    if longest > MAX_KEY:
        raise DeliveryMalformed(
            "Row key too long", where=contract.dataset, got=f"{longest} bytes", expected=f"at most {MAX_KEY}"
        )
