"""``/datasets/{domain}/{name}/rows``: rows of a dataset, streamed whole or in pages, in any format, as of any known time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response

from datahub_assets.errors import QueryError
from datahub_assets.serving.answer import Answer
from datahub_assets.serving.audit import Read
from datahub_assets.serving.http import answering, etags, filters, paging
from datahub_assets.serving.http.asking import VARY, Named, TheDataset, Wanted, Written, moment_headers, statement
from datahub_assets.serving.http.examples import ROWS
from datahub_assets.serving.http.options import HttpOptions
from datahub_assets.serving.http.parts import part
from datahub_assets.serving.http.sending import Begun, Sending
from datahub_assets.serving.http.signing_in import options_of
from datahub_assets.serving.http.spool import Spool
from datahub_assets.serving.http.writing.formats import Form

router = APIRouter(tags=["rows"])
JSON_ROWS = 1_000
"""Rows of a JSON document where no ``limit`` is given."""

COLUMNS = Annotated[str | None, Query(description="Columns, separated by commas.", examples=["business_date,price"])]
FILTERS = Annotated[
    tuple[str, ...],
    Query(
        alias="filter", max_length=50,
        description="`column:operator:value`, any number of times; all must hold. Operators: eq, ne, lt, le, gt, ge, like, "
        "ilike, in, notin (values separated by commas, CSV quotes), null, notnull (no value).",
        examples=["price:ge:10"],
    ),
]  # fmt: skip
SORT = Annotated[
    str | None, Query(description="Columns, separated by commas; `-` for descending.", examples=["-price"])
]
LIMIT = Annotated[
    int | None,
    Query(ge=1, description=f"Rows of a page; left out: all, streamed (json: {JSON_ROWS}). At most 100,000."),
]
CURSOR = Annotated[
    str | None, Query(description="Where the page begins: `next` of the page before.", max_length=20_000)
]
BUSINESS_DATE = Annotated[
    str | None,
    Query(description="A day, or `first..last` with either end left out.", examples=["2024-01-31", "2024-01-01.."]),
]
VALID_ON = Annotated[str | None, Query(description="Bitemporal: rows that hold on this day.", examples=["2024-01-31"])]


@dataclass(frozen=True)
class _Request:
    """One request for rows, held against the dataset."""

    named: Named
    asked: filters.Asked
    wanted: Wanted
    page: paging.Page | None
    cursors: paging.Cursors
    request: Request
    options: HttpOptions

    @property
    def tag(self) -> str:
        """Its ETag."""
        asked, page, wanted = self.asked, self.page, self.wanted
        paged = [page.limit, page.place.after, page.place.skip] if page else None
        return etags.etag(
            self.named.session.user, self.named.session.version(self.named.dataset), asked.relation.qualified,
            asked.columns, asked.where, asked.values, [order.sql for order in asked.sort], paged, wanted.form,
            wanted.compression, wanted.encoding, weak=wanted.form is Form.JSON,
        )  # fmt: skip

    def execute(self) -> tuple[answering.Rows, Answer]:
        """The rows, and the answer that they come from, to be closed."""
        return self._paged(self.page) if self.page is not None else self._streamed()

    def _streamed(self) -> tuple[answering.Rows, Answer]:
        order = f" ORDER BY {', '.join(one.sql for one in self.asked.sort)}" if self.asked.sort else ""
        sql = paging.select(self.asked, self.asked.columns) + order
        answer = self.named.session.execute(sql, self.asked.values)
        return self._rows(answer.schema, answering.begun(answer), answer), answer

    def _paged(self, page: paging.Page) -> tuple[answering.Rows, Answer]:
        sql, values = page.sql()
        answer = self.named.session.execute(sql, values)
        try:
            found = answer.read_all()
        except BaseException:
            answer.close()
            raise
        following = page.following(found)
        shown = found.slice(0, page.limit).select(list(self.asked.columns)).combine_chunks()
        rows = self._rows(shown.schema, shown.to_batches(), answer)
        return replace(rows, following=self.cursors.render(following) if following else None), answer

    def _rows(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], answer: Answer) -> answering.Rows:
        commit = str(self.named.session.engine.described.version(self.named.dataset, answer.moment.position))
        return answering.Rows(
            schema, batches, answer.moment, self.named.dataset, self.named.relation, {"dataset": self.named.dataset},
            metadata={"dataset": self.named.dataset, "commit": commit},
        )  # fmt: skip


@router.api_route("/datasets/{domain}/{name}/rows", methods=["GET"], responses=ROWS, response_class=Response)
@router.api_route("/datasets/{domain}/{name}/rows", methods=["HEAD"], include_in_schema=False)
def rows(
    request: Request,
    dataset: TheDataset,
    wanted: Written,
    columns: COLUMNS = None,
    filter_: FILTERS = (),
    sort: SORT = None,
    limit: LIMIT = None,
    cursor: CURSOR = None,
    business_date: BUSINESS_DATE = None,
    valid_on: VALID_ON = None,
    known_at: str | None = None,
) -> Response:
    """Rows of a dataset. Without `limit` all of them are streamed; with it they come in pages of one state of the hub."""
    asked = filters.asked(
        dataset.relation, columns=columns, filters=filter_, sort=sort, business_date=business_date, valid_on=valid_on
    )
    options = options_of(request)
    said = {
        "dataset": dataset.dataset, "columns": columns, "filter": list(filter_), "sort": sort, "known_at": known_at,
        "business_date": business_date, "valid_on": valid_on,
    }  # fmt: skip
    cursors = paging.Cursors(options.key, dataset.session.user, said)
    page = _page(dataset, asked, cursors, wanted, options, limit, cursor)
    return _answer(_Request(dataset, asked, wanted, page, cursors, request, options))


def _page(
    dataset: Named, asked: filters.Asked, cursors: paging.Cursors, wanted: Wanted, options: HttpOptions,
    limit: int | None, cursor: str | None,
) -> paging.Page | None:  # fmt: skip
    if limit is not None and limit > options.page_rows:
        raise QueryError(
            "Page is too large", where="limit", got=str(limit), expected=f"at most {options.page_rows:,}",
            remedy="Leave limit out to have all rows streamed, in any format but json",
        )  # fmt: skip
    if limit is None and cursor is None and wanted.form is not Form.JSON:
        return None
    session = dataset.session
    place = paging.Place(session.moment().position)
    if cursor is not None:
        place = cursors.parse(cursor)
        if place.position != session.moment().position:
            session.know_at(place.position)
    return paging.Page(asked, place, limit or JSON_ROWS)


def _answer(asked: _Request) -> Response:
    session, tag = asked.named.session, asked.tag
    more = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if asked.wanted.form is Form.PARQUET:
        more["Accept-Ranges"] = "bytes"
    if etags.matches(asked.request.headers.getlist("if-none-match"), tag):
        return Response(status_code=304, headers={**more, "Vary": VARY, **moment_headers(session.moment())})
    in_parts = asked.wanted.form is Form.PARQUET and (
        "range" in asked.request.headers or asked.request.method == "HEAD"
    )
    if in_parts:
        return Sending(lambda: _part(asked, tag, more), session.cancel)
    if asked.request.method == "HEAD":
        return Response(
            headers={**asked.wanted.headers(asked.named.dataset), **more, **moment_headers(session.moment())}
        )
    return Sending(lambda: _whole(asked, more), session.cancel)


def _whole(asked: _Request, more: dict[str, str]) -> Begun:
    found, answer = asked.execute()
    said = {**answering.headers(found, asked.wanted), **more}
    if found.following is not None:
        said["Link"] = f'<{_next_url(asked.request, found.following)}>; rel="next"'
    return Begun(answering.pieces(found, asked.wanted), said, over=answer.close)


def _part(asked: _Request, tag: str, more: dict[str, str]) -> Begun:
    spool: Spool = asked.request.app.state.spool
    session = asked.named.session
    is_new = False

    def pieces() -> Iterator[bytes]:
        nonlocal is_new
        is_new = True
        found, answer = asked.execute()
        with answer:
            yield from answering.pieces(found, asked.wanted)

    file, size = spool.opened(tag, pieces)
    if not is_new:  # its rows were counted when it was made for this person
        _told(asked)
    said = {**asked.wanted.headers(asked.named.dataset), **more, **moment_headers(session.moment())}
    return part(file, size, said, asked.request, tag)


def _told(asked: _Request) -> None:
    """The audit log knows that a file was read in part."""
    session = asked.named.session
    moment, asks = session.moment(), asked.request.headers.get("range", "")
    read = Read(asked.named.dataset, asked.named.relation.qualified, moment.position)
    begun = session.engine.begun(session, f"{statement(asked.request)} {asks}", moment, [read])
    session.engine.audit.end(session.engine.audit.begin(begun), "done", 0, 0.0)


def _next_url(request: Request, cursor: str) -> str:
    """The path of the next page: as asked, with the cursor."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*query, ('cursor', cursor)])}"
