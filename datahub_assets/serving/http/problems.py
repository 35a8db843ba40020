"""Errors as problem documents (RFC 9457): what, where, what was got and expected, whose turn it is."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from datahub_assets.errors import DatahubError, DeclarationError, DeliveryMissing, QueryError, StoreUnavailable
from datahub_assets.serving import refusals
from datahub_assets.serving.http.writing.formats import NotAcceptable

MEDIA_TYPE = "application/problem+json"
LOG = logging.getLogger("datahub.http")
_STATUS: tuple[tuple[type[DatahubError], HTTPStatus], ...] = (
    (refusals.NotSignedIn, HTTPStatus.UNAUTHORIZED),
    (refusals.TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (refusals.NotAllowed, HTTPStatus.FORBIDDEN),
    (refusals.RightsChanged, HTTPStatus.FORBIDDEN),
    (refusals.TooBusy, HTTPStatus.TOO_MANY_REQUESTS),
    (refusals.TookTooLong, HTTPStatus.UNPROCESSABLE_ENTITY),
    (refusals.Cancelled, HTTPStatus.SERVICE_UNAVAILABLE),
    (refusals.OutOfMemory, HTTPStatus.UNPROCESSABLE_ENTITY),
    (refusals.TooLong, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (NotAcceptable, HTTPStatus.NOT_ACCEPTABLE),
    (DeliveryMissing, HTTPStatus.NOT_FOUND),
    (QueryError, HTTPStatus.BAD_REQUEST),
    (StoreUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (DeclarationError, HTTPStatus.SERVICE_UNAVAILABLE),
)
_TURN = "the person who asks"


class NoSuchThing(QueryError):
    """A dataset, row or place that does not exist for this person."""


def status_of(error: DatahubError) -> HTTPStatus:
    """The status that says whose turn it is."""
    if isinstance(error, NoSuchThing):
        return HTTPStatus.NOT_FOUND
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def document(error: DatahubError, status: HTTPStatus) -> dict[str, Any]:
    """The error as a problem document. What is not the asker's to mend is told without paths, addresses and names."""
    is_told = status < HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, refusals.Refused)
    facts = error.facts() if is_told else {"error": type(error).__name__, "what": error.what, "turn": error.turn}
    said: dict[str, Any] = {
        "type": "about:blank", "title": error.what, "status": int(status),
        "detail": str(error).splitlines()[0] if is_told else error.what, **facts, "retry_helps": error.retry_helps,
    }  # fmt: skip
    if isinstance(error, refusals.Refused):
        said["sqlstate"] = error.sqlstate
    return said


def problem(error: DatahubError) -> Response:
    """The answer to a request that failed so."""
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        LOG.warning("%s", error)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="DataHub", charset="UTF-8", Bearer realm="DataHub"'
    if error.retry_helps and status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers["Retry-After"] = "60" if isinstance(error, refusals.TooManyAttempts) else "2"
    return JSONResponse(document(error, status), status, headers, media_type=MEDIA_TYPE)


async def on_hub_error(_: Request, error: Exception) -> Response:
    """An error of the hub's."""
    assert isinstance(error, DatahubError)
    return problem(error)


async def on_invalid(_: Request, error: Exception) -> Response:
    """A request that does not fit the description of the API."""
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    said = {
        "type": "about:blank", "title": "Request is not understood", "status": 422, "detail": found[0],
        "what": "Request is not understood", "problems": "\n".join(found), "turn": _TURN, "retry_helps": False,
    }  # fmt: skip
    return JSONResponse(said, 422, media_type=MEDIA_TYPE)


async def on_http_error(_: Request, error: Exception) -> Response:
    """No such path, or no such method for it."""
    assert isinstance(error, HTTPException)
    said = {
        "type": "about:blank", "title": error.detail, "status": error.status_code, "what": error.detail, "turn": _TURN,
        "retry_helps": False,
    }  # fmt: skip
    return JSONResponse(said, error.status_code, error.headers, media_type=MEDIA_TYPE)


async def on_fault(_: Request, error: Exception) -> Response:
    """Something that the hub has no words for: its maintainers find it in the server's log."""
    said = {
        "type": "about:blank", "title": "Fault in the hub", "status": 500, "what": "Fault in the hub",
        "got": type(error).__name__, "turn": DatahubError.turn, "retry_helps": False,
    }  # fmt: skip
    return JSONResponse(said, 500, media_type=MEDIA_TYPE)
