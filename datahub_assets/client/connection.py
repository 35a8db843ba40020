"""Requests and their answers: signed in, tried again where that helps, errors as the hub said them."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from datahub_assets.client.errors import Interrupted, Refused, Unreachable

_AGAIN_SECONDS = 2.0


class Connection:
    """Connections to one hub, kept open. For threads."""

    def __init__(self, url: str, auth: tuple[str, str] | None, token: str | None, tries: int, **options: Any) -> None:
        """Nothing is asked yet."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=url.rstrip("/"), auth=auth, headers=headers, **options)
        self._url, self._tries = url, tries

    def close(self) -> None:
        """The connections are closed."""
        self._client.close()

    def document(self, path: str, parameters: Mapping[str, Any]) -> Any:
        """The JSON document there."""
        with self.opened("GET", path, params=parameters, headers={"Accept": "application/json"}) as response:
            return response.json() if response.read() else None

    @contextmanager
    def opened(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        """The answer, whose body is yet to be read within the block; an answer of 304 is one.

        Raises:
            Refused: the hub does not answer it.
            Unreachable: no hub is there.
            Interrupted: from within the block, when the body ends early.
        """
        response = self._sent(method, path, more)
        try:
            yield response
        except httpx.HTTPError as error:
            raise Interrupted(
                "Answer ended early", where=f"{self._url}{path}", got=str(error) or type(error).__name__,
                remedy="Ask again; the hub's log says why it stopped",
            ) from error  # fmt: skip
        finally:
            response.close()

    def _sent(self, method: str, path: str, more: Mapping[str, Any]) -> httpx.Response:
        request = self._client.build_request(method, path, **more)
        for left in reversed(range(self._tries)):
            try:
                response = self._client.send(request, stream=True)
                if response.status_code < 300 or response.status_code == 304:
                    return response
                refused = _refused(response)
                if not (left and refused.retry_helps):
                    raise refused
            except httpx.HTTPError as error:
                if not left:
                    raise Unreachable("The hub does not answer", where=self._url, got=str(error)) from error
            time.sleep(_AGAIN_SECONDS)
        raise AssertionError("the last try returns or raises")


def _refused(response: httpx.Response) -> Refused:
    try:
        body = response.read()
    finally:
        response.close()
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    return Refused(response.status_code, said if isinstance(said, dict) else {})
