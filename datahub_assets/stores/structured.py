"""Rows of structured datasets in their tables, under write ids: encoded, written, read back, removed.

What is committed is the log's business: everything here is told which write id to read. Bytes are ``hbase_format``'s.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from datahub_assets.catalogue.models import TableOptions
from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.cells import cell_columns
from datahub_assets.hbase_format.keys import encode_key_columns
from datahub_assets.hbase_format.ranges import KeyRange, key_ranges, snapshot_ranges, table_ranges
from datahub_assets.hbase_format.rows import (
    canonical_encoded,
    canonical_rows,
    decode_batch,
    decode_cell_batch,
    encode_batches,
    encode_cell_batches,
    key_columns_of,
)
from datahub_assets.history.digest import EMPTY, Digest, Hashes, digest_of_hashes, row_hashes
from datahub_assets.history.snapshot import Counts, count_differences
from datahub_assets.schema.contract import Contract, RowLayout
from datahub_assets.stores.ahead import ahead
from datahub_assets.stores.side_by_side import side_by_side
from datahub_assets.stores.tables.interface import CellRows, Rows, TableStore

READ_AHEAD = 64 << 20
"""Bytes of decoded rows of a salted table that may wait for their turn."""
Contracts = Callable[[str], Mapping[int, Contract]]


@dataclass
class ImageSummary:
    """What one image says, without its rows: count, digest and, where a difference is wanted, hashes a row.

    Cost: 24 bytes a row when hashes are kept, nothing otherwise.
    """

    keep_hashes: bool = False
    digest: Digest = EMPTY
    keys: list[Hashes] = field(default_factory=list)
    rows: list[Hashes] = field(default_factory=list)

    def add(self, contract: Contract, table: pa.Table) -> None:
        """Count these rows in."""
        hashes = row_hashes(canonical_rows(contract, table))
        self.digest += digest_of_hashes(hashes)
        if self.keep_hashes:
            self.keys.append(row_hashes(encode_key_columns(contract, table))[:, 0])
            self.rows.append(hashes)

    def add_encoded(self, contract: Contract, rows: Rows, salt_buckets: int) -> None:
        """As ``add``, for rows of a snapshot that are encoded already: half the time."""
        hashes = row_hashes(canonical_encoded(contract, rows.keys, rows.values, salt_buckets))
        self.digest += digest_of_hashes(hashes)
        if self.keep_hashes:
            self.keys.append(row_hashes(key_columns_of(rows.keys, salt_buckets))[:, 0])
            self.rows.append(hashes)

    def differences_from(self, before: "ImageSummary") -> Counts:
        """Rows added, changed and removed since the image before."""
        if not before.digest.count:
            return Counts(self.digest.count, 0, 0)
        return count_differences(*_joined(before), *_joined(self))


class StructuredStore:
    """Rows of structured datasets in a table store. Tables are named ``domain.name``."""

    def __init__(
        self,
        tables: TableStore,
        contracts: Contracts,
        options: Callable[[str], TableOptions] = lambda _: TableOptions(),
    ) -> None:
        """Use the tables; ``contracts`` tells a dataset's contract versions, ``options`` how its table is kept."""
        self._tables, self._contracts, self._options = tables, contracts, options

    def write(
        self,
        contract: Contract,
        batches: Iterable[tuple[str | None, pa.Table]],
        write_id: int,
        summaries: Mapping[str | None, ImageSummary] | None = None,
    ) -> int:
        """The rows are durable under the write id, and nobody sees them until a log entry names it. Idempotent.

        Args:
            contract: what the rows are held to; its version is written with them.
            batches: pairs of partition (None: bitemporal) and rows with ``contract.stored_schema``. They are taken and
                encoded in a thread of their own, while the batch before them is written.
            write_id: T.
            summaries: of partitions; their rows are counted in.
        """
        with closing(ahead(self._encoded(contract, batches, write_id, summaries or {}))) as encoded:
            return self._tables.write(table_name(contract.dataset), encoded)

    def read(
        self,
        contract: Contract,
        partition: str,
        write_id: int,
        columns: Sequence[str] | None = None,
        rows: int | None = None,
    ) -> Iterator[pa.Table]:
        """The image of a partition under a write id, in key order (a salted table: bucket by bucket).

        Args:
            rows: so many it has, as the log says; None: not known.

        Raises:
            StoreCorrupt: at its end, when it has another number.
        """
        salt, found = self._options(contract.dataset).salt_buckets, 0
        for table in self._decoded(contract, snapshot_ranges(partition, write_id, salt), columns):
            found += table.num_rows
            yield table
        if rows is not None and found != rows:
            raise _lost(f"{contract.dataset} {partition}", f"{found} rows", f"{rows} rows")

    def versions(self, contract: Contract, key: Sequence[Any] | None = None, rows: int = 0) -> Iterator[pa.Table]:
        """All versions of a bitemporal dataset (of one key, or of those that begin so), with ``_write_id``, in key order.

        Args:
            rows: so many were ever committed; of all keys some of them are there.

        Raises:
            StoreCorrupt: at its end, when none is.
        """
        salt, found = self._options(contract.dataset).salt_buckets, 0
        ranges = table_ranges(salt) if key is None else key_ranges(contract, key, salt)
        for table in self._decoded(contract, ranges, None, with_write_id=True):
            found += table.num_rows
            yield table
        if rows and key is None and not found:
            raise _lost(contract.dataset, "none", f"some of {rows}")

    def read_key(self, contract: Contract, key: Sequence[Any], partition: str, write_id: int) -> pa.Table:
        """The rows of one key (or of keys that begin so) in one image, with ``_write_id``."""
        ranges = key_ranges(contract, key, self._options(contract.dataset).salt_buckets, partition, write_id)
        return concat(contract, self._decoded(contract, ranges, None, with_write_id=True), with_write_id=True)

    def summary(self, contract: Contract, partition: str, write_id: int, *, keep_hashes: bool = False) -> ImageSummary:
        """What the image of a partition under a write id says."""
        summary = ImageSummary(keep_hashes)
        for table in self.read(contract, partition, write_id):
            summary.add(contract, table)
        return summary

    def remove(self, dataset: str, partition: str, write_id: int) -> int:
        """The image of a partition under a write id is gone; returns the number of rows."""
        ranges = snapshot_ranges(partition, write_id, self._options(dataset).salt_buckets)
        return sum(self._tables.delete_range(table_name(dataset), start, stop) for start, stop in ranges)

    def _encoded(
        self,
        contract: Contract,
        batches: Iterable[tuple[str | None, pa.Table]],
        write_id: int,
        summaries: Mapping[str | None, ImageSummary],
    ) -> Iterator[Rows | CellRows]:
        options = self._options(contract.dataset)
        encode = _encoded_cells if contract.layout is RowLayout.CELLS else _encoded_values
        for partition, table in batches:
            yield from encode(contract, table, partition, write_id, options, summaries.get(partition))

    def _decoded(
        self,
        contract: Contract,
        ranges: Iterable[KeyRange],
        columns: Sequence[str] | None,
        *,
        with_write_id: bool = False,
    ) -> Iterator[pa.Table]:
        decoded = partial(self._range, contract, columns, with_write_id)
        scans = [partial(decoded, start, stop) for start, stop in ranges]
        yield from side_by_side(scans, self._tables.scans_at_once, lambda table: table.nbytes, READ_AHEAD)

    def _range(
        self, contract: Contract, columns: Sequence[str] | None, with_write_id: bool, start: bytes, stop: bytes
    ) -> Generator[pa.Table, None, None]:
        contracts, salt = self._contracts(contract.dataset), self._options(contract.dataset).salt_buckets
        table = table_name(contract.dataset)
        if contract.layout is RowLayout.CELLS:
            names = cell_columns(contracts.values(), contract, columns)
            for rows in self._tables.scan_cells(table, start, stop, names):
                yield decode_cell_batch(
                    contracts, contract, rows.keys, rows.columns, salt, columns, with_write_id=with_write_id
                )
        else:
            for page in self._tables.scan(table, start, stop):
                yield decode_batch(
                    contracts, contract, page.keys, page.values, salt, columns, with_write_id=with_write_id
                )


def table_name(dataset: str) -> str:
    """The table of a dataset."""
    return dataset.replace("/", ".")


def concat(contract: Contract, tables: Iterable[pa.Table], *, with_write_id: bool = False) -> pa.Table:
    """Tables of stored rows as one; no tables make an empty one."""
    schema = contract.stored_schema
    schema = schema.append(pa.field("_write_id", pa.uint64(), nullable=False)) if with_write_id else schema
    return pa.concat_tables([schema.empty_table(), *tables])


def _lost(where: str, got: str, expected: str) -> StoreCorrupt:
    what = "The table has not the rows that were committed"
    return StoreCorrupt(what, where=where, got=got, expected=expected, remedy="Run: datahub rebuild")


def _encoded_values(
    contract: Contract, table: pa.Table, partition: str | None, write_id: int, options: TableOptions,
    summary: ImageSummary | None,
) -> Iterator[Rows]:  # fmt: skip
    for keys, values in encode_batches(contract, table, partition, write_id, options.salt_buckets):
        rows = Rows(keys, values)
        if summary is not None:
            summary.add_encoded(contract, rows, options.salt_buckets)
        yield rows


def _encoded_cells(
    contract: Contract, table: pa.Table, partition: str | None, write_id: int, options: TableOptions,
    summary: ImageSummary | None,
) -> Iterator[CellRows]:  # fmt: skip
    if summary is not None:
        summary.add(contract, table)
    encoded = encode_cell_batches(
        contract, table, partition, write_id, options.salt_buckets, key_cells=options.key_cells
    )
    for keys, cells in encoded:
        yield CellRows(keys, cells)


def _joined(summary: ImageSummary) -> tuple[Hashes, Hashes]:
    return (
        np.concatenate([np.zeros(0, np.uint64), *summary.keys]),
        np.concatenate([np.zeros((0, 2), np.uint64), *summary.rows]),
    )
