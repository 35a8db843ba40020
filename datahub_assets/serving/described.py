"""What exists in the hub, and what stands of it at a position: the same for everybody, remembered by the process."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from datahub_assets.history.log import Change
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import Contract
from datahub_assets.serving.extract_files import ExtractFiles
from datahub_assets.serving.relations import Relation, RelationKind, contract_of, relations_of
from datahub_assets.serving.rights import Rights
from datahub_assets.serving.standing import StandingChanges


class Described:
    """Relations by name, contracts by dataset, changes by position. For threads."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.files = ExtractFiles(hub)
        self._standing = StandingChanges(hub.log)
        self._lock = threading.Lock()
        self._contracts: dict[str, Contract] = {}
        self._relations: dict[str, tuple[Relation, ...]] = {}
        self._committed: dict[str, tuple[int, Mapping[int, int]]] = {}

    def relations(self, dataset: str) -> tuple[Relation, ...]:
        """The relations of a dataset: its own, then its history's."""
        with self._lock:
            if dataset not in self._relations:
                self._relations[dataset] = tuple(relations_of(self.hub, dataset))
            return self._relations[dataset]

    def contract(self, dataset: str) -> Contract:
        """The columns and key of a dataset."""
        with self._lock:
            if dataset not in self._contracts:
                self._contracts[dataset] = contract_of(self.hub, dataset)
            return self._contracts[dataset]

    def all(self) -> Iterator[Relation]:
        """All relations, by name of the dataset."""
        for dataset in sorted(self.hub.catalogue.datasets):
            yield from self.relations(dataset)

    def named(self, schema: str, name: str) -> list[Relation]:
        """Relations of that name in lower case, in a schema or (empty) in any. Describes no others."""
        found = []
        for dataset in self.hub.catalogue.datasets:
            domain, stem = dataset.split("/")
            if schema in {"", domain} and name.startswith(stem):
                found += [relation for relation in self.relations(dataset) if relation.name == name]
        return found

    def seen_by(self, relation: Relation, rights: Rights) -> Relation:
        """The relation as a person with these rights sees it."""
        columns = tuple(
            replace(column, masked=True, nullable=True) if column.name in rights.masked else column
            for column in relation.columns
        )
        return replace(relation, columns=columns, filtered=rights.rows is not None)

    def is_bitemporal(self, dataset: str) -> bool:
        """Whether rows hold from a day to a day."""
        return self.relations(dataset)[0].kind is RelationKind.BITEMPORAL

    def images(self, dataset: str, position: int) -> dict[str, Change]:
        """What stands of each partition at a position."""
        changes = self._standing.changes(dataset, position)
        return {partition: change for partition, (_, change) in changes.items() if partition is not None}

    def made(self, dataset: str, position: int) -> Mapping[str, list[tuple[int, Change]]]:
        """Every change of each partition up to a position, oldest first."""
        made = defaultdict(list)
        for at, change in self.hub.log.all_changes(dataset, position):
            if change.partition is not None:
                made[change.partition].append((at, change))
        return dict(sorted(made.items()))

    def committed(self, dataset: str, position: int) -> Mapping[int, int]:
        """Write ids of a bitemporal dataset that are committed at a position, and the rows that each wrote."""
        latest = self._standing.changes(dataset, position).get(None)
        if latest is None:
            return {}
        known = self._committed.get(dataset)
        if known is None or known[0] != latest[0]:
            ids = {change.write_id: change.rows for _, change in self.hub.log.all_changes(dataset, position)}
            known = self._committed[dataset] = (latest[0], ids)
        return known[1]

    def version(self, dataset: str, position: int) -> int:
        """The position of the newest commit of a dataset at a position; −1: none."""
        return max((at for at, _ in self._standing.changes(dataset, position).values()), default=-1)
