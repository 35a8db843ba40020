"""Signing in and out by a form, for browsers: ``POST /sign-in`` and ``POST /sign-out``. The form itself is a page."""

from typing import Annotated
from urllib.parse import parse_qs, urlencode

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from datahub_assets.errors import QueryError
from datahub_assets.serving.engine import Engine
from datahub_assets.serving.http.options import HttpOptions
from datahub_assets.serving.http.signing_in import (
    address_of,
    engine_of,
    forget_sign_in,
    keep_sign_in,
    local_path,
    options_of,
)
from datahub_assets.serving.refusals import NotSignedIn, TooLong, TooManyAttempts

router = APIRouter(include_in_schema=False)
_FORM_BYTES = 16_384


@router.post("/sign-in")
async def sign_in(
    request: Request,
    engine: Annotated[Engine, Depends(engine_of)],
    options: Annotated[HttpOptions, Depends(options_of)],
) -> Response:
    """The browser is signed in and sent to ``next``; with a wrong password back to the form, ``?failed=wrong`` or ``often``."""
    form = await _form(request)
    target = local_path(form.get("next"))
    try:
        await to_thread.run_sync(
            engine.sign_in_with_password, form.get("user", ""), form.get("password", ""), address_of(request)
        )
    except (NotSignedIn, TooManyAttempts) as error:
        why = "wrong" if isinstance(error, NotSignedIn) else "often"
        return RedirectResponse(f"/sign-in?{urlencode({'failed': why, 'next': target})}", 303)
    response = RedirectResponse(target, 303)
    keep_sign_in(response, engine, options, form["user"])
    return response


@router.post("/sign-out")
def sign_out() -> Response:
    """The browser is signed in no more."""
    response = RedirectResponse("/sign-in", 303)
    forget_sign_in(response)
    return response


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _FORM_BYTES:
            raise TooLong("Form is too long", got=f"over {_FORM_BYTES} bytes")
    try:
        return {name: values[-1] for name, values in parse_qs(body.decode(), strict_parsing=bool(body)).items()}
    except ValueError as error:
        raise QueryError("Not a form", got=str(error)) from error
