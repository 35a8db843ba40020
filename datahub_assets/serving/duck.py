"""DuckDBs that can reach nothing: each serves one statement at a time, and has what that statement may read.

Files, extensions and settings are out of reach before the first statement comes. What a statement sees lives in a
database that is attached for it and taken away after it. Idle DuckDBs are kept, because making one takes 20 ms: each for
statements that read the same files of this machine (most read none).
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from datahub_assets.serving.gate import DATABASE
from datahub_assets.serving.granted_files import PROTOCOL, Folder, GrantedFiles
from datahub_assets.serving.linked_files import LinkedFiles, linkable
from datahub_assets.serving.quoting import quoted, texts
from datahub_assets.serving.sources import Source
from datahub_assets.settings import Serving
from datahub_assets.stores.ahead import ahead
from datahub_assets.stores.scratch import Scratch

_READERS = ThreadPoolExecutor(min(4, os.cpu_count() or 2), thread_name_prefix="serving-read")
"""Threads that read pages of tables and files ahead, for all statements: each keeps some 100 MB for its pages."""
_COMPUTED_AHEAD = "1MB"
"""Rows that are computed before they are asked for. With DuckDB's 10 MB the first 100,000 rows of a large relation take twice the
processor's time: whoever wants no more pays for what he does not see."""
_IDLE = 2
"""Idle DuckDBs that are kept for each statement that may compute: 4 MB each."""
_SETTINGS = (
    "SET enable_external_file_cache = false",  # memory is the statements'
    "SET parquet_metadata_cache = true",  # a name always means the same bytes
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL integer_division = true",  # as in PostgreSQL: 1/2 is 0
    "SET GLOBAL default_null_order = 'nulls_last_on_asc_first_on_desc'",  # as in PostgreSQL
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True)
class Place:
    """A relation in a statement's database: SQL over granted files, or a source that is scanned."""

    schema: str
    name: str
    select: str | None = None
    source: Source | None = None


@dataclass
class Contents:
    """All that a statement may read and call."""

    places: list[Place] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)
    macros: list[str] = field(default_factory=list)


class Duck:
    """One DuckDB, for one statement at a time."""

    def __init__(self, limits: Serving, place: Path, linked: Sequence[Folder] = ()) -> None:
        """A DuckDB with temporary files in ``place``; of this machine's files it reaches ``linked``."""
        place.mkdir()
        temporary = place / "temporary"
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": limits.memory, "max_temp_directory_size": limits.temporary,
            "temp_directory": str(temporary), "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
        }  # fmt: skip
        if limits.threads:
            config["threads"] = str(limits.threads)
        self.linked = frozenset(folder.name for folder in linked)
        """Names of the folders that it reaches by links."""
        self._place, self._links = place, LinkedFiles(place / "links", linked)
        self._root = duckdb.connect(":memory:", config=config)
        self._files = GrantedFiles()
        self._root.register_filesystem(self._files)
        reach = (
            f"SET allowed_directories = {texts([f'{PROTOCOL}://', *self._links.directories])}",
            f"SET allowed_paths = {texts(self._links.paths)}",
        )  # nothing but granted files
        self._connection = self._root.cursor()
        self._connection.execute(f"SET streaming_buffer_size = '{_COMPUTED_AHEAD}'")
        for setting in (*reach, *_SETTINGS):
            self._root.execute(setting)
        self._sources = list[str]()

    def furnish(
        self, contents: Contents, failed: Callable[[Exception], None], check: Callable[[], None]
    ) -> duckdb.DuckDBPyConnection:
        """A connection whose current database has these contents and nothing else.

        Args:
            contents: what the statement may read.
            failed: told what a source or store raised while it was read; DuckDB keeps the text only.
            check: asked between the pages of a source; raises when the statement was stopped.
        """
        connection = self._connection
        connection.execute(f"ATTACH ':memory:' AS {DATABASE}")
        connection.execute(f"USE {DATABASE}")
        others = [folder.files for name, folder in contents.folders.items() if name not in self.linked]
        self._files.grant({name: granted for files in others for name, granted in files.items()}, failed)
        for macro in contents.macros:
            connection.execute(macro)
        for number, place in enumerate(contents.places):
            schema, name = quoted(place.schema), quoted(place.name)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            source = f"source {number}"
            if place.source is not None:
                self._sources.append(source)
                connection.register(source, _Scanned(place.source, failed, check))
            select = self._links.named(place.select) if place.select else f'SELECT * FROM "{source}"'
            connection.execute(f"CREATE VIEW {schema}.{name} AS {select}")
        return connection

    def failures(self) -> Iterator[Exception]:
        """What a store says of files that DuckDB was to open by itself; it tells of them in its own words."""
        return self._links.failures()

    def said(self, text: str) -> str:
        """What DuckDB said, without names of this machine's folders."""
        return self._links.said(text)

    def clear(self) -> None:
        """Nothing of the statement is left."""
        self._files.grant({})
        while self._sources:
            self._connection.unregister(self._sources.pop())
        self._connection.execute("USE memory")
        self._connection.execute(f"DETACH DATABASE IF EXISTS {DATABASE}")

    def close(self) -> None:
        """The DuckDB is gone, and its temporary files."""
        self._connection.close()
        self._root.close()
        shutil.rmtree(self._place, ignore_errors=True)


class Ducks:
    """The DuckDBs of a process. How many are taken at once is the caller's business."""

    def __init__(self, limits: Serving) -> None:
        self._limits = limits
        self._scratch = Scratch("serving")
        self._lock = threading.Lock()
        self._idle: list[Duck] = []
        self._made = 0
        self._closed = False

    def take(self, contents: Contents) -> Duck:
        """A DuckDB with nothing in it, for a statement with these contents."""
        linked = linkable(contents.folders.values())
        wanted = frozenset(folder.name for folder in linked)
        with self._lock:
            for duck in reversed(self._idle):
                if duck.linked == wanted:
                    self._idle.remove(duck)
                    return duck
            self._made += 1
            number = self._made
        return Duck(self._limits, self._scratch.path / str(number), linked)

    def give_back(self, duck: Duck) -> None:
        """The DuckDB is free; it is cleared, and kept or closed."""
        try:
            duck.clear()
        except duckdb.Error:  # whatever is wrong with it, another is made
            duck.close()
            return
        with self._lock:
            self._idle.append(duck)
            most = 0 if self._closed else _IDLE * self._limits.running_statements
            ended = [self._idle.pop(0) for _ in range(len(self._idle) - most)]
        for one in ended:
            one.close()

    def close(self) -> None:
        """All that are idle are gone; others go when they are given back."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for duck in idle:
            duck.close()
        self._scratch.close()


class _Scanned(ds.Dataset):  # type: ignore[misc]
    """A source as DuckDB asks for it: it hands over the columns and the conditions that it wants applied."""

    def __init__(self, source: Source, failed: Callable[[Exception], None], check: Callable[[], None]) -> None:
        self._source, self._failed, self._check = source, failed, check

    @property
    def schema(self) -> pa.Schema:
        """All columns; a mask makes nulls of any."""
        return pa.schema([field.with_nullable(True) for field in self._source.schema])

    def scanner(self, columns: list[str] | None = None, filter: pc.Expression | None = None, **_: object) -> "_Scan":
        """One scan."""
        return _Scan(self._source, columns or self._source.schema.names, filter, self._failed, self._check)


class _Scan:
    def __init__(
        self, source: Source, columns: list[str], where: pc.Expression | None, failed: Callable[[Exception], None],
        check: Callable[[], None],
    ) -> None:  # fmt: skip
        self._source, self._columns, self._where = source, columns, where
        self._failed, self._check = failed, check

    def to_reader(self) -> pa.RecordBatchReader:
        schema = pa.schema([self._source.schema.field(name).with_nullable(True) for name in self._columns])
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            for table in ahead(iter(self._source.scan(self._columns, self._where)), _READERS):
                self._check()
                if table.num_rows:
                    yield from table.select(self._columns).cast(schema).to_batches()
        except Exception as error:
            self._failed(error)
            raise


Macros = Mapping[str, str]
"""Functions that a door adds: name in lower case → ``CREATE MACRO …``."""
