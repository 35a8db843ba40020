"""Ranges of row keys, half-open: what a scan or a point read asks a table for. How keys are built is in ``keys``."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from datahub_assets.errors import DatahubError
from datahub_assets.hbase_format.keys import encode_key_columns, key_head
from datahub_assets.hbase_format.salt import salt_bytes
from datahub_assets.schema.contract import Contract, Shape
from datahub_assets.schema.types import Kind

KeyRange = tuple[bytes, bytes]
"""First key in, first key out; an empty second one means no end."""


def snapshot_range(partition: str, write_id: int, salt: int | None = None) -> KeyRange:
    """The keys of one partition under one write id, in one bucket (salt None: an unsalted table).

    >>> snapshot_range("2024-01-31", 7)
    (b'2024-01-31\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x07', b'2024-01-31\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x08')
    """
    start = _salt(salt) + key_head(partition, write_id)
    return start, after_prefix(start)


def snapshot_ranges(partition: str, write_id: int, salt_buckets: int = 0) -> list[KeyRange]:
    """The keys of one partition under one write id: a range for each bucket, to be read side by side."""
    return [snapshot_range(partition, write_id, salt) for salt in _salts(salt_buckets)]


def partition_ranges(partition: str, salt_buckets: int = 0) -> list[KeyRange]:
    """The keys of one partition under all write ids: a range for each bucket. For maintenance."""
    return [
        (_salt(salt) + partition.encode(), after_prefix(_salt(salt) + partition.encode()))
        for salt in _salts(salt_buckets)
    ]


def table_ranges(salt_buckets: int = 0) -> list[KeyRange]:
    """All keys of a table: a range for each bucket. Bitemporal tables are read like this."""
    return (
        [(b"", b"")]
        if not salt_buckets
        else [(_salt(salt), after_prefix(_salt(salt))) for salt in _salts(salt_buckets)]
    )


def key_ranges(
    contract: Contract,
    key: Sequence[Any],
    salt_buckets: int = 0,
    partition: str | None = None,
    write_id: int | None = None,
) -> list[KeyRange]:
    """The rows of one key, or of all keys that begin with the values given.

    Args:
        contract: gives shape and key columns.
        key: values of the first key columns, in key order; all of them make one range, fewer a range for each bucket.
        partition, write_id: of a snapshot, which to read. A bitemporal range holds every version of a key instead:
            by ``valid_from``, the newest T first.

    >>> from datahub_assets.schema.contract import Column
    >>> from datahub_assets.schema.types import LogicalType
    >>> columns = (Column(1, "isin", LogicalType(Kind.TEXT)), Column(2, "valid_from", LogicalType(Kind.DATE)))
    >>> key_ranges(Contract("demo", 1, Shape.BITEMPORAL, columns, ("isin",)), ["FR01"])
    [(b'FR01\\x00', b'FR01\\x00\\xff')]
    """
    if not 0 < len(key) <= len(contract.key):
        raise DatahubError(
            "Not a key", where=contract.dataset, got=repr(tuple(key)), expected=f"values of {', '.join(contract.key)}"
        )
    columns = contract.key_columns[: len(key)]
    whole = {column.name: pa.array([value], column.type.arrow) for column, value in zip(columns, key, strict=True)}
    encoded = encode_key_columns(contract, pa.table(whole), len(key))
    head = b""
    if contract.shape is Shape.SNAPSHOT:
        if partition is None or write_id is None:
            raise DatahubError("A key of a snapshot is read at a partition and a T", where=contract.dataset)
        head = key_head(partition, write_id)
    complete = len(key) == len(contract.key)
    salts = [int(salt_bytes(encoded, salt_buckets)[0, 0])] if salt_buckets and complete else _salts(salt_buckets)
    starts = [_salt(salt) + head + encoded[0].as_py() for salt in salts]
    if complete and contract.shape is Shape.SNAPSHOT:
        return [(start, start + b"\x00") for start in starts]
    return [(start, after_columns(start, columns[-1].type.kind)) for start in starts]


def after_columns(start: bytes, last: Kind) -> bytes:
    """The first key after all that have these whole columns; a text's NUL must not take in escapes (NUL, 0xff)."""
    return start + b"\xff" if last is Kind.TEXT and start.endswith(b"\x00") else after_prefix(start)


def after_prefix(prefix: bytes) -> bytes:
    """The first key after all that begin with ``prefix``; empty where there is none.

    >>> after_prefix(b"a\\xff\\xff"), after_prefix(b"\\xff")
    (b'b', b'')
    """
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b""


def _salts(salt_buckets: int) -> list[int] | list[None]:
    return list(range(salt_buckets)) if salt_buckets else [None]


def _salt(salt: int | None) -> bytes:
    return b"" if salt is None else bytes([salt])
