"""``/datasets`` and ``/datasets/{domain}/{name}``: what there is for the person who asks, and everything about one of them."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from datahub_assets.schema.contract import BUSINESS_DATE
from datahub_assets.serving.http import documents as told
from datahub_assets.serving.http.answering import told_moment
from datahub_assets.serving.http.asking import Named, TheDataset, named
from datahub_assets.serving.http.facts import Facts
from datahub_assets.serving.http.signing_in import Asking
from datahub_assets.serving.http.writing.text import ndjson
from datahub_assets.serving.quoting import quoted
from datahub_assets.serving.relations import RelationKind
from datahub_assets.serving.session import Session

router = APIRouter(tags=["datasets"])
SEARCH = Annotated[
    str | None,
    Query(description="Words, each of which the name, title, description or a column has.", max_length=200),
]
SAMPLE = Annotated[int, Query(ge=0, le=100, description="Rows of the sample.")]


@router.get("/datasets", response_model=told.Datasets)
def datasets(request: Request, session: Asking, search: SEARCH = None) -> dict[str, Any]:
    """The datasets that exist for you, with their freshness."""
    moment = session.begin()
    found = [Facts(one, moment).summary() for one in visible(session, request) if _fits(one, search)]
    return {**told_moment(moment), "datasets": found}


@router.get("/datasets/{domain}/{name}", response_model=told.Detail)
def dataset(dataset: TheDataset, sample: SAMPLE = 5) -> dict[str, Any]:
    """Everything about one dataset: columns, owners, freshness, lineage, quality, and some rows."""
    moment = dataset.session.moment()
    facts = Facts(dataset, moment)
    return {**told_moment(moment), **facts.detail(), "sample": _sample(dataset, sample) if sample else []}


def visible(session: Session, request: Request) -> Iterator[Named]:
    """The datasets that exist for the person, by name."""
    for name in sorted(session.engine.hub.catalogue.datasets):
        if session.rights(name) is not None:
            yield named(session, name, request)


def _fits(one: Named, search: str | None) -> bool:
    relation = one.relation
    columns = " ".join(f"{column.name} {column.description}" for column in relation.columns)
    text = f"{one.dataset} {relation.title} {relation.description} {columns}".casefold()
    return all(word in text for word in (search or "").casefold().split())


def _sample(dataset: Named, rows: int) -> list[dict[str, Any]]:
    relation, session = dataset.relation, dataset.session
    sql, values = f"SELECT * FROM {quoted(relation.schema)}.{quoted(relation.name)}", list[Any]()
    days = session.engine.described.images(dataset.dataset, session.moment().position)
    if relation.kind is not RelationKind.BITEMPORAL and days:
        sql, values = f"{sql} WHERE {BUSINESS_DATE} = $1", [max(days)]
    with session.execute(f"{sql} LIMIT {rows}", values) as answer:
        return [json.loads(line) for piece in ndjson(answer) for line in piece.splitlines()]
