"""The pages and their addresses. What they show is the other modules'; signing in is the HTTP door's."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import APIRouter, FastAPI, Query, Request, Response
from starlette.staticfiles import StaticFiles

from datahub_assets.errors import QueryError
from datahub_assets.history.log import Input
from datahub_assets.serving.audit import Read
from datahub_assets.serving.engine import Engine
from datahub_assets.serving.http.problems import NoSuchThing
from datahub_assets.serving.http.recorded import Recorded
from datahub_assets.serving.http.signing_in import Asking, local_path
from datahub_assets.serving.moments import resolve
from datahub_assets.serving.pages import addresses, commits, connect, dates, difference, lineage, profile, rows, search
from datahub_assets.serving.pages.answering import Memory, PageRoute, Shown, Spoken, zone_of
from datahub_assets.serving.pages.month import months
from datahub_assets.serving.pages.profile import is_number
from datahub_assets.serving.pages.remembered import Remembered
from datahub_assets.serving.pages.rendering import STATIC, render
from datahub_assets.serving.pages.view import View, views, visible

router = APIRouter(include_in_schema=False, route_class=PageRoute)
PAGE = 50
FEW, ALL = 25, 1000
"""Deliveries on a page, and on the page of all."""
_Text = Annotated[str, Query(max_length=200)]
_Day = Annotated[str, Query(max_length=10)]


def join_pages(app: FastAPI, engine: Engine) -> None:
    """The application has the pages at ``/`` from now on."""
    app.state.remembered = Remembered(engine)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(router)


@router.get("/sign-in")
def sign_in_form(request: Request, next: str = "/", failed: str = "") -> Response:
    """The form that signs a browser in."""
    status = HTTPStatus.UNAUTHORIZED if failed else HTTPStatus.OK
    return render(
        request, zone_of(request), "sign_in.html", {"target": local_path(next), "failed": failed}, status=status
    )


@router.get("/")
def all_datasets(request: Request, session: Asking, remembered: Memory, q: _Text = "") -> Response:
    """All datasets of the person, or those that fit the words."""
    session.begin()
    found = [(each, dates.freshness(each.view)) for each in search.search(views(session, remembered), q)]
    exist = bool(found) or next(views(session, remembered), None) is not None
    return render(request, zone_of(request), "datasets.html", {"found": found, "q": q, "exist": exist}, session)


@router.get("/browse/{domain}/{name}")
def overview(request: Request, view: Shown, spoken: Spoken, year: int | None = None) -> Response:
    """How the dataset stands: state, calendar, rows and rejects over time."""
    there = dates.years(view)
    chosen = year if year in there else None
    span = (date(chosen, 1, 1), date(chosen, 12, 31)) if chosen else dates.newest_months(view)
    facts = dates.dates(view, *span) if span else {}
    status = dates.freshness(view)
    return _page(
        request, view, "overview", status=status, years=there, year=chosen, months=months(facts, spoken.weekdays()[0][0]),
        facts=facts, counts=dates.rows_by_date(view, facts), states=list(dates.DateState),
        waits=dates.waits_for(view, status.missing[-10:]), chart=_chart,
    )  # fmt: skip


@router.get("/browse/{domain}/{name}/days/{day}")
def one_day(request: Request, view: Shown, day: date) -> Response:
    """One business date: what is there, what was committed for it, from which files, with which rejects."""
    fact = dates.dates(view, day, day).get(day)
    if fact is None:
        raise NoSuchThing(
            "No such business date", where=view.dataset, got=day.isoformat(), expected="one of the calendar"
        )
    return _page(
        request, view, "day", day=day, fact=fact, commits=commits.commits(view, day=day),
        deliveries=commits.deliveries(view, day=day), rejects=_rejects(request, view, day),
        inputs=_inputs(view, day),
        waits=dates.waits_for(view, [day]).get(day, ()) if fact.state is dates.DateState.MISSING else (),
    )  # fmt: skip


@router.get("/browse/{domain}/{name}/columns")
def columns(request: Request, view: Shown, day: _Day = "") -> Response:
    """The columns, and what their values are like on a date."""
    chosen = None if day == "all" else _day(day) or view.last_date
    return _page(request, view, "columns", profile=profile.profile(view, chosen) if view.made else None, chosen=chosen)


@router.get("/browse/{domain}/{name}/lineage")
def whole_way(request: Request, view: Shown) -> Response:
    """Where the dataset comes from, to the source's file, and what is made from it."""
    kinds = list(lineage.NodeKind)
    return _page(request, view, "lineage", graph=lineage.graph(view), kinds=kinds)


@router.get("/browse/{domain}/{name}/changes")
def changes(
    request: Request, view: Shown, before: _Text = "", after: _Text = "", day: _Day = "", start: int = 0
) -> Response:
    """Commits and corrections, and what differs between two known times."""
    start = max(0, start)
    found = commits.commits(view, limit=PAGE + 1, start=start)
    return _page(
        request, view, "changes", commits=found[:PAGE], start=start, more=len(found) > PAGE, page=PAGE,
        difference=_difference(view, before, after, _day(day)) if before else None, before=before, after=after, day=day,
    )  # fmt: skip


@router.get("/browse/{domain}/{name}/deliveries")
def files(request: Request, view: Shown, all: int = 0) -> Response:
    """The files that came, and the rows of them that are in quarantine."""
    most = ALL if all else FEW
    found = commits.deliveries(view, limit=most + 1)
    return _page(
        request, view, "deliveries", deliveries=found[:most], more=len(found) > most, rejects=_rejects(request, view),
        is_structured=view.dataset in view.hub.catalogue.structured,
    )  # fmt: skip


@router.get("/browse/{domain}/{name}/rows")
def some_rows(
    request: Request, view: Shown, day: _Day = "", column: _Text = "", text: _Text = "", start: int = 0
) -> Response:
    """Rows of a date, as they stand or stood."""
    chosen = None if day == "all" else _day(day) or (None if view.is_bitemporal else view.last_date)
    start = max(0, start)
    found = (
        rows.preview(view, chosen, column=column, text=text, start=start) if view.made or view.is_bitemporal else None
    )
    return _page(
        request, view, "rows", preview=found, chosen=chosen, column=column, text=text, start=start, page=rows.PREVIEW_ROWS,
        key_of=lambda row: {name: row[name] for name in view.relation.key}, formats=FORMATS,
        names_rows=not any(view.relation.column(name).masked for name in view.relation.key),
        download=lambda kind, day: _download_address(view, kind, day),
    )  # fmt: skip


@router.get("/browse/{domain}/{name}/row")
def one_row(request: Request, view: Shown) -> Response:
    """Every version of one row, each with its known times and the file and line it came from."""
    key = {name: request.query_params[name] for name in view.relation.key if name in request.query_params}
    needed = [name for name in view.relation.key if name != "valid_from"]
    lacking = [name for name in needed if name not in key]
    if lacking:
        raise QueryError(
            "The row is not named", where=view.dataset, got=f"no {', '.join(lacking)}", expected=", ".join(needed)
        )
    return _page(request, view, "row", key=key, versions=rows.versions(view, key))


@router.get("/browse/{domain}/{name}/connect")
def how_to_connect(request: Request, view: Shown) -> Response:
    """How programs reach the dataset."""
    found = addresses.endpoints(request, view.hub.settings)
    made = connect.snippets(found, view.relation.qualified, view.dataset, view.session.user, view.moment.asked)
    return _page(request, view, "connect", snippets=made, endpoints=found, formats=FORMATS)


@router.get("/browse/{domain}/{name}/{file}.dsn")
def dsn_file(request: Request, view: Shown, file: str) -> Response:
    """A file DSN."""
    text = connect.file_dsn(addresses.endpoints(request, view.hub.settings), view.session.user, view.moment.asked)
    return _download(text, "text/plain", "datahub.dsn")


@router.get("/browse/{domain}/{name}/{file}.odc")
def odc_file(request: Request, view: Shown, file: str) -> Response:
    """An Office Data Connection."""
    relation = view.relation
    text = connect.office_connection(
        addresses.endpoints(request, view.hub.settings),
        relation.qualified,
        relation.title,
        view.session.user,
        view.moment.asked,
    )
    return _download(text, "text/x-ms-odc", f"{relation.qualified}.odc")


FORMATS = (
    ("CSV", "csv"), ("CSV; decimal comma", "csv-excel"), ("Excel", "xlsx"), ("Parquet", "parquet"), ("Arrow", "arrow"),
    ("JSON", "json"),
)  # fmt: skip
"""Downloads: name, and the API's ``format``."""


def _inputs(view: View, day: date) -> list[Input]:
    """What a date of an extract was made from, as far as it exists for the person."""
    made = view.made.get(day, [])
    return [one for one in made[-1][1].inputs if visible(view.session, one.dataset)] if made else []


def _rejects(request: Request, view: View, day: date | None = None) -> list[commits.Rejected] | None:
    """Rejects that may be told; that they were read is in the audit log."""
    if not view.tells_raw:
        return None
    found: list[commits.Rejected] = []

    def read() -> pa.Table:
        found.extend(commits.rejects(view, day=day) or ())
        return pa.table({"rejects": pa.nulls(sum(one.rows.height for one in found))})

    Recorded(
        view.session, request, Read(view.dataset, f"{view.relation.qualified} rejects", view.moment.position), read
    ).table()
    return found


def _chart(counts: Sequence[Sequence[Any]], column: int) -> str:
    """What charts.js draws: seconds since 1970 of each day, and a figure of it."""
    days = [int(datetime.combine(row[0], time(), UTC).timestamp()) for row in counts]
    return json.dumps({"days": days, "values": [row[column] for row in counts]})


def _page(request: Request, view: View, name: str, **facts: Any) -> Response:
    settings = view.hub.settings
    whole = {
        **facts, "view": view, "declared": view.declared, "relation": view.relation, "tab": name,
        "asset": addresses.asset(view), "run": lambda run_id: addresses.run(settings, run_id),
        "all_dates": list(view.made),
        "numbers": {column.name for column in view.relation.columns if is_number(column)},
    }  # fmt: skip
    return render(request, zone_of(request), f"{name}.html", whole, view.session)


def _download(text: str, kind: str, name: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return Response(text, media_type=kind, headers=headers)


def _download_address(view: View, kind: str, day: date | None) -> str:
    """Where the API has the rows of a date as a file."""
    name = "valid_on" if view.is_bitemporal else "business_date"
    asked = {"format": kind, name: day, "known_at": view.moment.asked}
    return f"/api/v1/datasets/{view.dataset}/rows?{urlencode({k: v for k, v in asked.items() if v is not None})}"


def _difference(view: View, before: str, after: str, day: date | None) -> difference.Difference:
    positions = [max(0, resolve(view.hub, text or None).position) for text in (before, after)]
    return difference.difference(view, min(positions), max(positions), day)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise QueryError("Not a day", got=repr(text), expected="e.g. 2013-01-31") from error
