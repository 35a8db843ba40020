"""Rows to come: asked for when they are read, batch by batch, in Arrow's own types."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa

from datahub_assets.client.errors import Interrupted

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

ARROW = "application/vnd.apache.arrow.stream"
Opened = Callable[[], AbstractContextManager[httpx.Response]]


class Rows:
    """One request for rows. Each reading of it asks anew. ``position`` and ``known_at``: of the last reading."""

    def __init__(self, opened: Opened) -> None:
        """Made by ``Client.rows`` and ``Client.sql``."""
        self._opened = opened
        self.position: int | None = None
        self.known_at: datetime | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as they come, no more of them in memory than a batch.

        Raises:
            Refused: the hub does not answer it.
            Interrupted: half way.
        """
        yield from self._read()

    def to_arrow(self) -> pa.Table:
        """All rows. Decimals, days and instants as the hub has them."""
        schemas: list[pa.Schema] = []
        batches = list(self._read(schemas.append))
        return pa.Table.from_batches(batches, schemas[0])

    def to_polars(self) -> "pl.DataFrame":
        """All rows as a polars frame; decimals are exact."""
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def to_pandas(self, **options: Any) -> "pd.DataFrame":
        """All rows as a pandas frame; decimals are ``Decimal`` objects, days ``date`` objects.

        Args:
            options: of ``pyarrow.Table.to_pandas``, e.g. ``types_mapper=pandas.ArrowDtype``.
        """
        frame: pd.DataFrame = self.to_arrow().to_pandas(**options)
        return frame

    def _read(self, told: Callable[[pa.Schema], object] = lambda _: None) -> Iterator[pa.RecordBatch]:
        with self._opened() as response:
            self.position = int(response.headers["datahub-position"])
            known_at = response.headers.get("datahub-known-at")
            self.known_at = datetime.fromisoformat(known_at) if known_at else None
            try:
                reader = pa.ipc.open_stream(_Body(response))
                told(reader.schema)
                yield from reader
            except pa.ArrowInvalid as error:
                raise Interrupted("Answer ended early", where=str(response.url), got=str(error)) from error


class _Body:
    """The body of an answer as a file that is read from its beginning to its end."""

    closed = False

    def __init__(self, response: httpx.Response) -> None:
        self._pieces = response.iter_bytes()
        self._left = b""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        parts, missing = [self._left], size - len(self._left)
        while size < 0 or missing > 0:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            missing -= len(piece)
        whole = b"".join(parts)
        taken = whole if size < 0 else whole[:size]
        self._left = whole[len(taken) :]
        return taken

    def close(self) -> None:
        self.closed = True
