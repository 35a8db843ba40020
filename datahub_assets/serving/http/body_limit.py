"""A limit on what a client may send: read no further than that."""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from datahub_assets.serving.http.problems import problem
from datahub_assets.serving.refusals import TooLong

_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}


class BodyLimit:
    """A layer around an application that refuses longer bodies (413), said to be so or found to be."""

    def __init__(self, app: ASGIApp, size: int) -> None:
        self._app, self._size = app, size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request, if it is short enough."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self._size:
            await problem(self._error())(scope, receive, send)
            return
        received, has_body = bytearray(), scope["method"] not in _WITHOUT_BODY
        is_more = has_body
        while is_more:
            message = await receive()
            if message["type"] != "http.request":
                return
            received += message.get("body", b"")
            is_more = message.get("more_body", False)
            if len(received) > self._size:
                await problem(self._error())(scope, receive, send)
                return
        await self._app(scope, _after(bytes(received), receive) if has_body else receive, send)

    def _error(self) -> TooLong:
        return TooLong("Request is too long", got=f"over {self._size:,} bytes", expected=f"at most {self._size:,}")


def _after(body: bytes, receive: Receive) -> Receive:
    """The body at once, and then what the server says."""
    said = [body]

    async def received() -> MutableMapping[str, Any]:
        if said:
            return {"type": "http.request", "body": said.pop(), "more_body": False}
        return await receive()

    return received
