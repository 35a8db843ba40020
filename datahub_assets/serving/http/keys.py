"""``…/rows/{key}`` and its ``/history``: one row, or each of its versions, read from the structured table itself.

A version says when it was known, from which delivery it came and on which line of that file it stood. Extracts have no
table of their own rows: their versions come from the published files, and say the position of their commit.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Path, Request, Response

from datahub_assets.errors import QueryError
from datahub_assets.history.versions import KNOWN_TO
from datahub_assets.operations.read import key_history, require_kept
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM, Contract
from datahub_assets.schema.types import Kind
from datahub_assets.serving.audit import Read
from datahub_assets.serving.http.asking import Named, TheDataset, Written
from datahub_assets.serving.http.examples import ANY_ROWS
from datahub_assets.serving.http.filters import day
from datahub_assets.serving.http.problems import NoSuchThing
from datahub_assets.serving.http.recorded import Recorded, sending
from datahub_assets.serving.http.rows import BUSINESS_DATE as BUSINESS_DAY
from datahub_assets.serving.http.rows import VALID_ON
from datahub_assets.serving.http.writing.shaping import in_hub_types
from datahub_assets.serving.quoting import quoted
from datahub_assets.serving.relations import HISTORY, RelationKind

router = APIRouter(tags=["rows"])
KEY = Annotated[
    str,
    Path(
        description="Values of the key columns in key order, separated by commas; a comma of a value as %2C.",
        examples=["P000001,US0378331005"],
    ),
]  # fmt: skip


@router.get("/datasets/{domain}/{name}/rows/{key:path}/history", responses=ANY_ROWS, response_class=Response)
def history(
    request: Request, dataset: TheDataset, wanted: Written, key: KEY, business_date: BUSINESS_DAY = None
) -> Response:  # fmt: skip
    """Each version of one row: its values, when it was known, by which delivery and line. Dated datasets need `business_date`."""
    return _sent(request, dataset, wanted, business_date, None, standing=False)


@router.get("/datasets/{domain}/{name}/rows/{key:path}", responses=ANY_ROWS, response_class=Response)
def row(
    request: Request, dataset: TheDataset, wanted: Written, key: KEY, business_date: BUSINESS_DAY = None,
    valid_on: VALID_ON = None,
) -> Response:  # fmt: skip
    """One row as it stands, with the delivery and line it came from. A bitemporal one: each of its validities, or `valid_on`."""
    return _sent(request, dataset, wanted, business_date, valid_on, standing=True)


def _sent(
    request: Request, dataset: Named, wanted: Written, business_date: str | None, valid_on: str | None, *, standing: bool
) -> Response:  # fmt: skip
    session, relation = dataset.session, dataset.relation
    contract = session.engine.described.contract(dataset.dataset)
    values = _values(contract, _key_texts(request))
    is_dated = relation.kind is not RelationKind.BITEMPORAL
    if is_dated and not business_date:
        raise QueryError("Which business date?", where=dataset.dataset, got="no business_date", expected="one day")
    if not is_dated and business_date:
        raise QueryError("A bitemporal dataset has no business dates", where=dataset.dataset, got="business_date")
    if is_dated and valid_on:
        raise QueryError("Rows of this dataset have no validity", where=dataset.dataset, got="valid_on")
    on = day(business_date, "business_date") if business_date else None
    holds = day(valid_on, "valid_on") if valid_on else None

    def rows() -> pa.Table:
        versions = (
            _published(dataset, values, on) if relation.kind is RelationKind.EXTRACT else _stored(dataset, values, on)
        )
        found = versions.filter(pc.is_null(versions[KNOWN_TO])) if standing else versions
        found = _holding(found, holds) if holds else found
        if not found.num_rows:
            raise NoSuchThing("No such row", where=dataset.dataset, got=", ".join(map(str, values)))
        return found

    read = Read(dataset.dataset, f"{relation.qualified}{'' if standing else HISTORY}", session.moment().position)
    return sending(Recorded(session, request, read, rows), wanted, dataset.dataset)


def _stored(dataset: Named, key: Sequence[Any], on: date | None) -> pa.Table:
    """The versions that the person sees, from the table."""
    hub, position = dataset.session.engine.hub, dataset.session.moment().position
    require_kept(hub, dataset.dataset, position)
    found = key_history(hub, dataset.dataset, key, position, on.isoformat() if on else None).to_arrow()
    seen = dataset.rights.apply(in_hub_types(found))
    contract = dataset.session.engine.described.contract(dataset.dataset)
    for name, value in zip(contract.key, key, strict=True):  # a key that is masked is not found by its value
        seen = seen.filter(pc.fill_null(pc.equal(seen[name], pa.scalar(value, seen.schema.field(name).type)), False))
    return seen


def _published(dataset: Named, key: Sequence[Any], on: date | None) -> pa.Table:
    """The versions that the person sees, from the published files."""
    relation, contract = dataset.relation, dataset.session.engine.described.contract(dataset.dataset)
    columns = [BUSINESS_DATE, *contract.key]
    where = " AND ".join(f"{quoted(name)} = ${i}" for i, name in enumerate(columns, start=1))
    name = f"{quoted(relation.schema)}.{quoted(relation.name + HISTORY)}"
    with dataset.session.execute(f"SELECT * FROM {name} WHERE {where} ORDER BY known_from", [on, *key]) as answer:
        return answer.read_all()


def _holding(rows: pa.Table, on: date) -> pa.Table:
    begun = pc.less_equal(rows[VALID_FROM], pa.scalar(on, pa.date32()))
    ended = pc.fill_null(pc.less_equal(rows["valid_to"], pa.scalar(on, pa.date32())), False)
    return rows.filter(pc.and_(begun, pc.invert(ended)))


def _key_texts(request: Request) -> list[str]:
    """The key's values as the request's path has them, before anything was decoded: a comma of a value is no separator."""
    raw = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1")
    key = raw.partition("?")[0].removesuffix("/history").rpartition("/rows/")[2]
    return [unquote(part) for part in key.split(",")]


def _values(contract: Contract, texts: Sequence[str]) -> list[Any]:
    if len(texts) != len(contract.key):
        expected = f"{len(contract.key)}: {', '.join(contract.key)}"
        raise QueryError("Key of another length", where=contract.dataset, got=str(len(texts)), expected=expected)
    return [_value(contract, name, text) for name, text in zip(contract.key, texts, strict=True)]


def _value(contract: Contract, name: str, text: str) -> Any:
    kind = contract.column(name).type.kind
    if kind is Kind.DATE:
        return day(text, name)
    if kind is Kind.TEXT:
        return text
    bound = 1 << (31 if kind is Kind.INT32 else 63)
    try:
        value = int(text)
    except ValueError:
        value = bound
    if not -bound <= value < bound:
        raise QueryError("Not a key", where=name, got=text, expected=str(contract.column(name).type))
    return value
