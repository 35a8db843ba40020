"""Row keys, packed values and cells, one row and column at a time, from ``docs/formats`` alone: what arrays must equal."""

import struct
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from datahub_assets.schema.contract import DELIVERY, LINE, VALID_FROM, WITHDRAWN, Contract, Shape
from datahub_assets.schema.types import Kind, LogicalType

Row = Mapping[str, Any]
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def key(contract: Contract, row: Row, partition: str | None, write_id: int, buckets: int) -> bytes:
    """The row key of one row."""
    columns = key_columns(contract, row)
    salt = bytes([mixed(columns) % buckets]) if buckets else b""
    if contract.shape is Shape.SNAPSHOT:
        return salt + str(partition).encode() + struct.pack(">Q", write_id) + columns
    return salt + columns + str(row[VALID_FROM]).encode() + struct.pack(">Q", write_id ^ (2**64 - 1))


def key_columns(contract: Contract, row: Row) -> bytes:
    """The key columns of one row."""
    out, kinds = b"", [column.type.kind for column in contract.key_columns]
    for place, name in enumerate(contract.key):
        value = row[name]
        if kinds[place] is Kind.TEXT:
            followed_by_integer: bool = kinds[place + 1 : place + 2] in ([Kind.INT32], [Kind.INT64])
            escaped: bytes = value.encode().replace(b"\x00", b"\x00\xff")
            out += escaped + (b"\x00\x01" if followed_by_integer else b"\x00")
        elif kinds[place] is Kind.DATE:
            out += value.isoformat().encode()
        else:
            width = 4 if kinds[place] is Kind.INT32 else 8
            out += (value + (1 << (8 * width - 1))).to_bytes(width, "big")
    return out


def mixed(data: bytes) -> int:
    """Java's ``Arrays.hashCode(byte[])``, then the finaliser of MurmurHash3."""
    h = 1
    for byte in data:
        h = (31 * h + (byte - 256 if byte > 127 else byte)) % 2**32
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
    return h ^ h >> 16


def value(contract: Contract, row: Row) -> bytes:
    """The packed value of one row."""
    flags = 1 if row.get(WITHDRAWN) else 0
    return struct.pack(">BBHII", 1, flags, contract.version, row[DELIVERY], row[LINE]) + body(contract, row)


def cells(contract: Contract, row: Row) -> dict[bytes, bytes]:
    """The cells of one row, by full name of the column."""
    found = {b"m:s": value(contract, row)[:12]}
    for column in contract.value_columns:
        item = row[column.name]
        if item is not None:
            found[f"d:{column.name}".encode()] = cell(column.type, item)
            if column.type.kind is Kind.TIMESTAMP and item.microsecond % 1000:
                found[f"m:{column.name}.us".encode()] = struct.pack(">h", item.microsecond % 1000)
    return found


def cell(type_: LogicalType, item: Any) -> bytes:
    """One value as a cell."""
    match type_.kind:
        case Kind.TEXT:
            return bytes(item.encode())
        case Kind.BOOLEAN:
            return b"\xff" if item else b"\x00"
        case Kind.DECIMAL:
            unscaled = int.from_bytes(number(type_, item), "big", signed=True)
            bits = (unscaled if unscaled >= 0 else -unscaled - 1).bit_length()
            return struct.pack(">i", type_.scale) + unscaled.to_bytes(bits // 8 + 1, "big", signed=True)
        case Kind.DATE:
            return struct.pack(">q", (item.toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000)
        case Kind.TIMESTAMP:
            return struct.pack(">q", (item - EPOCH) // timedelta(milliseconds=1))
        case _:
            return number(type_, item)


def body(contract: Contract, row: Row) -> bytes:
    """The packed value of one row without its header."""
    columns = contract.value_columns
    bitmap = bytearray((len(columns) + 7) // 8)
    fixed, lengths, texts = b"", b"", b""
    for place, column in enumerate(columns):
        item = row[column.name]
        if item is None:
            bitmap[place // 8] |= 1 << place % 8
        if column.type.kind is Kind.TEXT:
            text = (item or "").encode()
            lengths, texts = lengths + struct.pack(">I", len(text)), texts + text
        else:
            zeros = bytes(len(number(column.type, ZERO[column.type.kind])))
            fixed += zeros if item is None else number(column.type, item)
    return bytes(bitmap) + fixed + lengths + texts


def number(type_: LogicalType, item: Any) -> bytes:
    """One value that is not text."""
    match type_.kind:
        case Kind.INT32:
            return struct.pack(">i", item)
        case Kind.INT64:
            return struct.pack(">q", item)
        case Kind.FLOAT64:
            return bytes.fromhex("7ff8000000000000") if item != item else struct.pack(">d", item if item else 0.0)
        case Kind.DECIMAL:
            digits = item.as_tuple()
            unscaled = int("".join(map(str, digits.digits))) * 10 ** (digits.exponent + type_.scale)
            return int(-unscaled if digits.sign else unscaled).to_bytes(16, "big", signed=True)
        case Kind.BOOLEAN:
            return b"\x01" if item else b"\x00"
        case Kind.DATE:
            return struct.pack(">i", item.toordinal() - date(1970, 1, 1).toordinal())
        case _:
            return struct.pack(">q", (item - EPOCH) // timedelta(microseconds=1))


ZERO: dict[Kind, Any] = {
    Kind.INT32: 0, Kind.INT64: 0, Kind.FLOAT64: 0.0, Kind.DECIMAL: Decimal(0), Kind.BOOLEAN: False,
    Kind.DATE: date(1970, 1, 1), Kind.TIMESTAMP: EPOCH,
}  # fmt: skip
