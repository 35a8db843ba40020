"""The application: what is served where. Routes are their modules'; the server around it is ``server``'s."""

from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from datahub_assets import __version__
from datahub_assets.errors import DatahubError
from datahub_assets.serving.engine import Engine
from datahub_assets.serving.http import (
    datasets,
    deliveries,
    hub_state,
    keys,
    metrics,
    problems,
    rows,
    sign_in_form,
    statements,
)
from datahub_assets.serving.http.examples import PROBLEMS
from datahub_assets.serving.http.options import HttpOptions
from datahub_assets.serving.http.spool import Spool
from datahub_assets.serving.pages.router import join_pages
from datahub_assets.serving.refusals import NotSignedIn

API = "/api/v1"
"""Programs ask below it; everything else is for people."""


class _Application(FastAPI):
    """FastAPI whose document says how to sign in as well."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token: datahub users token."},
                "password": {"type": "http", "scheme": "basic", "description": "A name and its password, or a token."},
            }
            document["security"] = [{"token": []}, {"password": []}]
            document["paths"]["/health"]["get"]["security"] = []
        return super().openapi()


def make_app(engine: Engine, options: HttpOptions | None = None) -> FastAPI:
    """The door over an engine, which its maker closes.

    Args:
        engine: what is served.
        options: limits; None: the usual ones, with a key of this process.
    """
    options = options or HttpOptions()
    app = _Application(
        title="DataHub", version=__version__, summary="Datasets of the hub, as of any known time.",
        openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None, separate_input_output_schemas=False,
        max_body_size=options.statement_bytes,
    )  # fmt: skip
    counters = metrics.Metrics(engine)
    app.state.engine, app.state.options = engine, options
    app.state.metrics, app.state.spool = counters, Spool(options.spool_bytes)
    app.add_exception_handler(NotSignedIn, _on_not_signed_in)
    app.add_exception_handler(DatahubError, problems.on_hub_error)
    app.add_exception_handler(RequestValidationError, problems.on_invalid)
    app.add_exception_handler(HTTPException, problems.on_http_error)
    app.add_exception_handler(Exception, problems.on_fault)
    app.add_middleware(metrics.Counted, metrics=counters)
    for module in (keys, rows, datasets, deliveries, statements, hub_state):
        app.include_router(module.router, prefix=API, responses=PROBLEMS)
    app.include_router(hub_state.health_router, responses={503: PROBLEMS[503]})
    app.include_router(metrics.router)
    app.include_router(sign_in_form.router)
    join_pages(app, engine)
    return app


async def _on_not_signed_in(request: Request, error: Exception) -> Response:
    """A browser is sent to the form; a program is told how to sign in."""
    assert isinstance(error, NotSignedIn)
    path = request.url.path
    if "text/html" in request.headers.get("accept", "") and not path.startswith(f"{API}/") and path != "/sign-in":
        asked = f"{path}?{request.url.query}" if request.url.query else path
        return RedirectResponse(f"/sign-in?{urlencode({'next': asked})}", 303)
    return problems.problem(error)
