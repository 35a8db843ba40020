"""``/deliveries`` and ``/rejects``: the files that were received, and the rows of them that broke their contract.

Rejects are rows as they were delivered, which no filter or mask fits: they are shown to those who see a dataset whole.
"""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

import polars as pl
import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response

from datahub_assets.history.log import Change, Delivery
from datahub_assets.operations.hub import Hub
from datahub_assets.parsing.raw import REJECTS
from datahub_assets.serving.audit import Read
from datahub_assets.serving.http import documents as told
from datahub_assets.serving.http.answering import told_moment
from datahub_assets.serving.http.asking import Named, TheDataset, Written, named
from datahub_assets.serving.http.datasets import visible
from datahub_assets.serving.http.examples import ANY_ROWS
from datahub_assets.serving.http.filters import day
from datahub_assets.serving.http.recorded import Recorded, sending
from datahub_assets.serving.http.signing_in import Asking
from datahub_assets.serving.http.writing.shaping import in_hub_types
from datahub_assets.serving.refusals import NotAllowed
from datahub_assets.serving.session import Session

router = APIRouter(tags=["deliveries"])
DATASET = Annotated[str | None, Query(description="domain/name; left out: all.", examples=["ecb/fx_reference_rates"])]
DAY = Annotated[str | None, Query(description="Those that speak of this day.", examples=["2024-01-31"])]
LIMIT = Annotated[int, Query(ge=1, le=10_000, description="So many at most.")]


@router.get("/deliveries", response_model=told.Deliveries)
def deliveries(
    request: Request, session: Asking, dataset: DATASET = None, business_date: DAY = None, limit: LIMIT = 100
) -> dict[str, Any]:  # fmt: skip
    """Files that were received for datasets that exist for you, newest first."""
    moment = session.begin()
    on = day(business_date, "business_date") if business_date else None
    found = [
        (delivery, one)
        for one in _structured(session, request, dataset)
        for delivery in session.engine.hub.log.deliveries(one.dataset, moment.position, on)
    ]
    found.sort(key=lambda pair: pair[0].receipt, reverse=True)
    return {**told_moment(moment), "deliveries": [_told(*pair) for pair in found[:limit]]}


@router.get("/rejects", response_model=told.RejectedCommits)
def rejects(request: Request, session: Asking, dataset: DATASET = None, limit: LIMIT = 100) -> dict[str, Any]:
    """Commits that stand and have rejects, of datasets that you see whole, newest first."""
    moment = session.begin()
    found = [
        _rejected(at, change)
        for one in _structured(session, request, dataset)
        if one.rights.whole
        for at, change in _with_rejects(session.engine.hub, one.dataset, moment.position)
    ]
    found.sort(key=lambda one: one.position, reverse=True)
    return {**told_moment(moment), "rejects": found[:limit]}


@router.get("/datasets/{domain}/{name}/rejects", responses=ANY_ROWS, response_class=Response)
def rejected_rows(
    request: Request, dataset: TheDataset, wanted: Written, business_date: DAY = None, limit: LIMIT = 1_000
) -> Response:  # fmt: skip
    """Rows that broke their contract: delivery, line, column, value, rule, message and the record as it was delivered."""
    if not dataset.rights.whole:
        raise NotAllowed(
            "Rejects are shown to those who see the dataset whole", where=dataset.dataset, got="a filter or a mask"
        )
    session, on = dataset.session, day(business_date, "business_date") if business_date else None
    position = session.moment().position

    def rows() -> pa.Table:
        changes = _with_rejects(session.engine.hub, dataset.dataset, position)
        return _rejects(session.engine.hub, [change for _, change in changes if on in (None, _day(change))], limit)

    read = Read(dataset.dataset, f"{dataset.relation.qualified} rejects", position)
    return sending(Recorded(session, request, read, rows), wanted, dataset.dataset)


def _structured(session: Session, request: Request, dataset: str | None) -> Iterator[Named]:
    found = visible(session, request) if dataset is None else iter([named(session, dataset, request)])
    return (one for one in found if one.dataset in session.engine.hub.catalogue.structured)


def _with_rejects(hub: Hub, dataset: str, position: int) -> Iterator[tuple[int, Change]]:
    """What stands and has rejects: of each business date its commit, of merged images and intervals each one's last merge."""
    standing: dict[object, tuple[int, Change]] = {}
    for at, change in hub.log.all_changes(dataset, position) if dataset in hub.catalogue.structured else ():
        standing[change.partition or change.folded] = (at, change)
    return (found for found in standing.values() if found[1].rejects)


def _rejects(hub: Hub, changes: list[Change], limit: int) -> pa.Table:
    nothing = pl.DataFrame(schema={**REJECTS, "delivery": pl.String, "receipt": pl.String})
    frames, left = [nothing], limit
    for path in dict.fromkeys(change.rejects for change in changes if change.rejects):
        if left > 0:
            frames.append(hub.vault.rejects(path).head(left))
            left -= frames[-1].height
    return in_hub_types(pl.concat(frames, how="diagonal_relaxed").to_arrow())


def _rejected(at: int, change: Change) -> told.Rejected:
    return told.Rejected(
        dataset=change.dataset,
        business_date=_day(change),
        position=at,
        rejected=change.rejected,
        rows_read=change.rows_read,
    )


def _day(change: Change) -> date | None:
    return date.fromisoformat(change.partition) if change.partition else change.observed


def _told(delivery: Delivery, one: Named) -> told.DeliveryDocument:
    is_told = one.rights.rows is None  # or its size would tell of rows that are hidden
    repeats = delivery.repeats
    return told.DeliveryDocument(
        dataset=one.dataset, receipt=_receipt(delivery.receipt), name=delivery.name, arrived_at=delivery.arrived_at,
        known_at=one.session.engine.hub.log.entry(delivery.receipt[0]).known_at,
        business_dates=list(delivery.business_dates), size=delivery.size if is_told else None,
        sha256=delivery.sha256 if is_told else None, repeats=_receipt(repeats) if repeats else None,
    )  # fmt: skip


def _receipt(pair: tuple[int, int]) -> str:
    return f"{pair[0]}.{pair[1]}"
