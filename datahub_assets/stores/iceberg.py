"""Iceberg tables over the extracts' current files: a projection of the commit log for other engines (DESIGN section 6).

The log is the truth and owns the Parquet files; a table here can be dropped and made again from it. A table is brought to
the log's state at a position in one snapshot, by naming files: no row is rewritten, no delete file is written. Tables are
unpartitioned: files are sorted by business date and carry bounds, so that engines prune by them and compacted files fit.

pyiceberg 0.12: ``update_snapshot().overwrite()`` with ``delete_data_file``/``append_data_file`` is the way to replace files
by name (a public REPLACE is apache/iceberg-python#3130). Its own retry would repeat a plan made for an older table, so
tables say ``commit.retry.num-retries`` 0 and the plan is made anew here. ``create_table`` gives columns ids of its own; ours
(``parquet.field_id``) are set by a schema update right after, and files carry them.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TypeVar
from urllib.parse import unquote

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError, ValidationException
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import AddSchemaUpdate, AssertCurrentSchemaId, SetCurrentSchemaUpdate
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from datahub_assets.errors import StoreConflict, StoreUnavailable
from datahub_assets.history.log import Change, DataFile
from datahub_assets.stores import iceberg_files, parquet
from datahub_assets.stores.extracts import ExtractStore

Done = TypeVar("Done")
POSITION = "datahub.position"
RESTS = "iceberg-rests"
"""Folder of files of the projection's own: partitions of a compacted file that are still current."""
ATTEMPTS = 8
MERGE_MANIFESTS = 16
TABLE_PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": str(MERGE_MANIFESTS),
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "10",
    "gc.enabled": "false",  # tells other engines: never delete the files, the hub's log owns them
}
"""Of every table; set on creation."""


@dataclass(frozen=True)
class Projected:
    """What a projection did: files put in and taken out, and the position that the table now stands for."""

    dataset: str
    position: int
    added: int = 0
    removed: int = 0


class IcebergProjection:
    """The catalogue's tables ``domain.name``. A context manager; ``close`` gives back the catalogue's connections."""

    def __init__(self, extracts: ExtractStore, settings: Mapping[str, str], name: str = "datahub") -> None:
        """Use the catalogue that pyiceberg finds by the settings; nothing is opened before the first use.

        Args:
            extracts: where the Parquet files are; other engines reach them by ``FileStore.url``.
            settings: pyiceberg's properties: uri (sqlite:///…, postgresql+psycopg2://…, https://…), warehouse (file:///…),
                type, py-io-impl and whatever its FileIO needs.
            name: the catalogue's name, part of the key of its tables in an SQL catalogue.
        """
        self._extracts, self._settings, self._name = extracts, dict(settings), name
        if settings.get("warehouse", "").startswith("file:"):
            self._settings["warehouse"] = unquote(settings["warehouse"])  # pyiceberg makes a folder a%20hub otherwise
        self._opened: Catalog | None = None

    def project(self, dataset: str, schema: pa.Schema, changes: Mapping[str, Change], position: int) -> Projected:
        """The table holds exactly the rows of the log's state at the position, unless it is further already.

        Run it after every commit, after a crash, and at any time: what is there already changes nothing.

        Cost: about 1 ms a new file and 0.1 s, and 3 ms more for each snapshot that ``maintain`` has not expired (pyiceberg
        copies the table's metadata some twenty times): a batch of commits is projected once, maintenance runs daily.

        Args:
            dataset: domain/name of the extract.
            schema: its columns now; the table's become these, a type as wide as the widest file's.
            changes: partition → the change that is current at ``position``, all partitions of the dataset.
            position: of the log.

        Raises:
            StoreConflict: others kept on changing the table.
            StoreUnavailable: the catalogue does not answer.
        """
        return self._retried(dataset, lambda: self._project(dataset, schema, changes, position))

    def maintain(self, dataset: str, expire_before: datetime) -> int:
        """Manifests are few, snapshots made before the instant are expired and their own metadata files gone; returns how many.

        Files of the log are never touched, only manifests, manifest lists and rests of compacted files that no snapshot
        left names. An engine that still reads an expired snapshot fails: leave it a day.
        """
        return self._retried(dataset, lambda: self._maintain(dataset, expire_before))

    def count(self) -> int:
        """How many tables the catalogue has."""
        return self._retried(
            "its tables", lambda: sum(len(self._catalog.list_tables(name)) for name in self._catalog.list_namespaces())
        )

    def table(self, dataset: str) -> Table:
        """The pyiceberg table as it is now. Raises pyiceberg's NoSuchTableError before the first projection."""
        return self._catalog.load_table(_identifier(dataset))

    def close(self) -> None:
        """Connections of the catalogue are closed."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __enter__(self) -> "IcebergProjection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _catalog(self) -> Catalog:
        if self._opened is None:
            try:
                self._opened = load_catalog(self._name, **self._settings)
            except OperationalError:
                self._opened = load_catalog(
                    self._name, **self._settings
                )  # two processes made the catalogue's tables at once
        return self._opened

    def _retried(self, dataset: str, work: Callable[[], Done]) -> Done:
        for attempt in range(ATTEMPTS):
            try:
                return work()
            except (CommitFailedException, ValidationException, IntegrityError):
                time.sleep(random.uniform(0.02, 0.05) * 2**attempt)
            except (SQLAlchemyError, OSError) as error:
                raise StoreUnavailable(
                    "Iceberg catalogue does not answer", where=f"{self._name}: {dataset}", got=str(error).splitlines()[0],
                    remedy="Look at the catalogue's uri and warehouse; run: datahub maintain",
                ) from error  # fmt: skip
        raise StoreConflict(
            "Iceberg table kept on changing under the projection", where=dataset, got=f"{ATTEMPTS} lost commits",
            remedy="Nothing is lost: run: datahub maintain",
        )  # fmt: skip

    def _project(self, dataset: str, schema: pa.Schema, changes: Mapping[str, Change], position: int) -> Projected:
        declared = parquet.storable(schema, dataset)
        table = self._loaded(dataset, declared)
        reached = int(table.properties.get(POSITION, -1))
        if reached > position:
            return Projected(dataset, reached)
        wanted = {self._url(file.path): file for file in self._current(dataset, changes) if file.rows}
        present = {task.file.file_path: task.file for task in table.scan().plan_files()}
        new = [(url, file, self._extracts.metadata(file)) for url, file in sorted(wanted.items()) if url not in present]
        old = [file for url, file in sorted(present.items()) if url not in wanted]
        table = self._with_columns(
            table, declared, [parquet.storable(footer.schema.to_arrow_schema()) for _, _, footer in new]
        )
        if new or old:
            entries = [iceberg_files.file_entry(url, file.size, footer, table.schema()) for url, file, footer in new]
            _commit(table, entries, old, position)
        return Projected(dataset, position, len(new), len(old))

    def _current(self, dataset: str, changes: Mapping[str, Change]) -> Iterator[DataFile]:
        # a partition that was corrected after it had been compacted still has its old rows in the compacted file: the
        # table gets a file of the other partitions' rows instead, or it would show both
        uses: dict[str, list[str]] = {}
        files: dict[str, DataFile] = {}
        for partition, change in changes.items():
            for file in change.files:
                uses.setdefault(file.path, []).append(partition)
                files[file.path] = file
        for path, file in files.items():
            whole = set(file.partitions) <= set(uses[path])
            yield file if whole else self._extracts.rest(file, uses[path], f"{RESTS}/{dataset}")

    def _url(self, path: str) -> str:
        return unquote(self._extracts.files.url(path))  # Iceberg's readers take locations as they stand, without %20

    def _loaded(self, dataset: str, declared: pa.Schema) -> Table:
        identifier = _identifier(dataset)
        try:
            return self._catalog.load_table(identifier)
        except NoSuchTableError:
            self._catalog.create_namespace_if_not_exists(identifier[:1])
            properties = {**TABLE_PROPERTIES, "datahub.dataset": dataset}
            with suppress(TableAlreadyExistsError):
                self._catalog.create_table(identifier, iceberg_files.table_schema(declared, []), properties=properties)
            return self._catalog.load_table(identifier)

    def _with_columns(self, table: Table, declared: pa.Schema, files: Sequence[pa.Schema]) -> Table:
        current = table.schema()
        wanted = iceberg_files.table_schema(declared, files, current)
        if iceberg_files.same_columns(current, wanted):
            return table
        known = next((s.schema_id for s in table.schemas().values() if iceberg_files.same_columns(s, wanted)), None)
        added = AddSchemaUpdate(schema_=wanted.model_copy(update={"schema_id": max(table.schemas()) + 1}))
        updates = (
            (SetCurrentSchemaUpdate(schema_id=known),)
            if known is not None
            else (added, SetCurrentSchemaUpdate(schema_id=-1))
        )
        requirement = AssertCurrentSchemaId(current_schema_id=current.schema_id)
        self._catalog.commit_table(table, (requirement,), updates)
        return self._catalog.load_table(table.name())

    def _maintain(self, dataset: str, expire_before: datetime) -> int:
        table = self.table(dataset)
        if _is_scattered(table):
            with table.transaction() as transaction:
                _merge(transaction, _standing(table))
            table = self.table(dataset)
        heads = {reference.snapshot_id for reference in table.metadata.refs.values()}
        limit = expire_before.timestamp() * 1000
        expired = [s for s in table.snapshots() if s.timestamp_ms < limit and s.snapshot_id not in heads]
        if not expired:
            return 0
        # every manifest is opened to find the rests that it names: only where there are any
        some = next(self._extracts.files.list(f"{RESTS}/{dataset}"), None) is not None
        rests = self._url(f"{RESTS}/{dataset}") + "/" if some else None
        before = _own_files(table, expired, rests)
        table.maintenance.expire_snapshots().older_than(
            expire_before
        ).commit()  # by_ids copies the metadata for each id
        table = self.table(dataset)
        for path in sorted(before - _own_files(table, table.snapshots(), rests)):
            if rests is not None and path.startswith(rests):
                self._extracts.files.remove(f"{RESTS}/{dataset}/{path.removeprefix(rests)}")
            else:
                table.io.delete(path)
        return len(expired)


def _commit(table: Table, new: Sequence[IcebergFile], old: Sequence[IcebergFile], position: int) -> None:
    standing = {POSITION: str(position)}
    with table.transaction() as transaction:
        if _is_scattered(table):
            _merge(transaction, _standing(table))
        transaction.set_properties(standing)
        update = transaction.update_snapshot(snapshot_properties=standing)
        snapshot = update.overwrite() if old else update.merge_append()
        for file in old:
            snapshot.delete_data_file(file)
        for file in new:
            snapshot.append_data_file(file)
        snapshot.commit()


def _is_scattered(table: Table) -> bool:
    head = table.current_snapshot()
    return head is not None and len(head.manifests(table.io)) >= MERGE_MANIFESTS


def _merge(transaction: Transaction, standing: dict[str, str]) -> None:
    # an append of nothing: merges the manifests, and leaves out those that only tell of files taken out, which
    # pyiceberg 0.12's overwrite carries along for ever
    transaction.update_snapshot(snapshot_properties=standing).merge_append().commit()


def _own_files(table: Table, snapshots: Sequence[Snapshot], rests: str | None) -> set[str]:
    """Files that are the projection's own (manifest lists, manifests, rests) of the snapshots; never a file of the log."""
    manifests = {m.manifest_path: m for snapshot in snapshots for m in snapshot.manifests(table.io)}
    own = {snapshot.manifest_list for snapshot in snapshots} | set(manifests)
    for manifest in manifests.values() if rests is not None else ():
        entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
        own |= {entry.data_file.file_path for entry in entries if entry.data_file.file_path.startswith(str(rests))}
    return own


def _standing(table: Table) -> dict[str, str]:
    return {POSITION: table.properties[POSITION]} if POSITION in table.properties else {}


def _identifier(dataset: str) -> tuple[str, ...]:
    return tuple(dataset.split("/"))
