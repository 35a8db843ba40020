"""How a request for a page is answered: what went wrong as a page with the words of the error, and the dataset it is about."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from datahub_assets.errors import DatahubError
from datahub_assets.serving.http.problems import NoSuchThing, status_of
from datahub_assets.serving.http.signing_in import Asking, engine_of
from datahub_assets.serving.pages.language import Language, language
from datahub_assets.serving.pages.remembered import Remembered
from datahub_assets.serving.pages.rendering import render
from datahub_assets.serving.pages.view import View, view_of
from datahub_assets.serving.refusals import NotSignedIn


class PageRoute(APIRoute):
    """A route whose errors are pages. Who is not signed in is the application's: a browser is sent to the form."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The route's handler."""
        answer = super().get_route_handler()

        async def answer_or_tell(request: Request) -> Response:
            try:
                return await answer(request)
            except NotSignedIn:
                raise
            except DatahubError as error:
                facts = {"what": error.what, "got": error.got, "expected": error.expected, "remedy": error.remedy}
                return _error(request, status_of(error), facts)
            except RequestValidationError as error:
                first = error.errors()[0]
                facts = {"what": "Request is not understood", "got": f"{first['loc'][-1]}: {first['msg']}"}
                return _error(request, 422, facts)

        return answer_or_tell


def _error(request: Request, status: int, facts: dict[str, Any]) -> Response:
    told = {"what": None, "got": None, "expected": None, "remedy": None, **facts, "status": int(status)}
    response = render(request, zone_of(request), "error.html", told)
    response.status_code = int(status)
    return response


def zone_of(request: Request) -> ZoneInfo:
    """The time zone that instants are told in: the hub's."""
    return ZoneInfo(engine_of(request).hub.settings.timezone)


def memory_of(request: Request) -> Remembered:
    """What the application remembers of the log."""
    found: Remembered = request.app.state.remembered
    return found


Memory = Annotated[Remembered, Depends(memory_of)]
"""What the application remembers of the log."""


def dataset_of(domain: str, name: str, session: Asking, remembered: Memory) -> View:
    """The dataset of the path, as who asks sees it.

    Raises:
        NoSuchThing: it does not exist for them, or for anybody: the words are the same.
    """
    session.begin()  # all that a page shows is of one position
    view = view_of(session, remembered, f"{domain}/{name}")
    if view is None:
        raise NoSuchThing("No such dataset", got=f"{domain}/{name}", remedy="See all datasets: /")
    return view


def language_of(request: Request) -> Language:
    """The language of the person's browser."""
    return language(request.headers.get("accept-language", ""), zone_of(request))


Shown = Annotated[View, Depends(dataset_of)]
"""The dataset that a page shows."""
Spoken = Annotated[Language, Depends(language_of)]
"""How values are written."""
