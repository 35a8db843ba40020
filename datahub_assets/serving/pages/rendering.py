"""HTML from facts: templates that escape everything, values as a person's language writes them, and strict headers.

No page has a script or a style in it: the Content-Security-Policy allows none, whatever stands in the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from datahub_assets import __version__
from datahub_assets.serving.pages.language import Language, language
from datahub_assets.serving.session import Session

HERE = Path(__file__).parent
STATIC = HERE / "static"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Authorization, Accept-Language",
}
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, extensions=["jinja2.ext.do"],
)  # fmt: skip
_MOST_TEXT = 200


@dataclass(frozen=True)
class Written:
    """A value as it is shown. ``kind``: number, null, date, text; ``whole``: all of a text that is shortened."""

    text: str
    kind: str
    whole: str | None = None


def written(value: object, language: Language) -> Written:
    """A value of a row as a person reads it."""
    if value is None:
        return Written("null", "null")
    if isinstance(value, bool):
        return Written("true" if value else "false", "text")
    if isinstance(value, int | float | Decimal):
        return Written(language.number(value), "number")
    if isinstance(value, datetime):
        return Written(language.instant(value), "date")
    if isinstance(value, date):
        return Written(language.day(value), "date")
    text = str(value)
    return Written(text[:_MOST_TEXT] + "…", "text", text) if len(text) > _MOST_TEXT else Written(text, "text")


@dataclass(frozen=True)
class Links:
    """Addresses of pages. The known time that a page was asked for goes along to every other."""

    known_at: str | None

    def __call__(self, path: str, **query: object) -> str:
        """A path with its query; parameters that are None or empty are left out."""
        given = {"known_at": self.known_at, **query}
        said = {name: str(value) for name, value in given.items() if value not in (None, "")}
        return quote(path, safe="/%") + (f"?{urlencode(said)}" if said else "")

    def dataset(self, name: str, part: str = "", **query: object) -> str:
        """A page of a dataset."""
        return self(f"/browse/{name}{f'/{part}' if part else ''}", **query)


def render(
    request: Request, zone: ZoneInfo, template: str, facts: Mapping[str, Any], session: Session | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:  # fmt: skip
    """A page.

    Args:
        request: whose language and known time it is written for.
        zone: in which instants are told.
        template: file below ``templates``.
        facts: what the template shows.
        session: of the person who is signed in; None: nobody.
        status: of the answer.
    """
    moment = session.moment() if session else None
    spoken = language(request.headers.get("accept-language", ""), zone)
    page = _ENVIRONMENT.get_template(template).render(
        **facts, link=Links(moment.asked if moment else None), language=spoken, moment=moment,
        user=session.user if session else None, written=lambda value: written(value, spoken), version=__version__,
        zone=str(zone), here=request.url.path, cuts=_cuts(session) if session else (),
        asked=[(name, value) for name, value in request.query_params.multi_items() if name != "known_at"],
    )  # fmt: skip
    return HTMLResponse(page, status, HEADERS)


def _cuts(session: Session) -> list[str]:
    return sorted(session.engine.hub.log.cuts())
