"""The catalogue's relations as Arrow schemas, and rows made to fit them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from datahub_assets.serving.odbc.catalogue.information_columns import INFORMATION_SCHEMA
from datahub_assets.serving.odbc.catalogue.pg_columns import PG_CATALOG
from datahub_assets.serving.odbc.types import VECTOR

_LETTERS: Mapping[str, pa.DataType] = {
    "o": pa.uint32(), "t": pa.string(), "i": pa.int32(), "b": pa.bool_(), "l": pa.int64(), "h": pa.int16(),
    "z": pa.timestamp("us", "UTC"), "f": pa.float32(), "d": pa.float64(), "T": pa.list_(pa.string()),
    "O": pa.list_(pa.uint32()), "H": pa.list_(pa.int16()), "F": pa.list_(pa.float32()), "v": VECTOR,
}  # fmt: skip
"""Letter → type. An OID is an unsigned number of 32 bits, a vector (of small numbers, counted from 0) a list of another kind
than all others: so both have their own type on the wire."""
PG, INFORMATION = "pg_catalog", "information_schema"


@dataclass(frozen=True)
class Declared:
    """A relation of the catalogue; ``oid`` 0: PostgreSQL has no fixed one."""

    schema: str
    name: str
    oid: int
    kind: str
    columns: pa.Schema

    def table(self, rows: Sequence[Mapping[str, object]] = ()) -> pa.Table:
        """Rows as a table; a column that a row does not name is null."""
        return pa.Table.from_pylist([dict(row) for row in rows], self.columns)


def _read(schema: str, text: str) -> Iterator[Declared]:
    for entry in re.split(r"\n(?=\S)", text.strip()):
        head, _, columns = entry.partition(":")
        name, oid, kind = head.split()
        pairs = (column.split("=") for column in columns.split())
        yield Declared(
            schema, name, int(oid), kind, pa.schema([(column, _LETTERS[letter]) for column, letter in pairs])
        )


RELATIONS: Mapping[tuple[str, str], Declared] = {
    (one.schema, one.name): one for one in [*_read(PG, PG_CATALOG), *_read(INFORMATION, INFORMATION_SCHEMA)]
}
"""By schema and name."""
