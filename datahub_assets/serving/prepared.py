"""From a statement's text to what runs: judged, its relations found at their positions, and the DuckDB's contents listed.

Nothing is read here but the log; no DuckDB is taken.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from datahub_assets.errors import QueryError
from datahub_assets.operations.read import require_kept
from datahub_assets.operations.scan import kept_changes
from datahub_assets.serving import parameters as params
from datahub_assets.serving.audit import Read
from datahub_assets.serving.described import Described
from datahub_assets.serving.duck import Contents, Place
from datahub_assets.serving.gate import DATABASE, Gated, Wanted, judge, no_such_relation
from datahub_assets.serving.moments import Moment, of_database
from datahub_assets.serving.refusals import NoSuchRelation, NotAllowed, NotThen
from datahub_assets.serving.relations import Relation, RelationKind
from datahub_assets.serving.rights import Rights
from datahub_assets.serving.sources import (
    BitemporalSource,
    ExtractSource,
    HistorySource,
    Restricted,
    SnapshotSource,
    Source,
    TableSource,
)
from datahub_assets.serving.tree import Node, parser


@dataclass
class Prepared:
    """A statement that is ready to run."""

    tag: str
    sql: str
    contents: Contents
    reads: list[Read] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    rights: dict[str, str] = field(default_factory=dict)
    """Fingerprints of the rights that the answer rests on, by dataset."""


class Preparation:
    """Prepares one statement for one person at one moment."""

    def __init__(
        self, described: Described, rights: Callable[[str], Rights | None], moment: Moment,
        resolve: Callable[[str | int], Moment], system: Mapping[tuple[str, str], TableSource], macros: Mapping[str, str],
        rewrite: Callable[[Node], None],
    ) -> None:  # fmt: skip
        """Prepare with what exists (``described``), for whom (``rights``), and what the door adds."""
        self._described, self._rights, self._moment, self._resolve = described, rights, moment, resolve
        self._system, self._macros, self._rewrite = system, macros, rewrite
        self._prepared = Prepared("SELECT", "", Contents())

    def run(self, sql: str, values: params.Parameters) -> Prepared:
        """The statement with its parameters.

        Raises:
            Refused: it may not run, or a relation does not exist for the person.
        """
        explain, statement = parser().parse(sql)
        params.substitute(statement, values)
        self._rewrite(statement)
        return self._finish(explain, judge(statement, self._macros.keys()))

    def describe(self, sql: str, types: Mapping[str, str]) -> tuple[Prepared, dict[str, str | None]]:
        """The statement with nulls for parameters, and the types of these: given, inferred, or unknown."""
        explain, statement = parser().parse(sql)
        self._rewrite(statement)
        named, untyped = params.names(statement), deepcopy(statement)
        params.put(untyped, {name: params.null(None) for name in named})
        wanted = judge(untyped, self._macros.keys()).wanted
        inferred = params.inferred(statement, [one for one in map(self._relation_of, wanted) if one])
        found: dict[str, str | None] = {name: types.get(name) or inferred.get(name) for name in named}
        params.put(statement, {name: params.null(type_name) for name, type_name in found.items()})
        return self._finish(explain, judge(statement, self._macros.keys())), found

    def _finish(self, explain: bool, gated: Gated) -> Prepared:
        prepared = self._prepared
        for wanted in list(gated.wanted):
            gated.place(wanted, *self._placed(wanted))
        prepared.contents.macros += [self._macros[name] for name in sorted(gated.functions & self._macros.keys())]
        prepared.sql = parser().render(gated.statement)
        if explain:
            self._require_explicable()
            prepared.tag, prepared.sql = "EXPLAIN", f"EXPLAIN {prepared.sql}"
        return prepared

    def _require_explicable(self) -> None:
        filtered = [relation.qualified for relation in self._prepared.relations if relation.filtered]
        if filtered:
            raise NotAllowed("No EXPLAIN of relations with a row filter", where=", ".join(filtered))

    # -- finding relations -------------------------------------------------------------------------------------------

    def _placed(self, wanted: Wanted) -> tuple[str, str]:
        """The schema and name under which a relation stands in the statement's DuckDB; it is put there."""
        system = self._system.get((wanted.schema or "main", wanted.name))
        if system is not None and wanted.catalog in {"", DATABASE}:
            return self._place(f"{wanted.schema or 'main'}$", wanted.name, source=system)
        relation, when = self._relation_of(wanted), self._when(wanted)
        if relation is None:
            raise self._unknown(wanted)
        moment = self._moment if when is None else self._resolve(when)
        schema = relation.schema if moment.position == self._moment.position else f"{relation.schema}@{moment.position}"
        read = Read(relation.dataset, relation.qualified, moment.position)
        if read not in self._prepared.reads:
            self._prepared.reads.append(read)
            self._prepared.relations.append(relation)
            self._put(relation, moment.position, schema)
        return schema, relation.name

    def _relation_of(self, wanted: Wanted) -> Relation | None:
        """The relation that is meant; None: it does not exist for the person."""
        if of_database(wanted.catalog)[0] not in {"", DATABASE}:
            return None
        named = self._described.named(wanted.schema, wanted.name)
        visible = [(relation, rights) for relation in named if (rights := self._rights(relation.dataset)) is not None]
        if len(visible) > 1:
            names = ", ".join(relation.qualified for relation, _ in visible)
            raise NoSuchRelation("Ambiguous name of a relation", got=str(wanted), expected=f"one of {names}")
        return self._described.seen_by(*visible[0]) if visible else None

    def _when(self, wanted: Wanted) -> str | int | None:
        return wanted.when if wanted.when is not None else of_database(wanted.catalog)[1]

    def _unknown(self, wanted: Wanted) -> NoSuchRelation:
        names = [r.qualified for r in self._described.all() if self._rights(r.dataset) is not None]
        return no_such_relation(wanted, get_close_matches(str(wanted), names, n=3))

    # -- contents ----------------------------------------------------------------------------------------------------

    def _put(self, relation: Relation, position: int, schema: str) -> None:
        rights = self._rights(relation.dataset)
        assert rights is not None
        self._prepared.rights[relation.dataset] = rights.fingerprint
        try:
            require_kept(self._described.hub, relation.dataset, position)
        except QueryError as error:
            raise NotThen(
                error.what, where=error.where, got=error.got, expected=error.expected, remedy=error.remedy
            ) from error
        if relation.kind is RelationKind.EXTRACT and rights.whole:
            self._put_files(relation, position, schema)
            return
        source = self._source(relation, position)
        self._place(schema, relation.name, source=source if rights.whole else Restricted(source, rights))

    def _put_files(self, relation: Relation, position: int, schema: str) -> None:
        contract = self._described.contract(relation.dataset)
        changes = self._described.images(relation.dataset, position)
        select, folders = self._described.files.view(contract, changes)
        self._prepared.contents.folders.update({folder.name: folder for folder in folders})
        self._place(schema, relation.name, select=select)

    def _source(self, relation: Relation, position: int) -> Source:
        described, dataset = self._described, relation.dataset
        contract = described.contract(dataset)
        if relation.kind is RelationKind.HISTORY:
            changes: dict[str | None, Any] = {}
            if described.is_bitemporal(dataset):
                changes[None] = described.hub.log.all_changes(dataset, position)
            else:
                changes = {
                    partition: kept_changes(described.hub, dataset, made)
                    for partition, made in described.made(dataset, position).items()
                }
            return HistorySource(described.hub, contract, changes)
        if relation.kind is RelationKind.BITEMPORAL:
            return BitemporalSource(described.hub, contract, described.committed(dataset, position))
        images = described.images(dataset, position)
        if relation.kind is RelationKind.EXTRACT:
            return ExtractSource(described.hub, contract, images)
        return SnapshotSource(described.hub, contract, images)

    def _place(
        self, schema: str, name: str, *, select: str | None = None, source: Source | None = None
    ) -> tuple[str, str]:
        if not any((place.schema, place.name) == (schema, name) for place in self._prepared.contents.places):
            self._prepared.contents.places.append(Place(schema, name, select, source))
        return schema, name
