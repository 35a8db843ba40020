"""Where things are, as links on a page: the other doors, and the dataset's asset and runs in Dagster."""

import re
from urllib.parse import quote

from fastapi import Request

from datahub_assets.serving.pages.connect import Endpoints
from datahub_assets.serving.pages.view import View
from datahub_assets.settings import Settings

ODBC_PORT = 15432
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def endpoints(request: Request, settings: Settings) -> Endpoints:
    """The doors as the person's machine reaches them: as the settings say, else by the name in the browser's address."""
    url = (settings.pages_url or f"{request.url.scheme}://{request.url.netloc}").rstrip("/")
    host, _, port = (settings.odbc_address or "").rpartition(":")
    tls = url.startswith("https:")
    return Endpoints(url, host or request.url.hostname or "localhost", int(port or ODBC_PORT), tls)


def asset(view: View) -> str:
    """The dataset's asset in Dagster."""
    layer = "structured" if view.dataset in view.hub.catalogue.structured else "published"
    return f"{view.hub.settings.dagster_url.rstrip('/')}/assets/{layer}/{quote(view.dataset)}"


def run(settings: Settings, run_id: str) -> str | None:
    """A run in Dagster; None: it was no run of Dagster's."""
    return f"{settings.dagster_url.rstrip('/')}/runs/{run_id}" if _RUN.fullmatch(run_id) else None
