"""OIDs for what a person sees: schemas, relations, their keys and row types. Stable as long as the relations are the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datahub_assets.serving.odbc.catalogue.declared import INFORMATION, PG, RELATIONS, Declared
from datahub_assets.serving.own_relations import COLUMNS, CUTS
from datahub_assets.serving.own_relations import RELATIONS as RELATIONS_COLUMNS
from datahub_assets.serving.relations import Relation, RelationKind

OWNER, DATABASE_OID, TABLESPACE = 10, 16384, 1663
_FIRST_SCHEMA, _FIRST_RELATION, _STRIDE, _FIRST_OWN, _FIRST_INFORMATION = 20_000, 100_000, 4, 90_000, 13_000
FIXED_SCHEMAS = {PG: 11, "public": 2200, INFORMATION: 13_999, "datahub": 19_999}
OWN = {"relations": RELATIONS_COLUMNS, "columns": COLUMNS, "cuts": CUTS}
"""The hub's own relations, in the schema ``datahub``."""


@dataclass(frozen=True)
class Seen:
    """A relation that a person sees, with its numbers."""

    relation: Relation
    oid: int
    schema_oid: int

    @property
    def index(self) -> int:
        """Of the index that its key has."""
        return self.oid + 1

    @property
    def constraint(self) -> int:
        """Of the key as a constraint."""
        return self.oid + 2

    @property
    def row_type(self) -> int:
        """Of the type of its rows."""
        return self.oid + 3

    @property
    def key_name(self) -> str:
        """The name of the key's index and constraint."""
        return f"{self.relation.name}_pkey"

    @property
    def kind(self) -> str:
        """r: a table; v: a view, which is what a history is shown as."""
        return "v" if self.relation.kind is RelationKind.HISTORY else "r"

    @property
    def key_places(self) -> list[int]:
        """The places of the key's columns, from 1."""
        places = {column.name: place for place, column in enumerate(self.relation.columns, start=1)}
        return [places[name] for name in self.relation.key]


def schemas(relations: Sequence[Relation]) -> dict[str, int]:
    """All schemas with their OIDs."""
    domains = sorted({relation.schema for relation in relations})
    return {**FIXED_SCHEMAS, **{name: _FIRST_SCHEMA + i for i, name in enumerate(domains)}}


def seen(relations: Sequence[Relation]) -> list[Seen]:
    """The relations with their OIDs."""
    known = schemas(relations)
    return [
        Seen(relation, _FIRST_RELATION + _STRIDE * i, known[relation.schema]) for i, relation in enumerate(relations)
    ]


def system_relations() -> Iterator[tuple[Declared, int]]:
    """The catalogue's own relations with their OIDs: PostgreSQL's where it has fixed ones."""
    for i, declared in enumerate(RELATIONS.values()):
        yield declared, declared.oid or _FIRST_INFORMATION + i
    for i, (name, columns) in enumerate(OWN.items()):
        yield Declared("datahub", name, 0, "v", columns), _FIRST_OWN + i
