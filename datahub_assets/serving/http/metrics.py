"""What Prometheus asks for: requests by route and status, their time, bytes sent, statements that are open."""

import time
from collections.abc import MutableMapping
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from datahub_assets.serving.engine import Engine

router = APIRouter(include_in_schema=False)


class Metrics:
    """Counters of one application."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        by = ("method", "route", "status")
        self.requests = Counter("datahub_http_requests", "Requests answered.", by, registry=self.registry)
        self.seconds = Histogram(
            "datahub_http_request_seconds", "Time to the end of an answer.", ("route",), registry=self.registry,
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
        )  # fmt: skip
        self.sent = Counter("datahub_http_sent_bytes", "Bytes of bodies sent.", ("route",), registry=self.registry)
        statements = Gauge("datahub_statements_open", "Statements that are open.", registry=self.registry)
        statements.set_function(lambda: len(engine.turns.statements()))


class Counted:
    """A layer around an application that counts what it answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request, counted once it is over."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, sent = time.perf_counter(), 500, 0

        async def tell(message: MutableMapping[str, Any]) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, tell)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
            self._metrics.sent.labels(route).inc(sent)


_METHODS = {"GET", "HEAD", "POST", "OPTIONS"}


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """The counters, in Prometheus' text format. They name routes, no datasets and no people."""
    found: Metrics = request.app.state.metrics
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
