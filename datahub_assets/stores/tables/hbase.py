"""The table store on a real HBase or MapR-DB, through Thrift 1 gateways: happybase's connections, tables and counters.

Rows are written as frames built column-wise (``hbase_format.frames``, ``hbase_write``) and read out of the gateways'
bytes (``hbase_format.replies``, ``hbase_scan``). What is a table of the hub is a table of HBase: the prefix of the
settings, then ``domain.name``. The bytes of keys and cells are specified in ``docs/formats/hbase-tables.md``.

Cells have HBase's own timestamps: the order of versions is in the keys, and a table keeps one version of a cell.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import happybase
import numpy as np
import pyarrow as pa

from datahub_assets.errors import StoreUnavailable
from datahub_assets.hbase_format.frames import Frame, delete_frames, put_frames
from datahub_assets.hbase_format.nothing import cells_of, values_of
from datahub_assets.hbase_format.replies import Batch
from datahub_assets.hbase_format.thrift import encoding_of
from datahub_assets.stores.roots import open_files, root_url
from datahub_assets.stores.tables.hbase_errors import TableAbsent, hbase_errors
from datahub_assets.stores.tables.hbase_gateways import Gateways, GatewaysUnreachable, Lease
from datahub_assets.stores.tables.hbase_hfiles import HFileWriter, Large, first_row
from datahub_assets.stores.tables.hbase_interface import Mutation
from datahub_assets.stores.tables.hbase_load import Staging
from datahub_assets.stores.tables.hbase_options import Form, HBaseOptions
from datahub_assets.stores.tables.hbase_retry import Patience
from datahub_assets.stores.tables.hbase_scan import Wanted, pages
from datahub_assets.stores.tables.hbase_tables import Difference, create, differences, drop, unseen
from datahub_assets.stores.tables.hbase_write import FrameWriter
from datahub_assets.stores.tables.interface import CellRows, Rows
from datahub_assets.stores.webhdfs.options import WebHdfsOptions

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
PACKED = b"d:r"
"""The column of rows that have one value."""
_KEYS_AT_ONCE = 200
_PAGE_ROWS = 50_000
_CLOCK_TICK = 0.002
"""HBase's timestamps are milliseconds, and what is deleted hides what is put in the same one."""


class HBaseTableStore:
    """Tables in HBase. Safe for many threads and processes; a forked process makes connections of its own."""

    def __init__(
        self,
        options: HBaseOptions,
        form: Callable[[str], Form] = lambda _: Form(),
        webhdfs: WebHdfsOptions | None = None,
    ) -> None:
        """Use the gateways of the options; nothing is connected yet. ``form`` tells how a table is declared, ``webhdfs`` how
        a staging folder by WebHDFS is reached.

        Raises:
            DeclarationError: the connection factory cannot be imported.
        """
        self.options, self._form, self._webhdfs = options, form, webhdfs or WebHdfsOptions()
        self._gateways = Gateways(options)
        self._encoding = encoding_of(options.protocol)
        self._seen: set[str] = set()
        self._row_bytes: dict[tuple[str, tuple[bytes, ...]], int] = {}

    @property
    def scans_at_once(self) -> int:
        """See ``TableStore.scans_at_once``."""
        return self.options.read_connections

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        """See ``TableStore.write``. Many rows go as files, where a staging folder is set and can be reached."""
        if self.options.hfile_staging:
            large = Large(batches, self.options.hfile_rows, self.options.hfile_bytes)
            if large.found:
                try:
                    staging = self._staging(table)
                except StoreUnavailable as error:
                    _LOG.warning("%s: rows go through the gateways; %s", table, error)
                else:
                    return self._write_files(table, large, staging)
            batches = large.all()
        return self._write_frames(table, batches)

    def write_as_files(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        """As ``write``, of a row at least, as files however few they are.

        Raises:
            StoreUnavailable: also when the staging folder cannot be reached.
        """
        staging = self._staging(table)
        return self._write_files(table, Large(batches, 1, self.options.hfile_bytes), staging)

    def _write_files(self, table: str, large: Large, staging: Staging) -> int:
        first = first_row(large.first)
        self._write_frames(table, [first])
        (key,) = first.keys.to_pylist()
        cells = self._call(table, lambda lease: self._table(lease, table).row(key, include_timestamp=True))
        writer = HFileWriter(staging, self.options, self._form(table), lambda: self._region_starts(table))
        return writer.write(large.all(), max(timestamp for _, timestamp in cells.values()))

    def _staging(self, table: str) -> Staging:
        """Where files for HBase are staged.

        Raises:
            StoreUnavailable: it cannot be reached now.
        """
        place = str(self.options.hfile_staging)
        try:
            files = open_files(root_url(place, Path()), self._webhdfs)
            return Staging(files, self.options, self._name(table), self._patience, lambda row: self._has(table, row))
        except StoreUnavailable as error:
            raise StoreUnavailable(
                "HBase's staging folder cannot be reached", where=f"hbase.hfile_staging = {place}", got=str(error),
                remedy="Is the folder there, and may the hub's user write into it?",
            ) from error  # fmt: skip

    def _has(self, table: str, row: bytes) -> bool:
        return next(self.scan_keys(table, row, row + b"\0"), None) is not None

    def _region_starts(self, table: str) -> list[bytes]:
        regions = self._call(table, lambda lease: lease.client.getTableRegions(self._name(table)))
        return [region.startKey for region in regions]

    def _write_frames(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        total = 0

        def frames() -> Iterator[Frame]:
            nonlocal total
            for batch in batches:
                if table not in self._seen and len(batch):  # or a gateway would look for the table once a row
                    self.make(table)
                    self._seen.add(table)
                total += len(batch)
                columns = {PACKED: cells_of(batch.values)} if isinstance(batch, Rows) else batch.columns
                yield from put_frames(self._encoding, self._name(table), batch.keys, columns, self.options.frame_bytes)

        self._writer(table).write(frames(), self.options.write_connections)
        return total

    def scan(self, table: str, start: bytes, stop: bytes, *, page_rows: int = _PAGE_ROWS) -> Iterator[Rows]:
        """See ``TableStore.scan``."""
        for page in self._pages(table, start, stop, [PACKED], page_rows):
            yield Rows(page.keys, values_of(page.columns[0]))

    def scan_cells(
        self, table: str, start: bytes, stop: bytes, columns: Sequence[bytes], *, page_rows: int = _PAGE_ROWS
    ) -> Iterator[CellRows]:
        """See ``TableStore.scan_cells``."""
        for page in self._pages(table, start, stop, columns, page_rows):
            rows = _with_cells(CellRows(page.keys, dict(zip(columns, page.columns, strict=True))))
            if len(rows):
                yield rows

    def scan_keys(
        self, table: str, start: bytes, stop: bytes, *, page_rows: int = _PAGE_ROWS
    ) -> Iterator[pa.BinaryArray]:
        """See ``TableStore.scan_keys``."""
        return (page.keys for page in self._pages(table, start, stop, (), page_rows))

    def get(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """See ``TableStore.get``."""
        found: dict[bytes, bytes] = {}
        distinct = list(dict.fromkeys(keys))
        for i in range(0, len(distinct), _KEYS_AT_ONCE):
            found.update(self._cells(table, distinct[i : i + _KEYS_AT_ONCE]))
        values = values_of(pa.array(found.values(), pa.binary())).to_pylist()
        by_key = dict(zip(found, values, strict=True))
        return [by_key.get(key) for key in keys]

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        """See ``TableStore.put_if_absent``. Not tried again once it may have been done: the caller reads what is there."""
        put = Mutation(column=PACKED, value=cells_of(pa.array([value], pa.binary()))[0].as_py())
        name = self._name(table)
        return bool(
            self._call(
                table, lambda lease: lease.client.checkAndPut(name, key, PACKED, None, put, {}), make=True, again=False
            )
        )

    def increment(self, table: str, key: bytes) -> int:
        """See ``TableStore.increment``. A number whose answer is lost is a gap."""
        return int(self._call(table, lambda lease: self._table(lease, table).counter_inc(key, PACKED), make=True))

    def delete_range(self, table: str, start: bytes, stop: bytes) -> int:
        """See ``TableStore.delete_range``."""
        name, total = self._name(table), 0
        try:
            families = [
                family.rstrip(b":") for family in self._call(table, lambda at: at.client.getColumnDescriptors(name))
            ]
            for keys in self.scan_keys(table, start, stop):
                frames = delete_frames(self._encoding, name, keys, families, self.options.frame_bytes)
                self._writer(table, make=False).write(frames, self.options.write_connections)
                total += len(keys)
        except TableAbsent:
            pass
        time.sleep(_CLOCK_TICK if total else 0)
        return total

    def tables(self) -> list[str]:
        """See ``TableStore.tables``."""
        prefix = self.options.table_prefix
        names = [name.decode() for name in self._call("tables", lambda lease: lease.client.getTableNames())]
        ours = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
        return sorted(name for name in ours if name.count(".") == 1 and not set(name) & set(":/"))

    def drop(self, table: str) -> None:
        """See ``TableStore.drop``."""
        with suppress(TableAbsent):
            self._call(table, lambda lease: drop(lease.client, self._name(table)))

    def make(self, table: str) -> bool:
        """The table is there; whether this call made it."""
        form = self._form(table)
        return bool(self._call(table, lambda lease: create(lease.client, self._name(table), form)))

    def differences(self, table: str) -> list[Difference] | None:
        """What about a table is not as declared, as far as Thrift shows it; None where there is no such table."""
        form = self._form(table)
        try:
            return self._call(table, lambda lease: differences(lease.client, self._name(table), form))
        except TableAbsent:
            return None

    def unseen(self, table: str) -> list[Difference]:
        """What of the declaration Thrift neither sets nor shows."""
        return unseen(self._name(table), self._form(table))

    def close(self) -> None:
        """Idle connections are closed; the next call opens new ones."""
        self._gateways.close()

    def _cells(self, table: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The cells of rows with one value, by key; rows that are not there are left out."""
        try:
            rows = self._call(table, lambda lease: self._table(lease, table).rows(keys, [PACKED]))
        except TableAbsent:
            return {}
        return {key: cells[PACKED] for key, cells in rows}

    def _name(self, table: str) -> bytes:
        return f"{self.options.table_prefix}{table}".encode()

    def _table(self, lease: Lease, table: str) -> happybase.Table:
        return lease.connection.table(self._name(table))

    def _patience(self) -> Patience:
        return Patience(self.options.patience_seconds, lambda: self._gateways.reached)

    def _writer(self, table: str, *, make: bool = True) -> FrameWriter:
        def create() -> None:
            if not make:
                raise TableAbsent(table)
            self.make(table)

        return FrameWriter(self._gateways, table, self._name(table), create, self._patience)

    def _pages(
        self, table: str, start: bytes, stop: bytes, columns: Sequence[bytes], page_rows: int
    ) -> Iterator[Batch]:
        what = (table, tuple(columns))
        wanted = Wanted(
            table, self._name(table), start, stop, columns, page_rows,
            by_name=len(columns) == 1, row_bytes=self._row_bytes.get(what),
        )  # fmt: skip
        for page in pages(self._gateways, wanted, self._patience(), binary=self.options.protocol == "binary"):
            self._row_bytes[what] = max(page.nbytes // len(page), self._row_bytes.get(what, 1))
            yield page

    def _call(self, table: str, call: Callable[[Lease], T], *, make: bool = False, again: bool = True) -> T:
        """What the call returns. ``make``: an absent table is made; ``again``: a call that may have been done is repeated.

        Raises:
            TableAbsent: the table is absent, and not to be made.
        """
        patience, made = self._patience(), False
        while True:
            try:
                lease = self._gateways.lease()
                with hbase_errors(table, self._name(table), lease.gateway), self._gateways.using(lease):
                    return call(lease)
            except TableAbsent:
                if not make:
                    raise
                if made:
                    patience.failed(StoreUnavailable("Table comes and goes", where=table))
                made = True
                self.make(table)
            except GatewaysUnreachable as error:
                patience.failed(error)
            except StoreUnavailable as error:
                if not again:
                    raise
                patience.failed(error)


def _with_cells(rows: CellRows) -> CellRows:
    """The rows that have one of the cells at least."""
    columns = rows.columns.values()
    if any(not column.null_count for column in columns):
        return rows
    there = np.any([column.is_valid().to_numpy(zero_copy_only=False) for column in columns], axis=0)
    if there.all():
        return rows
    kept = pa.array(np.flatnonzero(there))
    return CellRows(rows.keys.take(kept), {name: column.take(kept) for name, column in rows.columns.items()})
