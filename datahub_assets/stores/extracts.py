"""Extracts as immutable Parquet: one file set a (partition, write id), compacted files over several partitions.

Which files are current is decided by the commit log alone (``Change.files``); nothing here lists a folder. Rows come in
strict key order and go out in it, each batch once. Encoding is ``parquet``'s, Iceberg tables over the files ``iceberg``'s.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datahub_assets.errors import DeclarationError, StoreCorrupt
from datahub_assets.history.log import DataFile
from datahub_assets.schema.contract import BUSINESS_DATE
from datahub_assets.stores import parquet
from datahub_assets.stores.files import FileStore

MAX_FILE_BYTES = 256 << 20
BATCH_ROWS = 1 << 16


class ExtractStore:
    """The Parquet files of all extracts, below ``extracts/<domain>/<name>/``."""

    def __init__(self, files: FileStore, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        """Keep them in that store; a file set starts a new file once one has reached ``max_file_bytes``."""
        self.files, self._max_file_bytes = files, max_file_bytes

    def write(
        self,
        dataset: str,
        partition: str,
        write_id: int,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        key: Sequence[str],
    ) -> tuple[DataFile, ...]:
        """The rows lie in files of (partition, write id), durable. The same rows again give the same bytes and change nothing.

        Args:
            dataset: domain/name.
            partition: ISO business date.
            write_id: T, unique in the dataset.
            schema: columns and order; stored in the types of ``parquet.storable``.
            batches: the partition's rows in strictly rising order of the key (SQL: ``ORDER BY`` its columns), any sizes.
            key: columns of the key, none of them null.

        Returns:
            The files in row order; one without rows when there are none, so that the columns can be read.

        Raises:
            DeclarationError: rows out of key order, twice or with a null in the key; of another business date; columns
                that cannot be stored.
            StoreConflict: the names are taken by other rows.

        Memory: one row group (2¹⁸ rows or 2²² cells).
        """
        stored = parquet.storable(schema, dataset)
        _require_business_date(stored, dataset)
        groups = parquet.row_groups(batches, stored)
        checked = _in_key_order(_of_business_date(groups, partition, dataset), key, f"{dataset} {partition}")
        files, following = list[DataFile](), next(checked, stored.empty_table())
        while following is not None:
            path = f"{_folder(dataset)}/{partition}/T{write_id:012d}-{len(files)}.parquet"
            counted = _Counted(following, checked)
            files.append(self._publish(path, counted, stored, key, (partition,), self._max_file_bytes))
            following = next(checked, None)
        return tuple(files)

    def compact(
        self,
        dataset: str,
        partitions: Mapping[str, Sequence[DataFile]],
        write_id: int,
        schema: pa.Schema,
        key: Sequence[str],
    ) -> DataFile:
        """One file holds all rows of the partitions, by partition then key. Their rows are as they were.

        Columns are those of ``schema``; a file that lacks one has nulls there. The old files stay: the log names them.
        """
        stored = parquet.storable(schema, dataset)
        ordered = sorted(partitions)
        batches = (batch for name in ordered for batch in self.read(partitions[name], name, schema=stored))
        path = f"{_folder(dataset)}/compacted/T{write_id:012d}-0.parquet"
        return self._publish(
            path, _Counted(None, parquet.row_groups(batches, stored)), stored, (BUSINESS_DATE, *key), tuple(ordered)
        )

    def rest(self, file: DataFile, partitions: Sequence[str], folder: str) -> DataFile:
        """A file of only those partitions of a compacted file, below ``folder``; the same again changes nothing."""
        ordered = tuple(sorted(partitions))
        tag = parquet.field_id(" ".join((file.path, *ordered)), pa.null())
        schema = self.schema([file])
        batches = (batch for name in ordered for batch in self.read([file], name, schema=schema))
        path = f"{folder}/{file.path.rsplit('/', 1)[-1].removesuffix('.parquet')}-rest-{tag:08x}.parquet"
        return self._publish(path, _Counted(None, parquet.row_groups(batches, schema)), schema, (), ordered)

    def read(
        self, files: Sequence[DataFile], partition: str | None = None, columns: Sequence[str] | None = None,
        schema: pa.Schema | None = None,
    ) -> pa.RecordBatchReader:  # fmt: skip
        """The rows of the files in stored order, streamed; of a file over several partitions only ``partition``'s.

        Args:
            files: as the log names them. Without any, ``schema`` is needed.
            partition: ISO business date; None reads all rows.
            columns: only those, in that order.
            schema: the columns that are wanted, whatever the files' age: cast, and null where a file lacks one.

        Raises:
            StoreCorrupt: a file is gone or is not the Parquet that was written.
        """
        whole = schema if schema is not None else self.schema(files)
        wanted = pa.schema([whole.field(name) for name in columns]) if columns is not None else whole
        return pa.RecordBatchReader.from_batches(
            wanted, (batch for file in files for batch in self._rows(file, partition, wanted))
        )

    def schema(self, files: Sequence[DataFile]) -> pa.Schema:
        """Columns of the files together, in the first one's order; a column that was widened is as wide as its widest."""
        schemas = []
        for file in files:
            with self._open(file) as source:
                schemas.append(parquet.storable(source.schema_arrow))
        return pa.unify_schemas(schemas, promote_options="permissive")

    def metadata(self, file: DataFile) -> pq.FileMetaData:
        """The Parquet footer of a file."""
        with self._open(file) as source:
            return source.metadata

    def open(self, file: DataFile) -> BinaryIO:
        """The file's bytes, seekable.

        Raises:
            StoreCorrupt: it is gone or has another length.
        """
        try:
            handle = self.files.open(file.path)
        except FileNotFoundError as error:
            raise _unreadable(file, str(error)) from error
        size = handle.seek(0, io.SEEK_END)
        handle.seek(0)
        if size != file.size:
            handle.close()
            raise _unreadable(file, f"{size} bytes")
        return handle

    def remove(self, files: Iterable[DataFile]) -> None:
        """The files are gone. The caller has made sure that no position that may be read needs them."""
        for file in files:
            self.files.remove(file.path)

    def _publish(
        self, path: str, groups: "_Counted", schema: pa.Schema, key: Sequence[str], partitions: tuple[str, ...],
        max_bytes: int | None = None,
    ) -> DataFile:  # fmt: skip
        facts = self.files.publish(path, parquet.encoded(groups, schema, key, max_bytes))
        return DataFile(path, groups.rows, facts.size, facts.sha256, partitions)

    @contextmanager
    def _open(self, file: DataFile) -> Iterator[pq.ParquetFile]:
        try:
            with self.open(file) as handle, pq.ParquetFile(handle) as source:
                yield source
        except pa.ArrowInvalid as error:
            raise _unreadable(file, str(error)) from error

    def _rows(self, file: DataFile, partition: str | None, wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
        day = date.fromisoformat(partition) if partition is not None and file.partitions != (partition,) else None
        with self._open(file) as source:
            present = [name for name in wanted.names if name in source.schema_arrow.names]
            needed = present if day is None or BUSINESS_DATE in present else [*present, BUSINESS_DATE]
            groups = range(source.num_row_groups) if day is None else _groups_of(source.metadata, day)
            for batch in source.iter_batches(BATCH_ROWS, row_groups=list(groups), columns=needed):
                rows = (
                    batch if day is None else batch.filter(pc.equal(batch[BUSINESS_DATE], pa.scalar(day, pa.date32())))
                )
                if rows.num_rows:
                    yield _shaped(rows, wanted)


class _Counted:
    """Row groups, counted as they go by; stops where its reader stops, and leaves the others to the next."""

    def __init__(self, first: pa.Table | None, following: Iterator[pa.Table]) -> None:
        self._first, self._following, self.rows = first, following, 0

    def __iter__(self) -> Iterator[pa.Table]:
        if self._first is not None:
            self.rows += self._first.num_rows
            yield self._first
        for group in self._following:
            self.rows += group.num_rows
            yield group


def _folder(dataset: str) -> str:
    return f"extracts/{dataset}"


def _require_business_date(schema: pa.Schema, dataset: str) -> None:
    got = str(schema.field(BUSINESS_DATE).type) if BUSINESS_DATE in schema.names else "no such column"
    if got != "date32[day]":
        raise DeclarationError(
            "Extract lacks its partition", where=f"{dataset}.{BUSINESS_DATE}", got=got, expected="a column of type date",
            remedy=f"Select CAST($business_date AS DATE) AS {BUSINESS_DATE}",
        )  # fmt: skip


def _of_business_date(groups: Iterable[pa.Table], partition: str, dataset: str) -> Iterator[pa.Table]:
    day = pa.scalar(date.fromisoformat(partition), pa.date32())
    for group in groups:
        column = group[BUSINESS_DATE]
        index = pc.index(pc.fill_null(pc.equal(column, day), False), False).as_py()
        if index >= 0:
            raise DeclarationError(
                "Row of another business date", where=f"{dataset} {partition}", got=str(column[index].as_py()),
                expected=partition,
                remedy=f"Add WHERE {BUSINESS_DATE} = $business_date to the extract's SQL",
            )  # fmt: skip
        yield group


def _unreadable(file: DataFile, got: str) -> StoreCorrupt:
    return StoreCorrupt(
        "Extract file cannot be read", where=file.path, got=got, expected=f"{file.size} bytes, SHA-256 {file.sha256}",
        remedy="Restore it from a backup, or run: datahub rebuild",
    )  # fmt: skip


def _in_key_order(groups: Iterable[pa.Table], key: Sequence[str], where: str) -> Iterator[pa.Table]:
    last: pa.Table | None = None
    for group in groups:
        keys = group.select(list(key)) if last is None else pa.concat_tables([last, group.select(list(key))])
        index = parquet.first_disorder(keys, key)
        if index is not None:
            raise DeclarationError(
                "Rows are not in strict key order", where=where, got=str(list(keys.slice(index, 1).to_pylist()[0].values())),
                expected=f"each ({', '.join(key)}) once, none null, rising",
                remedy="Correct the extract's key, or its SQL where it multiplies rows",
            )  # fmt: skip
        last = keys.slice(keys.num_rows - 1)
        yield group


def _groups_of(metadata: pq.FileMetaData, day: date) -> Iterator[int]:
    column = metadata.schema.to_arrow_schema().get_field_index(BUSINESS_DATE)
    for index in range(metadata.num_row_groups):
        statistics = metadata.row_group(index).column(column).statistics
        if statistics is None or not statistics.has_min_max or statistics.min <= day <= statistics.max:
            yield index


def _shaped(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    columns = [
        batch[field.name].cast(field.type) if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
        for field in wanted
    ]
    return pa.RecordBatch.from_arrays(columns, schema=wanted)
