"""Log and tables made anew from the vault alone: the same entries at the same positions, every digest verified.

The vault has the log entry by entry, the contracts and all deliveries. Each structured commit is folded again from the
deliveries that it names, under the write id that it had; extracts keep their files, and those that are missing are made
again from the inputs that they name. Everything is built in a folder beside the tables' and renamed at the end: a rebuild
that is killed leaves nothing but that folder, which the next one empties.

An extract is made again by the SQL and the contracts that it was made by, which the vault has. What cannot be made again is
told, not hidden: datasets that are no longer declared, results that other code or declarations have changed.
"""

import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datahub_assets.catalogue.definition import Definition
from datahub_assets.errors import DatahubError, DeclarationError, StoreCorrupt
from datahub_assets.history.log import Change, Entry
from datahub_assets.history.state import superseded
from datahub_assets.operations.definitions import made_by
from datahub_assets.operations.hub import CODE_VERSION, Hub
from datahub_assets.operations.publish import remake
from datahub_assets.operations.refold import Told, file_problem, told_images, told_merges
from datahub_assets.schema.contract import BUSINESS_DATE, Shape
from datahub_assets.stores.commit_log import write_id_counter
from datahub_assets.stores.table_salt import keep_salt
from datahub_assets.stores.tables.embedded import EmbeddedTableStore


@dataclass(frozen=True)
class Verdict:
    """One change after the rebuild: equal to what was committed, or why not."""

    dataset: str
    partition: str | None
    position: int
    write_id: int
    equal: bool
    why: str = ""


@dataclass(frozen=True)
class Rebuilt:
    """One log entry that has been rebuilt."""

    position: int
    verdicts: tuple[Verdict, ...]


def require_empty(hub: Hub) -> int:
    """There are no tables, and a log in the vault; returns how many entries it has.

    Raises:
        DeclarationError: tables are there.
        StoreCorrupt: the vault has no copy of the log.
    """
    tables = hub.tables.tables()
    if tables:
        raise DeclarationError(
            "Tables are there", where=place(hub), got=f"{len(tables)} tables", expected="none",
            remedy="Move them away, or rebuild beside them with --into; in HBase drop them, or set another hbase.table_prefix",
        )  # fmt: skip
    count = sum(1 for _ in hub.files.list("vault/log"))
    if not count:
        raise StoreCorrupt(
            "No log in the vault", where=hub.files.url(""), expected="vault/log/000000000000.json and on",
            remedy="Set root to where the vault is, or restore it from a backup",
        )  # fmt: skip
    return count


def place(hub: Hub) -> str:
    """Where the hub's tables are, for people."""
    settings = hub.settings
    return str(settings.tables) if settings.table_store == "embedded" else f"HBase, {settings.hbase.table_prefix}*"


def rebuild(hub: Hub) -> Generator[Rebuilt, None, None]:
    """Entry by entry the hub's tables come into being, beside their place; when the iterator ends they are in it.

    In HBase, which cannot rename, they come into being in their place: nobody should read until the iterator ends, and what
    a rebuild that died has left has to be dropped before the next.

    Args:
        hub: opened where the tables shall be; there are none yet (``require_empty``).

    Raises:
        StoreCorrupt: the vault lacks an entry in the middle, or a delivery.
    """
    if hub.settings.table_store != "embedded":
        yield from _Rebuild(hub).run()
        return
    place = hub.settings.tables
    staging = place.with_name(f"{place.name}.rebuilding")
    shutil.rmtree(staging, ignore_errors=True)
    tables = EmbeddedTableStore(staging)
    try:
        yield from _Rebuild(replace(hub, tables=tables)).run()
    finally:
        tables.close()
    _put_in_place(hub, staging, place)


def _put_in_place(hub: Hub, staging: Path, place: Path) -> None:
    if isinstance(hub.tables, EmbeddedTableStore):
        hub.tables.close()
    staging.rename(place)  # onto an empty folder: refused by the system where it is not empty any more


class _Rebuild:
    """One rebuild, into a hub whose tables are empty."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._merges: dict[str, Iterator[tuple[Change, Told]]] = {}
        self._let_go: set[tuple[str, str | None, int]] = set()

    def run(self) -> Iterator[Rebuilt]:
        hub = self._hub
        entries = list(hub.vault.copied_entries())
        for dataset in sorted({change.dataset for entry in entries for change in entry.changes}):
            for contract in hub.vault.contracts(dataset):
                hub.log.put_contract(contract)
            if dataset in hub.catalogue.structured:
                keep_salt(hub.tables, dataset, hub.catalogue.structured[dataset].table.salt_buckets)
        hub.definitions.restore()
        hub.log.restore(entries)
        self._find_let_go()
        for entry in entries:
            yield Rebuilt(entry.position, tuple(self._verdicts(entry)))
        self._reserve()

    def _find_let_go(self) -> None:
        """Snapshot versions that retention let go are not made again."""
        hub, last = self._hub, self._hub.log.last()
        cuts = [cut.position for cut in hub.log.cuts().values()]
        for dataset in hub.catalogue.datasets:
            floor = hub.log.retained_from(dataset, last)
            for partition in hub.log.changes(dataset, last) if floor else ():
                if partition is not None:
                    gone = superseded(hub.log.history(dataset, partition, last), floor, cuts)
                    self._let_go |= {(dataset, partition, change.write_id) for change in gone}

    def _verdicts(self, entry: Entry) -> Iterator[Verdict]:
        groups: dict[tuple[str, int, tuple[tuple[int, int], ...]], list[Change]] = {}
        for change in entry.changes:
            if (change.dataset, change.partition, change.write_id) not in self._let_go:
                groups.setdefault((change.dataset, change.write_id, change.deliveries), []).append(change)
        for changes in groups.values():
            try:
                yield from self._group(entry.position, changes)
            except (DatahubError, KeyError) as error:
                why = (
                    f"{error.what}: got {error.got}, expected {error.expected}"
                    if isinstance(error, DatahubError)
                    else f"unknown {error}"
                )
                yield from (_verdict(entry.position, change, why) for change in changes)

    def _group(self, position: int, changes: Sequence[Change]) -> Iterator[Verdict]:
        hub, dataset = self._hub, changes[0].dataset
        if dataset in hub.catalogue.extracts:
            yield from (_verdict(position, change, why) for change, why in self._extract(position, changes))
        elif dataset not in hub.catalogue.structured:
            yield from (_verdict(position, change, "the dataset is no longer declared") for change in changes)
        elif not changes[0].deliveries:
            why = (
                "it names no delivery that its rows came from"  # empty: taken back by the delivery that told it before
            )
            yield from (_verdict(position, change, why if change.rows else "") for change in changes)
        elif hub.catalogue.structured[dataset].shape is Shape.BITEMPORAL:
            change, told = next(self._merging(dataset))
            yield _verdict(position, change, _difference(change, told))
        else:
            told_by = told_images(hub, dataset, self._companions(position, changes), write=True)
            yield from (
                _verdict(position, change, _difference(change, told_by[str(change.partition)])) for change in changes
            )

    def _companions(self, position: int, changes: Sequence[Change]) -> list[Change]:
        """All changes that were folded together: rejects are counted by day among them."""
        same = (changes[0].dataset, changes[0].write_id, changes[0].deliveries)
        return [c for c in self._hub.log.entry(position).changes if (c.dataset, c.write_id, c.deliveries) == same]

    def _merging(self, dataset: str) -> Iterator[tuple[Change, Told]]:
        if dataset not in self._merges:
            hub = self._hub
            self._merges[dataset] = told_merges(hub, dataset, hub.log.all_changes(dataset, hub.log.last()), write=True)
        return self._merges[dataset]

    def _extract(self, position: int, changes: Sequence[Change]) -> Iterator[tuple[Change, str]]:
        for change in changes:
            problems = {file.path: problem for file in change.files if (problem := file_problem(self._hub, file))}
            if not problems:
                yield change, ""
            elif "damaged" in problems.values():
                yield (
                    change,
                    f"damaged: {', '.join(problems)}; remove the file and rebuild again, or restore it from a backup",
                )
            elif definition := made_by(self._hub, change):
                yield change, self._remade(position, change, definition)
            else:
                yield (
                    change,
                    f"missing: {', '.join(problems)}; not made again: the log does not say by which SQL it was made",
                )

    def _remade(self, position: int, change: Change, definition: Definition) -> str:
        """The change's files are there again; returns what is different about them."""
        if len(change.files) == 1 and len(change.files[0].partitions) > 1:
            return self._recompacted(position, change, definition)
        files, digest = remake(self._hub, definition, change, position)
        if (files, digest) == (change.files, change.digest):
            return ""
        self._hub.extracts.remove(files)  # under the names of those that the log speaks of, and not they
        return _why_other(change, "made again with another result, and removed")

    def _recompacted(self, position: int, change: Change, definition: Definition) -> str:
        hub, wanted = self._hub, change.files[0]
        parts = {}
        for partition in wanted.partitions:
            before = [
                (at, c)
                for at, c in hub.log.history(change.dataset, partition, position - 1)
                if len(c.files[0].partitions) == 1
            ]
            at, part = before[-1]
            if any(file_problem(hub, file) for file in part.files):
                remake(hub, made_by(hub, part) or definition, part, at)
            parts[partition] = part.files
        key = [name for name in definition.key if name != BUSINESS_DATE]
        schema = definition.result.arrow_schema
        made = hub.extracts.compact(change.dataset, parts, change.write_id, schema, key)
        return "" if made == wanted else "compacted again with another result"

    def _reserve(self) -> None:
        """No write id is drawn again under which the vault has rejects, or a file of an extract lies that no entry names."""
        hub = self._hub
        highest: dict[str, int] = {}
        for folder in ("vault/rejects", "extracts"):
            for path in hub.files.list(folder):
                parts = path.removeprefix(f"{folder}/").split("/")
                write_id = parts[-1].removeprefix("T").split("-")[0].removesuffix(".parquet")
                if write_id.isdigit():
                    dataset = "/".join(parts[:2])
                    highest[dataset] = max(highest.get(dataset, 0), int(write_id))
        for dataset, number in highest.items():
            while hub.log.draw(write_id_counter(dataset)) < number:
                pass


def _difference(change: Change, told: Told) -> str:
    """What is different about a structured change, and why; empty when nothing is."""
    if (told.digest, told.rejected, told.deliveries) == (change.digest, change.rejected, change.deliveries):
        return ""
    found = (
        "another digest"
        if told.digest != change.digest
        else "other rejects"
        if told.rejected != change.rejected
        else "other provenance"
    )
    return _why_other(
        change, f"{found}: {told.rows} rows and {told.rejected} rejects, were {change.rows} and {change.rejected}"
    )


def _why_other(change: Change, found: str) -> str:
    made_by_code = change.code_version.partition("+")[0]
    if made_by_code != CODE_VERSION:
        return f"{found}; made by code {made_by_code}, now {CODE_VERSION}"
    same = f"the feed, its calendar or the vault's bytes changed since contract version {change.contract_version}"
    return f"{found}; the code is the same: {same}"


def _verdict(position: int, change: Change, why: str) -> Verdict:
    return Verdict(change.dataset, change.partition, position, change.write_id, not why, why)
