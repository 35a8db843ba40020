"""What exists in SQL: a relation for each dataset, one for its history, and the hub's own; described, not read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.history.versions import KNOWN_FROM, KNOWN_TO, POSITION
from datahub_assets.operations.definitions import extract_contract
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM, Contract, Shape
from datahub_assets.schema.types import Kind, LogicalType

HISTORY = "_history"
"""Suffix of the relation that has every version of each row."""


class RelationKind(StrEnum):
    """What a relation's rows are."""

    SNAPSHOT = "snapshot"
    BITEMPORAL = "bitemporal"
    EXTRACT = "extract"
    HISTORY = "history"


@dataclass(frozen=True)
class RelationColumn:
    """One column. ``masked``: this person reads null in it, in some rows or all."""

    name: str
    type: LogicalType
    nullable: bool
    unit: str | None = None
    description: str = ""
    masked: bool = False


@dataclass(frozen=True)
class Relation:
    """One relation as a person sees it.

    ``key`` names a row of the relation: of a snapshot or extract with ``business_date`` first, of a bitemporal dataset with
    ``valid_from`` last, of a history with ``known_from`` last. ``filtered``: this person does not see every row.
    """

    dataset: str
    kind: RelationKind
    schema: str
    name: str
    title: str
    description: str
    columns: tuple[RelationColumn, ...]
    key: tuple[str, ...]
    filtered: bool = False

    @property
    def qualified(self) -> str:
        """``schema.name``."""
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> RelationColumn:
        """The column of that name. Raises KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def contract_of(hub: Hub, dataset: str) -> Contract:
    """The columns and key that any dataset's rows are shown with."""
    return extract_contract(hub, dataset) if dataset in hub.catalogue.extracts else hub.contract(dataset)


def relations_of(hub: Hub, dataset: str) -> Iterator[Relation]:
    """The relations of a dataset: its own and its history's. Cost: an extract's first time starts a DuckDB (20 ms)."""
    declared, contract = hub.dataset(dataset), contract_of(hub, dataset)
    columns = tuple(RelationColumn(c.name, c.type, c.nullable, c.unit, c.description) for c in contract.columns)
    own = Relation(
        dataset, _kind(declared), declared.domain, declared.name, declared.title, declared.description.strip(), columns,
        _key(declared, contract),
    )  # fmt: skip
    yield own
    yield replace(
        own, kind=RelationKind.HISTORY, name=own.name + HISTORY, title=f"{own.title}: history",
        description=f"Each version of each row of {own.qualified}, and the known times between which it stood.",
        columns=columns + HISTORY_COLUMNS, key=(*own.key, KNOWN_FROM),
    )  # fmt: skip


HISTORY_COLUMNS = (
    RelationColumn(KNOWN_FROM, LogicalType(Kind.TIMESTAMP), False, None, "Known time from which the version stood."),
    RelationColumn(
        KNOWN_TO, LogicalType(Kind.TIMESTAMP), True, None, "Known time until which it stood; null: it stands."
    ),
    RelationColumn(POSITION, LogicalType(Kind.INT64), False, None, "Position of the commit that made it stand."),
)
"""What a history has besides the dataset's columns."""


def _kind(declared: StructuredDataset | ExtractDataset) -> RelationKind:
    if isinstance(declared, ExtractDataset):
        return RelationKind.EXTRACT
    return RelationKind.SNAPSHOT if declared.shape is Shape.SNAPSHOT else RelationKind.BITEMPORAL


def _key(declared: StructuredDataset | ExtractDataset, contract: Contract) -> tuple[str, ...]:
    if _kind(declared) is RelationKind.BITEMPORAL:
        return (*contract.key, VALID_FROM)
    return (BUSINESS_DATE, *contract.key)
