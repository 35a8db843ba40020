"""What may be told about a dataset to a person: declared, committed, expected. Read from catalogue and log, no rows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from datahub_assets.catalogue.check_names import check_names
from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.history.log import Change
from datahub_assets.operations.expectations import status
from datahub_assets.operations.hub import Hub
from datahub_assets.serving.http import documents as told
from datahub_assets.serving.http.asking import Named
from datahub_assets.serving.moments import Moment
from datahub_assets.serving.relations import RelationColumn

COMMITS = 30
MISSING = 100


@dataclass(frozen=True)
class Facts:
    """A dataset, for one person at one moment."""

    named: Named
    moment: Moment

    @property
    def hub(self) -> Hub:
        """The hub."""
        return self.named.session.engine.hub

    @property
    def declared(self) -> StructuredDataset | ExtractDataset:
        """As the catalogue has it."""
        return self.hub.dataset(self.named.dataset)

    def summary(self) -> dict[str, Any]:
        """The fields of ``Summary``."""
        relation, declared = self.named.relation, self.declared
        return {
            "dataset": self.named.dataset, "relation": relation.qualified, "kind": relation.kind.value,
            "title": relation.title, "description": relation.description, "owners": list(declared.owners),
            "classification": declared.classification, "filtered": relation.filtered,
            "freshness": self.freshness(),
        }  # fmt: skip

    def freshness(self) -> told.Freshness:
        """By business date and calendar, judged now, or at the known time that was asked for."""
        found = status(self.hub, self.named.dataset, self.moment.position, judged_at(self.hub, self.moment))
        return told.Freshness(
            state=found.state, last_date=found.last_date, expected_date=found.expected_date,
            missing=list(found.missing[-MISSING:]), last_known_at=found.last_known_at,
        )  # fmt: skip

    def detail(self) -> dict[str, Any]:
        """The fields of ``Detail``, but for the moment and the sample."""
        declared, described = self.declared, self.named.session.engine.described
        source = getattr(declared, "source", None)
        return {
            **self.summary(), "key": list(self.named.relation.key), "columns": list(self._columns()),
            "contract_version": described.contract(self.named.dataset).version,
            "source": told.Source(**source.model_dump()) if source else None,
            "sql": self._sql(),
            "lineage": self._lineage(), "quality": self._quality(),
        }  # fmt: skip

    def _sql(self) -> str | None:
        """How an extract is made; told to those for whom everything exists that it names."""
        declared = self.declared
        if not isinstance(declared, ExtractDataset) or not all(map(self._exists, self._inputs)):
            return None
        return declared.sql.strip()

    @property
    def _inputs(self) -> tuple[str, ...]:
        return self.hub.catalogue.inputs.get(self.named.dataset, ())

    def _columns(self) -> Iterator[told.ColumnDocument]:
        contract = self.named.session.engine.described.contract(self.named.dataset)
        checks = {column.name: column.checks for column in contract.columns}
        lineage = (
            self.hub.catalogue.derived(self.named.dataset).lineage if isinstance(self.declared, ExtractDataset) else {}
        )
        for column in self.named.relation.columns:
            origins = [f"{dataset}.{name}" for dataset, name in lineage.get(column.name, ()) if self._exists(dataset)]
            yield _column(column, json.loads(json.dumps(dict(checks[column.name]), default=str)), origins)

    def _lineage(self) -> told.Lineage:
        catalogue, name = self.hub.catalogue, self.named.dataset
        return told.Lineage(
            upstream=[one for one in self._inputs if self._exists(one)],
            downstream=[one for one in catalogue.downstream.get(name, ()) if self._exists(one)],
        )

    def _quality(self) -> told.Quality:
        declared = self.declared
        tolerance = declared.tolerance if isinstance(declared, StructuredDataset) else None
        changes = self.hub.log.changes(self.named.dataset, self.moment.position)
        newest = sorted(changes.items(), key=lambda item: item[0] or "", reverse=True)[:COMMITS]
        return told.Quality(
            checks=list(check_names(declared)),
            tolerance={"rows": tolerance.rows, "share": tolerance.share} if tolerance else None,
            commits=[self._commit(at, change) for _, (at, change) in newest],
        )

    def _commit(self, at: int, change: Change) -> told.Commit:
        counts = ("rows", "rows_read", "rejected", "added", "changed", "removed")
        is_told = self.named.rights.rows is None  # or they would count rows that are hidden
        return told.Commit(
            business_date=date.fromisoformat(change.partition) if change.partition else change.observed, position=at,
            known_at=self.hub.log.entry(at).known_at, is_correction=change.base is not None,
            **{name: getattr(change, name) if is_told else None for name in counts},
        )  # fmt: skip

    def _exists(self, dataset: str) -> bool:
        return self.named.session.rights(dataset) is not None


def judged_at(hub: Hub, moment: Moment) -> datetime:
    """When it is judged what is late: now, or at the known time that was asked for."""
    return hub.clock() if moment.asked is None or moment.known_at is None else moment.known_at


def _column(column: RelationColumn, checks: dict[str, Any], origins: list[str]) -> told.ColumnDocument:
    return told.ColumnDocument(
        name=column.name, type=str(column.type), nullable=column.nullable, unit=column.unit,
        description=column.description, masked=column.masked, checks=checks, origins=origins,
    )  # fmt: skip
