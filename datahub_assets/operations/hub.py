"""An open hub: its catalogue, stores and clock, as one value that every operation takes first."""

import getpass
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from datahub_assets import __version__
from datahub_assets.catalogue import calendars
from datahub_assets.catalogue.loading import Catalogue, load
from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset, TableOptions
from datahub_assets.errors import DeclarationError, StoreCorrupt
from datahub_assets.history.log import Change, Entry
from datahub_assets.schema.contract import Contract, RowLayout
from datahub_assets.schema.evolution import evolve
from datahub_assets.settings import Settings
from datahub_assets.stores.commit_log import CommitLog, write_id_counter
from datahub_assets.stores.definitions import DefinitionStore
from datahub_assets.stores.extracts import ExtractStore
from datahub_assets.stores.files import FileStore
from datahub_assets.stores.landing import Landing
from datahub_assets.stores.landing_places import open_landing
from datahub_assets.stores.local_files import LocalFileStore
from datahub_assets.stores.roots import open_files
from datahub_assets.stores.structured import StructuredStore
from datahub_assets.stores.table_salt import keep_salt, require_salt
from datahub_assets.stores.tables.hbase_options import DATA, Form
from datahub_assets.stores.tables.interface import TableStore
from datahub_assets.stores.tables.opening import open_tables
from datahub_assets.stores.vault import Vault, declaration_name

if TYPE_CHECKING:
    from datahub_assets.stores.iceberg import IcebergProjection

CODE_VERSION = __version__


@dataclass(frozen=True)
class Hub:
    """What an operation works with. ``at`` gives the same hub at another time, ``run`` under another run."""

    settings: Settings
    catalogue: Catalogue
    files: FileStore
    tables: TableStore
    landing: Landing
    clock: Callable[[], datetime]
    actor: str
    run_id: str

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        actor: str | None = None,
        run_id: str | None = None,
        catalogue: Catalogue | None = None,
    ) -> "Hub":
        """Open the hub that the settings describe.

        Args:
            settings: of the hub.
            actor: who works with it; left out: the user of the process.
            run_id: of what it does.
            catalogue: the settings' own, where it has been read; left out: it is read.

        Raises:
            DeclarationError: the catalogue or a setting is wrong.
            StoreUnavailable: a store does not answer.
        """
        catalogue = catalogue or load(settings.catalogue)
        return cls(
            settings, catalogue, open_files(settings.root_url, settings.webhdfs),
            open_tables(settings.table_store, settings.tables, settings.hbase, partial(_form, catalogue), settings.webhdfs),
            open_landing(settings.landing, settings.landing_places, settings.webhdfs, settings.sftp), settings.now,
            actor or getpass.getuser(), run_id or f"cli-{uuid.uuid4().hex[:12]}",
        )  # fmt: skip

    def at(self, instant: datetime) -> "Hub":
        """The same hub at a fixed time: what it appends is known from then on."""
        return replace(self, clock=lambda: instant)

    def today(self) -> date:
        """The day it is by the hub's clock in its time zone."""
        return self.clock().astimezone(ZoneInfo(self.settings.timezone)).date()

    def run(self, run_id: str) -> "Hub":
        """The same hub under the id of a run."""
        return replace(self, run_id=run_id)

    @cached_property
    def vault(self) -> Vault:
        """The raw vault."""
        return Vault(self.files)

    @cached_property
    def log(self) -> CommitLog:
        """The commit log; entries are copied into the vault as they are appended."""
        return CommitLog(self.tables, self._copy)

    @cached_property
    def definitions(self) -> DefinitionStore:
        """By what the committed partitions of extracts were made."""
        return DefinitionStore(self.tables, self.files)

    @cached_property
    def structured(self) -> StructuredStore:
        """Rows of structured datasets."""
        return StructuredStore(self.tables, self._contract_versions, self._table_options)

    @cached_property
    def extracts(self) -> ExtractStore:
        """Parquet files of extracts."""
        return ExtractStore(self.files)

    def iceberg(self) -> "IcebergProjection":
        """The Iceberg tables of the extracts; to be closed after use."""
        from datahub_assets.stores import iceberg_io
        from datahub_assets.stores.iceberg import IcebergProjection  # half a second that few need

        properties = {"type": "sql", "uri": self.settings.iceberg, "warehouse": self.files.url("iceberg")}
        if not isinstance(self.files, LocalFileStore):
            properties |= iceberg_io.properties(self.settings.root_url, self.settings.webhdfs)
        return IcebergProjection(self.extracts, {**properties, **self.settings.iceberg_properties})

    def contract(self, dataset: str) -> Contract:
        """The contract that the dataset's next rows are held to: as declared, on top of the versions there have been.

        Raises:
            DeclarationError: rows already written do not allow what is declared.
        """
        declared = self.catalogue.structured_dataset(dataset)
        versions = self.log.contracts(dataset)
        aliases = {column.name: column.aliases for column in declared.columns}
        return evolve(versions[-1] if versions else None, declared.contract(), aliases)

    def contract_version(self, dataset: str, change: Change) -> Contract:
        """The contract that a change of a structured dataset was written under."""
        return self._contract_versions(dataset)[change.contract_version]

    def register_contract(self, dataset: str) -> Contract:
        """As ``contract``; it is stored beside the log and in the vault before the first rows are written under it, and so is
        how the dataset is declared now.

        Raises:
            DeclarationError: as ``contract``; or the table has rows with another number of salt buckets.
        """
        contract = self.contract(dataset)
        self.vault.keep_declaration(dataset, self.catalogue.structured_dataset(dataset).model_dump_json())
        self.vault.keep_contract(contract)
        self.log.put_contract(contract)
        keep_salt(self.tables, dataset, self.catalogue.structured_dataset(dataset).table.salt_buckets)
        return contract

    def declaration(self, dataset: str) -> str:
        """The name under which the vault has how a structured dataset is declared now."""
        return declaration_name(self.catalogue.structured_dataset(dataset).model_dump_json())

    def as_declared(self, change: Change) -> "Hub":
        """The same hub, with the dataset declared as it was when the change was made: its feed, calendar and checks. Its rows
        are written as the table is declared now: those of then may be made anew in other tables.

        Raises:
            StoreCorrupt: the vault lacks the declaration.
            DeclarationError: this version of the program cannot read it.
        """
        if change.declaration in ("", self.declaration(change.dataset)):
            return self
        if change.declaration not in self._as_declared:
            text = self.vault.declaration(change.dataset, change.declaration)
            try:
                declared = StructuredDataset.model_validate_json(text)
            except ValidationError as error:
                raise DeclarationError(
                    "Declaration of then cannot be read",
                    where=f"{change.dataset}, {change.declaration}",
                    got=str(error),
                ) from error
            salt = {"salt_buckets": self.catalogue.structured_dataset(change.dataset).table.salt_buckets}
            declared = declared.model_copy(update={"table": declared.table.model_copy(update=salt)})
            catalogue = Catalogue({**self.catalogue.datasets, change.dataset: declared}, self.catalogue.files)
            self._as_declared[change.declaration] = replace(self, catalogue=catalogue)
        return self._as_declared[change.declaration]

    @cached_property
    def _as_declared(self) -> dict[str, "Hub"]:
        return {}

    def require_log(self) -> None:
        """Nothing happens when the log has every entry that the vault has a copy of.

        Raises:
            StoreCorrupt: it has not: the tables were lost. A log that went on without them would contradict the vault.
        """
        following = self.log.last() + 1
        if self.vault.has_copy(following) and self.log.last() < following:
            copied = sum(1 for _ in self.files.list("vault/log"))
            begin = "Move what is left of the tables away, then run" if following else "Run"
            raise StoreCorrupt(
                "Tables are lost", where=str(self.settings.tables), got=f"a log of {following} entries",
                expected=f"{copied}, as the vault has them", remedy=f"{begin}: datahub rebuild",
            )  # fmt: skip

    def append(self, draft: Entry, built_on: int) -> Entry:
        """The draft is the newest entry of the log. See ``CommitLog.append``.

        Raises:
            StoreCorrupt: the log is not the one that the vault has.
        """
        self.require_log()
        return self.log.append(draft, built_on, self.clock)

    def finish_copy(self) -> int:
        """The vault has the whole log, also where a writer died before it copied its entry; returns how many it lacked."""
        last, lacking = self.log.last(), 0
        while lacking <= last and not self.vault.has_copy(last - lacking):
            lacking += 1
        if lacking:
            self._copy(self.log.entry(last))
        return lacking

    def draw_write_id(self, dataset: str) -> int:
        """The next write id T of a dataset: unique, never given again. To be drawn after what it builds on was read."""
        return self.log.draw(write_id_counter(dataset))

    def draft(self, reason: str) -> Entry:
        """An empty entry of this hub's actor and run."""
        return Entry(self.clock(), self.actor, self.run_id, reason)

    def dataset(self, name: str) -> StructuredDataset | ExtractDataset:
        """The declared dataset of that name. Raises DeclarationError when there is none."""
        return self.catalogue.extracts.get(name) or self.catalogue.structured_dataset(name)

    def business_dates(self, name: str, until: date | None = None) -> tuple[date, ...]:
        """The dataset's business dates from its first to ``until`` (default: the hub's today), or its last if it has ended."""
        partitions = self.dataset(name).partitions
        end = min(filter(None, (partitions.end, until or self.today())))
        return calendars.business_days(partitions.calendar, partitions.start, end) if end >= partitions.start else ()

    def is_business_date(self, name: str, day: date) -> bool:
        """Whether the dataset has a partition of that day."""
        partitions = self.dataset(name).partitions
        inside = partitions.start <= day and (partitions.end is None or day <= partitions.end)
        return inside and calendars.is_business_day(partitions.calendar, day)

    def _contract_versions(self, dataset: str) -> dict[int, Contract]:
        return {contract.version: contract for contract in self.log.contracts(dataset)}

    def require_salt(self, dataset: str) -> None:
        """Nothing happens when the rows of the dataset were written with as many salt buckets as are declared; asked once.

        Raises:
            DeclarationError: with another number.
        """
        if dataset not in self._salted:
            require_salt(self.tables, dataset, self.catalogue.structured_dataset(dataset).table.salt_buckets)
            self._salted.add(dataset)

    @cached_property
    def _salted(self) -> set[str]:
        return set()

    def _table_options(self, dataset: str) -> TableOptions:
        self.require_salt(dataset)
        return self.catalogue.structured_dataset(dataset).table

    def _copy(self, entry: Entry) -> None:
        self.vault.copy_log(entry, self.log.entry)


def _form(catalogue: Catalogue, table: str) -> Form:
    """How a table is declared: that of a structured dataset, or one of the log's own."""
    declared = catalogue.structured.get(table.replace(".", "/"))
    if declared is None:
        return Form((DATA,))
    options = declared.table
    families = Form().families if options.layout is RowLayout.CELLS else (DATA,)
    return Form(families, options.compression, options.block_encoding, options.bloom_filter, options.salt_buckets)
