"""What a reader sees while a hub is worked on, and what a hub holds when the work is done, apart from the drawn numbers."""

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchTableError

from datahub_assets.hbase_format.rows import canonical_rows
from datahub_assets.history.digest import digest
from datahub_assets.history.log import Change, Entry
from datahub_assets.operations.checks import reconciliation_finding
from datahub_assets.operations.definitions import extract_contract
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import read
from datahub_assets_tests.contracts.processes import Child
from datahub_assets_tests.hubs import open_hub

Answer = dict[str, list[tuple[str | None, int, int, str]]]


class Reader:
    """A process that reads a hub until it is told to stop. A context manager."""

    def __init__(self, home: Path) -> None:
        self._child = Child(_read_for_ever, home)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.process.is_alive():
            self._child.kill()
        self._child.connection.close()

    def stop(self) -> dict[str, Any]:
        """What it saw: positions, questions asked again, projections, problems."""
        self._child.send("stop")
        told: dict[str, Any] = self._child.receive(120)
        return told


def _read_for_ever(connection: Connection, home: Path) -> None:
    """Asks every position as soon as it is there, and earlier ones again; each time with a hub opened anew."""
    draw, answers, problems = random.Random(1), list[Answer](), list[str]()
    again = projections = 0
    while True:
        stops = connection.poll(0.002)
        hub = open_hub(home, "reader")
        last = hub.log.last()
        for position in range(len(answers), last + 1):
            answers.append(answer(hub, position, problems))
        for position in draw.sample(range(len(answers)), min(2, len(answers))) if not stops else range(len(answers)):
            again += 1
            if answer(hub, position, problems) != answers[position]:
                problems.append(f"position {position} changed its answer")
        if again % 5 == 0 or stops:
            projections += len(projection_problems(hub, problems))
        if stops:
            connection.recv()
            connection.send(
                {"positions": len(answers), "again": again, "projections": projections, "problems": problems}
            )
            return


def answer(hub: Hub, position: int, problems: list[str]) -> Answer:
    """What a hub says at a position: for every scope what made it, its write id and digest. Content is read and digested.

    Every change of the entry at the position must be seen there: no part of a commit is seen without the rest.
    """
    found: Answer = {}
    for dataset in hub.catalogue.datasets:
        changes = hub.log.changes(dataset, position)
        found[dataset] = [(scope, at, change.write_id, change.digest) for scope, (at, change) in changes.items()]
        for at, change in changes.values():
            finding = reconciliation_finding(hub, dataset, position, change)
            if not finding.passed:
                problems.append(f"{dataset} {change.partition} of {at} at {position}: {finding.description}")
            problems.extend(
                f"{file.path} is not as committed"
                for file in change.files
                if not _is_whole(hub, file.path, file.sha256)
            )
    entry = hub.log.entry(position)
    for change in entry.changes:
        if (change.partition, position, change.write_id, change.digest) not in found[change.dataset]:
            problems.append(f"part of entry {position} is missing: {change.dataset} {change.partition}")
    return found


def projection_problems(hub: Hub, problems: list[str]) -> list[str]:
    """The Iceberg tables there are; each must hold exactly what the log said at the position that the table names."""
    catalog = load_catalog("datahub", type="sql", uri=hub.settings.iceberg, warehouse=hub.files.url("iceberg"))
    seen = []
    try:
        for dataset in hub.catalogue.extracts:
            try:
                table = catalog.load_table(tuple(dataset.split("/")))
            except NoSuchTableError:
                continue
            snapshot = table.current_snapshot()
            if snapshot is None or snapshot.summary is None:
                continue
            position = int(snapshot.summary["datahub.position"] or -1)
            rows = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
            contract = extract_contract(hub, dataset)
            total = str(
                digest(canonical_rows(contract, rows.select(contract.arrow_schema.names).cast(contract.arrow_schema)))
            )
            if total != _committed(hub, dataset, position):
                problems.append(f"the Iceberg table of {dataset} does not hold what the log says at {position}")
            seen.append(dataset)
    finally:
        catalog.close()
    return seen


def _committed(hub: Hub, dataset: str, position: int) -> str:
    contract, tables = extract_contract(hub, dataset), list(read(hub, dataset, position))
    whole = pa.concat_tables([contract.arrow_schema.empty_table(), *(t.cast(contract.arrow_schema) for t in tables)])
    return str(digest(canonical_rows(contract, whole)))


def _is_whole(hub: Hub, path: str, sha256: str) -> bool:
    return hub.files.exists(path) and hashlib.sha256(hub.files.read(path)).hexdigest() == sha256


# -- what a hub holds --------------------------------------------------------------------------------------------------


def holds(hub: Hub) -> dict[str, Any]:
    """All that a hub holds, with write ids as their rank and without ids of runs: equal for equal work.

    The log entry by entry, positions and known times included; the rows of every dataset at every position; the files
    of the vault by their bytes; the bytes of the extracts' files; what the Iceberg tables say; what is left in landing.
    """
    ranks = _Ranks(hub)
    last = hub.log.last()
    return {
        "log": [ranks.of(entry) for entry in hub.log.entries()],
        "log copy": [ranks.of(entry) for entry in hub.vault.copied_entries()],
        "rows": {
            (name, position): [str(t.to_pylist()) for t in read(hub, name, position)]
            for name in hub.catalogue.datasets for position in range(last + 1)
        },
        "vault": {path: _content(hub, path) for path in _vault(hub)},
        "rejects": [str(hub.vault.rejects(path).to_dicts()) for path in _rejects(hub)],
        "iceberg": projected_rows(hub),
        "landing": [file.name for file in hub.landing.files()],
    }  # fmt: skip


def projected_rows(hub: Hub) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of the Iceberg tables, sorted."""
    with hub.iceberg() as iceberg:
        tables = {name: iceberg.table(name).scan().to_arrow() for name in hub.catalogue.extracts}
    return {name: sorted(pl.DataFrame(rows).rows(), key=str) for name, rows in tables.items()}


class _Ranks:
    """Write ids as their rank among the committed ones of a dataset: which numbers are skipped is nobody's business."""

    def __init__(self, hub: Hub) -> None:
        drawn: dict[str, set[int]] = defaultdict(set)
        for entry in hub.log.entries():
            for change in entry.changes:
                drawn[change.dataset].add(change.write_id)
        self._ranks = {name: {t: rank for rank, t in enumerate(sorted(ids))} for name, ids in drawn.items()}

    def of(self, entry: Entry) -> Entry:
        """The entry with ranks, and without the run that made it."""
        return replace(entry, run_id="", changes=tuple(map(self._change, entry.changes)))

    def _change(self, change: Change) -> Change:
        rank = self._ranks[change.dataset]
        path = f"{change.write_id:012d}"
        return replace(
            change, write_id=rank[change.write_id], base=None if change.base is None else rank[change.base],
            files=tuple(replace(file, path=file.path.replace(path, "…")) for file in change.files),
            inputs=tuple(
                replace(i, write_id=None if i.write_id is None else self._ranks[i.dataset][i.write_id]) for i in change.inputs
            ),
            rejects=change.rejects and change.rejects.replace(path, "…"),
        )  # fmt: skip


def _vault(hub: Hub) -> Iterator[str]:
    for folder in ("deliveries", "receipts", "contracts", "set_aside"):
        yield from hub.files.list(f"vault/{folder}")


def _content(hub: Hub, path: str) -> str:
    body = hub.files.read(path)
    if path.startswith("vault/receipts/"):
        body = json.dumps({**json.loads(body), "run_id": ""}).encode()
    return hashlib.sha256(body).hexdigest()


def _rejects(hub: Hub) -> list[str]:
    """The rejects that the log names; what was kept for nothing (a kill before the commit) nobody sees."""
    return [c.rejects for entry in hub.log.entries() for c in entry.changes if c.rejects]
