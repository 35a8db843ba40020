"""Scans: pages of rows in key order that go on behind the last row, over a fresh connection, when anything breaks.

From the second page on, a page is asked for before the one in front of it is read, so that HBase works while the reader
does. Pages are small at first and grow to ``PAGE_BYTES``: how large rows are is known only from rows. So is how many cells
they have: HBase gives whole families in two thirds of the time that it takes to pick the same cells by name, so that a scan
begins with families, and goes on by name where that leaves out most cells.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from datahub_assets.errors import StoreUnavailable
from datahub_assets.hbase_format.replies import Batch, rows_reply
from datahub_assets.stores.tables.hbase_errors import ANSWERS, ScannerLost, TableAbsent, hbase_errors
from datahub_assets.stores.tables.hbase_gateways import Gateways
from datahub_assets.stores.tables.hbase_interface import TScan
from datahub_assets.stores.tables.hbase_retry import Patience

PAGE_BYTES = 4 << 20
FIRST_ROWS, FIRST_BYTES = 32, 256 << 10
"""Of a scan's first page, and of the first after a failure: 32 rows (32 MB if they have 1 MB each), or as many as make so
many bytes where it is known how large rows are."""
GROWTH = 16
_CACHED_ROWS = 10_000
"""What a gateway fetches from a region server at once, of at most 2 MB (``hbase.client.scanner.max.result.size``)."""
_KEYS_ONLY = b"FirstKeyOnlyFilter() AND KeyOnlyFilter()"
_METHOD, _CLOSE = "scannerGetList", "scannerClose"


@dataclass(frozen=True)
class Wanted:
    """What a scan is to give.

    Args:
        table: as the hub calls it.
        name: as HBase calls it.
        start, stop: keys, half-open; an empty stop means no end.
        columns: full names; none: keys alone.
        page_rows: rows of a page at most.
        by_name: whether HBase shall give these columns only.
        row_bytes: how large rows of this table were, where that is known.
    """

    table: str
    name: bytes
    start: bytes
    stop: bytes
    columns: Sequence[bytes]
    page_rows: int
    by_name: bool
    row_bytes: int | None = None

    @property
    def first_rows(self) -> int:
        """Rows of the first page."""
        known = FIRST_BYTES // self.row_bytes if self.row_bytes else 0
        return min(max(known, FIRST_ROWS), self.page_rows)

    def leaves_most_out(self, page: Batch) -> bool:
        """Whether most cells of the page are not wanted, so that HBase had better pick those that are."""
        return not self.by_name and page.cells > 2 * len(self.columns) * len(page)

    def thrift(self) -> Any:
        """The scan as Thrift's struct."""
        families = sorted({column.partition(b":")[0] for column in self.columns})
        return TScan(
            startRow=self.start, stopRow=self.stop or None,
            columns=(list(self.columns) if self.by_name else families) or None,
            caching=min(self.page_rows, _CACHED_ROWS), filterString=None if self.columns else _KEYS_ONLY,
        )  # fmt: skip


def pages(gateways: Gateways, wanted: Wanted, patience: Patience, *, binary: bool) -> Iterator[Batch]:
    """The rows, page by page; nothing of an absent table. No page is empty.

    Args:
        gateways: where connections come from.
        wanted: what to read.
        patience: how long to go on trying for the next page.
        binary: the gateways speak Thrift's binary protocol, whose answers are read column-wise.

    Raises:
        StoreUnavailable: HBase did not give the next page.
    """
    left = wanted
    while not left.stop or left.start < left.stop:  # HBase takes equal ends for a question about that row
        try:
            with closing(_pages(gateways, left, binary)) as found:
                for page in found:
                    left = replace(left, start=page.keys[-1].as_py() + b"\0")
                    patience.succeeded()
                    yield page
                    if left.leaves_most_out(page):
                        left = replace(left, by_name=True)
                        break
                else:
                    return
        except TableAbsent:
            return
        except ScannerLost as lost:
            patience.failed(StoreUnavailable("Scanner lost", where=wanted.table, got=str(lost)))
        except StoreUnavailable as error:
            patience.failed(error)


def _pages(gateways: Gateways, wanted: Wanted, binary: bool) -> Generator[Batch, None, None]:
    """One scanner's pages, until the end or until something breaks."""
    with closing(_Scanner(gateways, wanted, binary)) as scanner:
        scanner.ask(wanted.first_rows)
        page = scanner.answer()
        if len(page):
            yield page
        if not scanner.ended:
            scanner.ask_for_more()
        while not scanner.ended:
            scanner.ask_for_more()
            page = scanner.answer()
            if len(page):
                yield page


class _Scanner:
    """An open scanner, on a connection of its own."""

    def __init__(self, gateways: Gateways, wanted: Wanted, binary: bool) -> None:
        self._gateways, self._wanted, self._binary = gateways, wanted, binary
        self._size = self._rows = 0
        self._asked: deque[int] = deque()
        self._largest = 0
        self._id: int | None = None
        self._broken = False
        self.ended = False
        """Whether all rows have been given."""
        self._lease = gateways.lease()
        try:
            self._id = self._call(lambda: self._client.scannerOpenWithScan(wanted.name, wanted.thrift(), {}))
        except BaseException:
            self.close()
            raise

    @property
    def _client(self) -> Any:
        return self._lease.client

    def ask(self, rows: int) -> None:
        """So many rows are asked for."""
        # thriftpy2 0.7: _send and _recv are the halves of a call
        self._call(lambda: self._client._send(_METHOD, id=self._id, nbRows=rows))
        self._asked.append(rows)
        self._largest = max(rows, self._largest)

    def ask_for_more(self) -> None:
        """The next page is asked for, of as many rows as make ``PAGE_BYTES`` by what came so far."""
        fitting = PAGE_BYTES * self._rows // max(self._size, 1)
        self.ask(max(1, min(fitting, GROWTH * self._largest, self._wanted.page_rows)))

    def answer(self) -> Batch:
        """The rows that were asked for, or as many as there still are."""
        asked = self._asked.popleft()
        page: Batch = self._call(self._column_wise if self._binary else self._row_by_row)
        self.ended = self.ended or len(page) < asked
        self._rows += len(page)
        self._size += page.nbytes
        return page

    def close(self) -> None:
        """The scanner is closed, and the connection given back if all that was asked on it has been answered."""
        while self._asked and not self._broken:
            with suppress(Exception):  # an answer that says no is one too; after anything else the connection is broken
                self.answer()
        with suppress(Exception):
            if self._id is not None and not self._broken:
                self._call(lambda: self._client._send(_CLOSE, id=self._id))
                self._lease.owed.append(_CLOSE)
        if self._broken:
            self._gateways.discard(self._lease)
        else:
            self._gateways.give_back(self._lease)

    def _call(self, call: Callable[[], Any]) -> Any:
        """What the call returns. After anything but a whole answer the connection is broken."""
        broken, self._broken = self._broken, True
        with hbase_errors(self._wanted.table, self._wanted.name, self._lease.gateway):
            try:
                found = call()
            except ANSWERS:
                self._broken = broken
                raise
        self._broken = broken
        return found

    def _column_wise(self) -> Batch:
        read, reply = self._lease.connection.transport.read, rows_reply(self._wanted.columns)
        wanted = next(reply)
        while True:
            try:
                wanted = reply.send(read(wanted))
            except StopIteration as end:
                batch: Batch = end.value
                return batch

    def _row_by_row(self) -> Batch:
        """As ``_column_wise``, from the objects of generated code: slower by far, for the compact protocol."""
        rows = self._client._recv(_METHOD)
        cells = [
            [row.columns[name].value if name in row.columns else None for row in rows] for name in self._wanted.columns
        ]
        return Batch(
            pa.array([row.row for row in rows], pa.binary()), tuple(pa.array(column, pa.binary()) for column in cells),
            sum(len(row.columns) for row in rows),
        )  # fmt: skip
