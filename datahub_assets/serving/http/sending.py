"""An answer on its way: computed in a thread, sent as it is computed, stopped when the client goes away.

Until the first piece is there, an error is a problem document; after it the connection is cut, so that no client takes
half an answer for the whole.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import anyio
from anyio import to_thread
from fastapi import Response
from starlette.types import Receive, Scope, Send

from datahub_assets.errors import DatahubError
from datahub_assets.serving.http.problems import problem

LOG = logging.getLogger("datahub.http")


@dataclass(frozen=True)
class Begun:
    """An answer whose headers are known: its pieces to come, and what is done when it is over."""

    pieces: Iterator[bytes]
    headers: Mapping[str, str]
    status: int = 200
    over: Callable[[], None] = field(default=lambda: None)


class Sending(Response):
    """See the module. ``begin`` computes up to the first piece; ``cancel`` stops what it computes, from another thread."""

    def __init__(self, begin: Callable[[], Begun], cancel: Callable[[], None]) -> None:
        """Nothing is computed before it is called."""
        super().__init__()
        self._begin, self._cancel = begin, cancel
        self._begun: Begun | None = None
        self._over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """It is computed and sent."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, receive, tasks.cancel_scope)
                await self._answer(scope, receive, send)
                self._over = True
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                if self._begun is not None:
                    await to_thread.run_sync(self._begun.over)

    async def _watch(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self._over:
            self._over = True
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._cancel)
            scope.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._begun = await to_thread.run_sync(self._begin)
            pieces = self._begun.pieces
            following = partial(next, pieces, None)
            piece = await to_thread.run_sync(following)
        except DatahubError as error:
            if not self._over:
                await problem(error)(scope, receive, send)
            return
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self._begun.headers.items()
        ]
        await send({"type": "http.response.start", "status": self._begun.status, "headers": headers})
        try:
            while piece is not None:
                if piece:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await to_thread.run_sync(following)
        except DatahubError as error:
            LOG.warning("%s %s was cut off: %s", scope["method"], scope["path"], error)
            return  # without its last part: the server cuts the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})
