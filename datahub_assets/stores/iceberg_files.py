"""What Iceberg has to be told about the hub's Parquet: table schemas from column ids, file entries from footers.

Pure: footers and schemas in, pyiceberg's values out. ``iceberg`` commits them.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    pyarrow_to_schema,
    schema_to_pyarrow,
)
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record
from pyiceberg.types import NestedField

from datahub_assets.stores import parquet


def table_schema(declared: pa.Schema, files: Iterable[pa.Schema], current: Schema | None = None) -> Schema:
    """The table's columns: the declared ones in their order, each as wide as it ever was in the table or its files.

    Args:
        declared: storable columns of the extract now.
        files: storable columns of files that come into the table; those no longer declared are left out.
        current: the table's schema so far: Iceberg forbids to narrow a column.
    """
    types: dict[int, pa.DataType] = {}
    for schema in (*([_hub_types(schema_to_pyarrow(current))] if current is not None else []), *files, declared):
        for field in schema:
            column = parquet.field_id(field.name, field.type)
            types[column] = _widest(types.get(column, field.type), field.type)
    widest = pa.schema([pa.field(f.name, types[parquet.field_id(f.name, f.type)]) for f in declared])
    return pyarrow_to_schema(parquet.with_ids(widest))


def file_entry(url: str, size: int, footer: pq.FileMetaData, table: Schema) -> IcebergFile:
    """The manifest's entry of a file: counts, sizes and bounds of its columns, from the footer alone.

    pyiceberg 0.12's own ``parquet_file_to_data_file`` refuses a file with a column that the table has dropped.
    """
    now = {field.field_id: field for field in table.fields}
    own = pyarrow_to_schema(parquet.with_ids(parquet.storable(footer.schema.to_arrow_schema())))
    schema = Schema(
        *(NestedField(f.field_id, f.name, now.get(f.field_id, f).field_type, required=False) for f in own.fields)
    )
    statistics = data_file_statistics_from_parquet_metadata(
        footer, compute_statistics_plan(schema, {}), parquet_path_to_id_mapping(schema)
    )
    return IcebergFile.from_args(
        content=DataFileContent.DATA, file_path=url, file_format=FileFormat.PARQUET, partition=Record(), spec_id=0,
        file_size_in_bytes=size, sort_order_id=None, equality_ids=None, key_metadata=None, **statistics.to_serialized_dict(),
    )  # fmt: skip


def same_columns(one: Schema, other: Schema) -> bool:
    """Whether both have the same columns: ids, names, types, order."""
    return _columns(one.fields) == _columns(other.fields)


def _columns(fields: Sequence[NestedField]) -> list[tuple[int, str, str]]:
    return [(field.field_id, field.name, str(field.field_type)) for field in fields]


def _widest(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(one):
        return one if one.precision >= other.precision else other
    return one if pa.types.is_int64(one) else other


def _hub_types(schema: pa.Schema) -> pa.Schema:
    known = [(field.name, parquet.logical_type(field.type)) for field in schema]
    return pa.schema([pa.field(name, kind.arrow) for name, kind in known if kind is not None])
