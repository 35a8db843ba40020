"""Rows ↔ Parquet bytes as the hub writes them: storable types, column ids, row groups, deterministic encoding.

The bytes of a file are a function of its rows and schema alone (and of pyarrow's version): not of how they came in
batches, nor of when. Where files lie is ``extracts``'; what other engines see of them is ``iceberg``'s.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datahub_assets.errors import DeclarationError
from datahub_assets.schema.types import Kind, LogicalType

MAX_GROUP_ROWS = 1 << 18
MAX_GROUP_CELLS = 1 << 22
FIELD_ID = b"PARQUET:field_id"


def logical_type(arrow: pa.DataType) -> LogicalType | None:
    """The hub's type for values of an Arrow type, None when there is none; no value is lost on the way.

    >>> str(logical_type(pa.uint64())), str(logical_type(pa.timestamp("ms"))), logical_type(pa.list_(pa.int8()))
    ('decimal(20,0)', 'timestamp', None)
    """
    if pa.types.is_dictionary(arrow):
        return logical_type(arrow.value_type)
    if pa.types.is_decimal(arrow):
        return (
            LogicalType(Kind.DECIMAL, arrow.precision, arrow.scale)
            if arrow.precision <= 38 and arrow.scale >= 0
            else None
        )
    if pa.types.is_uint64(arrow):
        return LogicalType(Kind.DECIMAL, 20, 0)
    for kind, is_kind in _KINDS:
        if is_kind(arrow):
            return LogicalType(kind)
    return None


def storable(schema: pa.Schema, where: str = "") -> pa.Schema:
    """The schema with every column in the hub's Arrow type, all nullable, without metadata.

    Raises:
        DeclarationError: columns whose type has no place in an extract, all of them at once.
    """
    types = {field.name: logical_type(field.type) for field in schema}
    problems = [
        f"column {f.name}: {f.type} has no place in an extract: cast it in the SQL" for f in schema if not types[f.name]
    ]
    problems += [
        f"column {name} comes twice" for name in sorted({n for n in schema.names if schema.names.count(n) > 1})
    ]
    ids = [field_id(name, known.arrow) for name, known in types.items() if known]
    if len(set(ids)) < len(ids):
        problems.append("two column names have the same id: rename one of the columns added last")
    if problems:
        raise DeclarationError("Columns cannot be stored", where=where or None, problems=problems)
    return pa.schema([pa.field(name, known.arrow) for name, known in types.items() if known])


def field_id(name: str, arrow: pa.DataType) -> int:
    """The column's id in Parquet and Iceberg: a function of its name and family of types, so that nobody keeps a list.

    Integers are one family, decimals one a scale, each other type its own: a column may widen and keeps its id; one that
    changes family (text → float64) is another column of the same name. 30 bits of SHA-256, from 1.

    >>> field_id("a", pa.int32()) == field_id("a", pa.int64()) != field_id("a", pa.string())
    True
    """
    if pa.types.is_integer(arrow):
        family = "integer"
    elif pa.types.is_decimal(arrow):
        family = f"decimal,{arrow.scale}"
    else:
        family = str(arrow)
    return (int.from_bytes(hashlib.sha256(f"{name}\0{family}".encode()).digest()[:4], "big") >> 2) + 1


def with_ids(schema: pa.Schema) -> pa.Schema:
    """The schema with the columns' ids as pyarrow writes them to Parquet."""
    return pa.schema(
        [field.with_metadata({FIELD_ID: str(field_id(field.name, field.type)).encode()}) for field in schema]
    )


def group_rows(schema: pa.Schema) -> int:
    """Rows of a full row group: 2¹⁸, fewer in wide tables (2²² cells), so that memory is bounded."""
    return max(1 << 14, min(MAX_GROUP_ROWS, MAX_GROUP_CELLS // max(1, len(schema))))


def row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows cast to the schema (by name), cut into contiguous groups of ``group_rows``; the last one may be smaller."""
    size, waiting, rows = group_rows(schema), list[pa.Table](), 0
    for batch in batches:
        waiting.append(pa.Table.from_batches([batch]).select(schema.names).cast(schema))
        rows += batch.num_rows
        while rows >= size:
            table = pa.concat_tables(waiting)
            yield table.slice(0, size).combine_chunks()
            waiting, rows = [table.slice(size)], rows - size
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()


def encoded(
    groups: Iterable[pa.Table], schema: pa.Schema, key: Sequence[str] = (), max_bytes: int | None = None
) -> Iterator[bytes]:
    """The bytes of one Parquet file, as they come; takes no more groups once ``max_bytes`` are written.

    Args:
        groups: one table a row group, see ``row_groups``.
        schema: columns of the file, in order.
        key: columns that the rows are sorted by; readers find it in the file.
        max_bytes: bound on the file's bytes, exceeded by at most one row group.
    """
    sink = _Sink()
    sorting = [pq.SortingColumn(schema.get_field_index(name)) for name in key] or None
    with pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"), with_ids(schema), compression="zstd", sorting_columns=sorting,
        store_decimal_as_integer=True, write_page_index=True,
    ) as writer:  # fmt: skip
        for group in groups:
            writer.write_table(group.cast(writer.schema), row_group_size=max(1, group.num_rows))
            yield from sink.drain()
            if max_bytes is not None and sink.written >= max_bytes:
                break
    yield from sink.drain()


def first_disorder(rows: pa.Table, key: Sequence[str]) -> int | None:
    """Index of the first row whose key is not above the row before's (or has a null); None when keys strictly rise.

    >>> first_disorder(pa.table({"k": ["a", "b", "b"]}), ["k"])
    2
    """
    before, after = rows.slice(0, max(0, rows.num_rows - 1)), rows.slice(1)
    rising: pa.Scalar | pa.ChunkedArray = pa.scalar(False)
    for name in reversed(key):
        a, b = before[name], after[name]
        rising = pc.or_(pc.less(a, b), pc.and_(pc.equal(a, b), rising))
    if any(rows[name].null_count for name in key):
        nulls = [pc.index(pc.is_null(rows[name]), True).as_py() for name in key]
        return int(min(n for n in nulls if n >= 0))
    index = pc.index(rising, False).as_py() if rows.num_rows > 1 else -1
    return None if index < 0 else int(index) + 1


class _Sink(io.RawIOBase):
    """A file for pyarrow whose bytes are taken away as they are written."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(data)  # type: ignore[call-overload]
        self._chunks.append(chunk)
        self.written += len(chunk)
        return len(chunk)

    def tell(self) -> int:
        return self.written

    def drain(self) -> Iterator[bytes]:
        chunks, self._chunks = self._chunks, []
        yield from chunks


_KINDS = (
    (Kind.TEXT, lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t)),
    (Kind.INT32, lambda t: (pa.types.is_integer(t) and t.bit_width < 32) or pa.types.is_int32(t)),
    (Kind.INT64, lambda t: pa.types.is_uint32(t) or pa.types.is_int64(t)),
    (Kind.FLOAT64, pa.types.is_floating),
    (Kind.BOOLEAN, pa.types.is_boolean),
    (Kind.DATE, pa.types.is_date32),
    (Kind.TIMESTAMP, lambda t: pa.types.is_timestamp(t) and t.unit != "ns"),
)  # fmt: skip
