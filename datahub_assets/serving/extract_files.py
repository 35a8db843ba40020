"""Extracts that a person sees whole, as SQL over granted Parquet files: DuckDB scans them by itself.

Files are grouped by the columns they have; each group begins with an empty file that has the declared types, so that
binding a statement opens no file of the store, and older files are cast to what is declared today.
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.history.log import Change, DataFile
from datahub_assets.operations.definitions import made_by
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import BUSINESS_DATE, Contract
from datahub_assets.serving.granted_files import PROTOCOL, Folder, Granted
from datahub_assets.stores.local_files import LocalFileStore

_FIRST_DAY = "0001-01-01"
View = tuple[str, Sequence[Folder]]


@dataclass
class ExtractFiles:
    """Turns what stands of extracts into SQL and granted files. One for a process, for threads.

    It remembers columns of files, and the last view of each extract: 1 ms for 50 files, again and again the same.
    """

    hub: Hub
    _columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _last: dict[str, tuple[Contract, Mapping[str, Change], View]] = field(default_factory=dict)

    def view(self, contract: Contract, changes: Mapping[str, Change]) -> View:
        """A SELECT of the extract's rows, and the files that it reads. A name always means the same bytes.

        Args:
            contract: the columns that are wanted.
            changes: what stands, by partition.
        """
        known = self._last.get(contract.dataset)
        if known is None or known[:2] != (contract, changes):
            known = self._last[contract.dataset] = contract, changes, self._view(contract, changes)
        return known[2]

    def _view(self, contract: Contract, changes: Mapping[str, Change]) -> View:
        selects, folders = list[str](), list[Folder]()
        for plan, columns in self._plans(contract, changes).items():
            present = [name for name in contract.arrow_schema.names if name in columns]
            root = f"{PROTOCOL}://{contract.dataset}/{plan.digest(contract, present)}"
            folders.append(plan.folder(self.hub, root, _empty(contract, present)))
            selects.append(plan.select(folders[-1], contract, present))
        if not selects:
            return _nothing(contract), ()
        return " UNION ALL ".join(selects), tuple(folders)

    def _plans(self, contract: Contract, changes: Mapping[str, Change]) -> "dict[_Plan, tuple[str, ...]]":
        daily: dict[tuple[str, ...], list[tuple[str, DataFile]]] = defaultdict(list)
        compacted: dict[str, tuple[Change, DataFile, list[str]]] = {}
        for day, change in changes.items():
            for file in change.files:
                if file.partitions in ((day,), ()):
                    daily[self._columns_of(change, file)].append((day, file))
                else:
                    compacted.setdefault(file.path, (change, file, []))[2].append(day)
        plans = {_Plan(tuple(files)): columns for columns, files in daily.items()}
        for change, file, days in compacted.values():
            plans[_Plan(((None, file),), tuple(days))] = self._columns_of(change, file)
        return plans

    def _columns_of(self, change: Change, file: DataFile) -> tuple[str, ...]:
        """The columns of a file: as its definition says, or as it says itself where the log does not know."""
        known_by = change.definition or file.path
        if known_by not in self._columns:
            made = made_by(self.hub, change)
            names = self.hub.extracts.schema([file]).names if made is None else [c.name for c in made.result.columns]
            self._columns[known_by] = tuple(names)
        return self._columns[known_by]


@dataclass(frozen=True)
class _Plan:
    """Files that are read together: those of one business date each, or a compacted one of which these dates stand."""

    members: tuple[tuple[str | None, DataFile], ...]
    days: tuple[str, ...] = ()

    def digest(self, contract: Contract, present: Sequence[str]) -> str:
        """Of the files and the columns that they are read as."""
        columns = [f"{name} {contract.column(name).type}" for name in present]
        said = "\n".join([*columns, *self.days, *(file.path for _, file in self.members)])
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def folder(self, hub: Hub, root: str, empty: bytes) -> Folder:
        local = isinstance(hub.files, LocalFileStore)
        files = {self._name(root, None if self.days else _FIRST_DAY, 0): Granted.of_bytes(empty)}
        for i, (day, file) in enumerate(self.members, start=1):
            path = hub.files.location(file.path) if local else None
            files[self._name(root, day, i)] = Granted(partial(hub.extracts.open, file), file.size, path)
        return Folder(root, f"{root}/*.parquet" if self.days else f"{root}/*/*.parquet", files)

    def select(self, folder: Folder, contract: Contract, present: Sequence[str]) -> str:
        by_day = f", hive_partitioning = true, hive_types = {{'{BUSINESS_DATE}': DATE}}"
        options = "hive_partitioning = false" if self.days else by_day.removeprefix(", ")
        columns = ", ".join(
            f'"{c.name}"' if c.name in present else f'CAST(NULL AS {c.type.sql}) AS "{c.name}"'
            for c in contract.columns
        )
        sql = f"SELECT {columns} FROM read_parquet('{folder.pattern}', {options})"
        dates = ", ".join(f"DATE '{day}'" for day in self.days)
        return f"{sql} WHERE {BUSINESS_DATE} IN ({dates})" if self.days else sql

    def _name(self, root: str, day: str | None, number: int) -> str:
        folder = root if day is None else f"{root}/{BUSINESS_DATE}={day}"
        return f"{folder}/{number:06d}.parquet"


def _empty(contract: Contract, present: Sequence[str]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.schema([contract.arrow_schema.field(name) for name in present]).empty_table(), sink)
    return sink.getvalue()


def _nothing(contract: Contract) -> str:
    columns = ", ".join(f'CAST(NULL AS {column.type.sql}) AS "{column.name}"' for column in contract.columns)
    return f"SELECT {columns} WHERE false"
