"""PostgreSQL's types as far as answers have them: OIDs, names, sizes, and which Arrow type is shown as which.

**Source:** PostgreSQL 15, ``pg_type.dat``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from datahub_assets.serving.odbc.replies import Column
from datahub_assets.serving.refusals import NotSupported


@dataclass(frozen=True)
class PgType:
    """A type. ``size`` in bytes, −1: variable; ``array``: OID of the type of its arrays; ``sql``: its name in the engine."""

    oid: int
    name: str
    size: int
    array: int
    category: str
    sql: str


BOOL = PgType(16, "bool", 1, 1000, "B", "BOOLEAN")
BYTEA = PgType(17, "bytea", -1, 1001, "U", "BLOB")
NAME = PgType(19, "name", 64, 1003, "S", "VARCHAR")
INT8 = PgType(20, "int8", 8, 1016, "N", "BIGINT")
INT2 = PgType(21, "int2", 2, 1005, "N", "SMALLINT")
INT4 = PgType(23, "int4", 4, 1007, "N", "INTEGER")
TEXT = PgType(25, "text", -1, 1009, "S", "VARCHAR")
OID = PgType(26, "oid", 4, 1028, "N", "UINTEGER")
JSON = PgType(114, "json", -1, 199, "U", "VARCHAR")
FLOAT4 = PgType(700, "float4", 4, 1021, "N", "FLOAT")
FLOAT8 = PgType(701, "float8", 8, 1022, "N", "DOUBLE")
BPCHAR = PgType(1042, "bpchar", -1, 1014, "S", "VARCHAR")
VARCHAR = PgType(1043, "varchar", -1, 1015, "S", "VARCHAR")
DATE = PgType(1082, "date", 4, 1182, "D", "DATE")
TIME = PgType(1083, "time", 8, 1183, "D", "TIME")
TIMESTAMP = PgType(1114, "timestamp", 8, 1115, "D", "TIMESTAMP")
TIMESTAMPTZ = PgType(1184, "timestamptz", 8, 1185, "D", "TIMESTAMP WITH TIME ZONE")
INTERVAL = PgType(1186, "interval", 16, 1187, "T", "INTERVAL")
NUMERIC = PgType(1700, "numeric", -1, 1231, "N", "DECIMAL")
INT2VECTOR = PgType(22, "int2vector", -1, 1006, "A", "VARCHAR")
UUID = PgType(2950, "uuid", 16, 2951, "U", "UUID")

TYPES = (
    BOOL, BYTEA, NAME, INT8, INT2, INT4, TEXT, OID, JSON, FLOAT4, FLOAT8, BPCHAR, VARCHAR, DATE, TIME, TIMESTAMP,
    TIMESTAMPTZ, INTERVAL, NUMERIC, UUID,
)  # fmt: skip
BY_OID = {one.oid: one for one in TYPES}
BY_ARRAY = {one.array: one for one in TYPES}
VECTOR = pa.list_(pa.uint16())
"""Only catalogues have it: numbers counted from 0, written with spaces between."""
UNKNOWN = 705
"""What libpq sends for the type of a text that has none."""

_BY_ID: Mapping[int, PgType] = {
    pa.bool_().id: BOOL, pa.int8().id: INT2, pa.int16().id: INT2, pa.int32().id: INT4, pa.int64().id: INT8,
    pa.uint8().id: INT2, pa.uint16().id: INT4, pa.uint32().id: OID, pa.uint64().id: NUMERIC, pa.float32().id: FLOAT4,
    pa.float64().id: FLOAT8, pa.string().id: TEXT, pa.large_string().id: TEXT, pa.binary().id: BYTEA,
    pa.large_binary().id: BYTEA, pa.date32().id: DATE, pa.time64("us").id: TIME, pa.null().id: TEXT,
    pa.month_day_nano_interval().id: INTERVAL, pa.decimal128(1).id: NUMERIC, pa.struct([]).id: JSON,
    pa.map_(pa.string(), pa.string()).id: JSON,
}  # fmt: skip


def plain(arrow: pa.DataType) -> pa.DataType:
    """The type of the values: of a dictionary that of its entries, of a list of fixed size that of any list."""
    if pa.types.is_dictionary(arrow):
        return plain(arrow.value_type)
    if pa.types.is_fixed_size_list(arrow) or pa.types.is_large_list(arrow):
        return pa.list_(arrow.value_type)
    return arrow


def type_of(arrow: pa.DataType) -> PgType:
    """The type that values of an Arrow type are shown as; a list's is that of its items.

    Raises:
        NotSupported: there is none.
    """
    arrow = plain(arrow)
    if pa.types.is_timestamp(arrow):
        return TIMESTAMPTZ if arrow.tz else TIMESTAMP
    if pa.types.is_list(arrow):
        return type_of(arrow.value_type)
    found = _BY_ID.get(arrow.id)
    if found is None:
        raise NotSupported("Type that PostgreSQL has not", got=str(arrow), remedy="Cast the column to another type")
    return found


def oid_of(arrow: pa.DataType) -> int:
    """The OID of an Arrow type, lists included; nested ones are shown as JSON."""
    arrow = plain(arrow)
    if is_vector(arrow):
        return INT2VECTOR.oid
    if pa.types.is_list(arrow):
        item = type_of(arrow)
        return JSON.oid if item is JSON else item.array
    return type_of(arrow).oid


def is_vector(arrow: pa.DataType) -> bool:
    """Whether it is a catalogue's vector."""
    return bool(pa.types.is_list(arrow) and pa.types.is_uint16(arrow.value_type))


def modifier_of(arrow: pa.DataType) -> int:
    """The type's modifier: precision and scale of a decimal, −1 for all else."""
    arrow = plain(arrow)
    if pa.types.is_list(arrow):
        return modifier_of(arrow.value_type)
    return numeric_modifier(arrow.precision, arrow.scale) if pa.types.is_decimal(arrow) else -1


def numeric_modifier(precision: int, scale: int) -> int:
    """How ``numeric(precision, scale)`` is written as a number."""
    return (precision << 16 | scale) + 4


def columns_of(schema: pa.Schema, formats: tuple[int, ...] = ()) -> list[Column]:
    """The columns of an answer.

    Args:
        schema: of the answer.
        formats: none: all text; one: for all; else one a column.
    """
    wanted = list(formats) * len(schema) if len(formats) == 1 else list(formats) or [0] * len(schema)
    found = []
    for field, form in zip(schema, wanted, strict=True):
        oid = oid_of(field.type)
        size = BY_OID[oid].size if oid in BY_OID else -1
        found.append(Column(field.name, oid, size, modifier_of(field.type), form))
    return found
