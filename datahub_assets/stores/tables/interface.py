"""What the hub needs of a table store: rows of bytes under a key, in key order. One contract suite holds every store to it.

A store knows nothing of datasets, partitions or known times: those are in the keys (``hbase_format``) and in the commit
log. Every write of rows is idempotent: the same key gets the same bytes again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """A batch of rows: two binary arrays of equal length, without nulls."""

    keys: pa.BinaryArray
    values: pa.BinaryArray

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class CellRows:
    """A batch of rows that have several cells each: keys, and one nullable binary array a column, all of equal length.

    ``columns`` maps a column's full name, ``family:qualifier``, to its cells; null: the row has no such cell. A row that
    is written has a cell at least: HBase keeps cells, and there is no row without one.
    """

    keys: pa.BinaryArray
    columns: Mapping[bytes, pa.BinaryArray]

    def __len__(self) -> int:
        return len(self.keys)


class TableStore(Protocol):
    """Tables of byte rows, keys in the order of their bytes. A key has a byte at least; a value may have none, or 1 MB.

    Names of tables are ``domain.name``; a table comes into being with its first write. The rows of a table have one value
    each (``Rows``) or cells (``CellRows``), as it is declared: ``scan`` and ``get`` are for the former, ``scan_cells`` for
    the latter, everything else for both.

    Raises (all methods):
        StoreUnavailable: the store does not answer.
        StoreCorrupt: the store's own structures are damaged.
    """

    @property
    def scans_at_once(self) -> int:
        """How many scans one reader had better read side by side; 1 where that gains nothing."""
        ...

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        """All rows are durable when this returns; returns how many there were. Keys may come in any order.

        When it does not return, each of the rows is there as given or not at all. What ``batches`` raises passes through.
        """
        ...

    def scan(self, table: str, start: bytes, stop: bytes, *, page_rows: int = 50_000) -> Iterator[Rows]:
        """Rows with start ≤ key < stop in key order, in pages; nothing of an absent table. An empty stop means no end.

        A page has 1 to ``page_rows`` rows, and is ended early where its bytes would be too many. Rows that others write
        meanwhile may be there or not; no row comes twice.
        """
        ...

    def scan_cells(
        self, table: str, start: bytes, stop: bytes, columns: Sequence[bytes], *, page_rows: int = 50_000
    ) -> Iterator[CellRows]:
        """As ``scan``, of a table whose rows have cells; each page has the columns named, in their order, and no others.

        A column that no row has is all null. A row that has none of the columns is left out.
        """
        ...

    def scan_keys(self, table: str, start: bytes, stop: bytes, *, page_rows: int = 50_000) -> Iterator[pa.BinaryArray]:
        """As ``scan``, the keys alone: what rows there are, whatever they hold."""
        ...

    def get(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of keys, None where there is no row."""
        ...

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        """True: the row is there, durably, and this call put it. False: a row was there before and stays as it was."""
        ...

    def increment(self, table: str, key: bytes) -> int:
        """The next number of a counter (1, 2, …), durably: no number is ever given twice.

        The row of a counter is its last number, 8 bytes big-endian (as HBase's own counters are).
        """
        ...

    def delete_range(self, table: str, start: bytes, stop: bytes) -> int:
        """Rows with start ≤ key < stop are gone; returns how many there were."""
        ...

    def tables(self) -> list[str]:
        """Names of the tables that exist, sorted."""
        ...

    def drop(self, table: str) -> None:
        """The table is gone with all its rows, for everyone who has it open; nothing happens when it does not exist."""
        ...
