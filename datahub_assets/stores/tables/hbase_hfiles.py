"""Many rows written as HFiles, past gateways and write-ahead log: sorted in runs, cut at region boundaries, then loaded.

A run is as many rows as are sorted in memory at once; each gives a file a region and family. The rows' timestamps are HBase's:
that of a row that was put through a gateway first, so that deletions before and after do what they would do to frames. Rows
are invisible until the commit log names them, whatever part of them has been loaded: a writer that was killed leaves
orphans, as with frames, and files that the next writers of the table remove.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain

import pyarrow as pa

from datahub_assets.hbase_format.hfile_blocks import Codec
from datahub_assets.hbase_format.hfile_cells import family_rows
from datahub_assets.hbase_format.hfiles import FileForm, HFile
from datahub_assets.hbase_format.nothing import cells_of
from datahub_assets.hbase_format.row_order import KEY, as_table, families, in_order, regions_of
from datahub_assets.stores.ahead import ahead
from datahub_assets.stores.tables.hbase_load import FILES_AT_ONCE, Staging
from datahub_assets.stores.tables.hbase_options import Form, HBaseOptions
from datahub_assets.stores.tables.interface import CellRows, Rows

_LOG = logging.getLogger(__name__)
_PACKED = b"d:r"
Batches = Iterable[Rows | CellRows]


class Large:
    """Whether what is to be written has so many rows, or so many bytes, that it had better be written as files."""

    def __init__(self, batches: Batches, rows: int, size: int) -> None:
        """Batches are taken until it is known."""
        self._coming, self._taken = iter(batches), list[Rows | CellRows]()
        self._problem: Exception | None = None
        self.found = False
        count = held = 0
        try:
            for batch in self._coming:
                self._taken.append(batch)
                count, held = count + len(batch), held + size_of(batch)
                self.found = count >= rows or held >= size
                if self.found:
                    return
        except Exception as problem:  # raised again when all that came before has been taken
            self._problem = problem

    @property
    def first(self) -> Rows | CellRows:
        """The first batch that has rows, while none has been taken."""
        return next(batch for batch in self._taken if len(batch))

    def all(self) -> Iterator[Rows | CellRows]:
        """All batches, once."""
        while self._taken:
            yield self._taken.pop(0)
        if self._problem:
            raise self._problem
        yield from self._coming


class HFileWriter:
    """Writes rows of one table as files."""

    def __init__(
        self, staging: Staging, options: HBaseOptions, form: Form, starts: Callable[[], Sequence[bytes]]
    ) -> None:
        """Stage there; ``starts`` gives the first keys of the table's regions."""
        self._staging, self._options, self._starts = staging, options, starts
        self._form = file_form(form)

    def write(self, batches: Batches, timestamp: int) -> int:
        """All rows are durable, with that timestamp; how many there were. What ``batches`` raises passes through, after
        the rows before it have been loaded.
        """
        count = runs = 0
        form = replace(self._form, timestamp=timestamp, created=int(time.time() * 1000))
        problems: list[Exception] = []
        try:
            with closing(ahead(self._runs(batches, problems))) as coming:
                for rows, run in coming:
                    self._stage(run, form)
                    count, runs = count + rows, runs + 1
                    if runs % FILES_AT_ONCE == 0:
                        self._staging.load()
            if runs % FILES_AT_ONCE:
                self._staging.load()
        finally:
            self._staging.clear()
        if problems:
            raise problems[0]
        return count

    def _runs(self, batches: Batches, problems: list[Exception]) -> Generator[tuple[int, pa.Table], None, None]:
        """Rows in order, as many as are sorted at once, and how many were given."""
        parts, count, size = list[pa.Table](), 0, 0
        try:
            for batch in batches:
                parts.append(_as_table(batch))
                count, size = count + len(batch), size + size_of(batch)
                if size >= self._options.hfile_bytes:
                    yield count, in_order(parts)
                    parts, count, size = [], 0, 0
        except Exception as problem:  # the source's
            problems.append(problem)
        if count:
            yield count, in_order(parts)

    def _stage(self, run: pa.Table, form: FileForm) -> None:
        for rows in regions_of(run, self._starts()):
            last = rows[KEY][len(rows) - 1].as_py()
            names = {bytes.fromhex(name).partition(b":")[0] for name in rows.column_names[1:]}
            for family in sorted(names):
                chunks = _file(rows, family, form)
                if (first := next(chunks, None)) is not None:
                    self._staging.add(family, last, chain([first], chunks))


def file_form(form: Form) -> FileForm:
    """How files are made for a table that is declared so. What cannot be written is left out, and said: HBase reads files of
    any form, and compacts them into the declared one.
    """
    codec: Codec = "gz" if form.compression == "gz" else "none"
    given_up = [
        *([f"compression {form.compression}"] if codec != form.compression else []),
        *([f"block encoding {form.block_encoding}"] if form.block_encoding != "none" else []),
        *([f"bloom filter {form.bloom}"] if form.bloom == "rowcol" else []),
    ]
    if given_up:
        _LOG.info("files for HBase are written without %s, until HBase compacts them", ", ".join(given_up))
    return FileForm(0, 0, codec, form.bloom == "row")


def size_of(batch: Rows | CellRows) -> int:
    """Bytes of keys and values."""
    arrays = [batch.values] if isinstance(batch, Rows) else batch.columns.values()
    return int(batch.keys.nbytes + sum(array.nbytes for array in arrays))


def _as_table(batch: Rows | CellRows) -> pa.Table:
    return as_table(batch.keys, {_PACKED: cells_of(batch.values)} if isinstance(batch, Rows) else batch.columns)


def _file(rows: pa.Table, family: bytes, form: FileForm) -> Generator[bytes, None, None]:
    """The bytes of the family's file; none where no row has a cell in it."""
    file, empty = HFile(form), True
    for keys, columns in families(rows):
        found = family_rows(keys, family, columns[family], form.timestamp)
        if found is not None:
            empty = False
            yield b"".join(file.add(found))
    if not empty:
        yield b"".join(file.finish())


def first_row(batch: Rows | CellRows) -> Rows | CellRows:
    """The first row alone."""
    if isinstance(batch, Rows):
        return Rows(batch.keys[:1], batch.values[:1])
    return CellRows(batch.keys[:1], {name: column[:1] for name, column in batch.columns.items()})
