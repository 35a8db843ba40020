"""A file on the server as a seekable stream: long reads are one answer that is streamed, short ones ask for little.

What a server cuts off is asked for again from there on; a part that comes short is never taken for the file's end.
"""

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
import urllib3

from datahub_assets.errors import StoreUnavailable
from datahub_assets.stores.webhdfs.answers import Passing
from datahub_assets.stores.webhdfs.connection import Connection, words

FIRST_BYTES = 256 << 10
"""What is asked for after a seek, at least; four times as much when reading goes on from there."""
WHOLE_FROM_BYTES = 64 << 20
"""From this size on all the rest is asked for, and by who reads from the start."""
SKIP_BYTES = 256 << 10
"""So much of an answer is read and thrown away rather than a new request made."""
BUFFER_BYTES = 256 << 10
BARREN = 5
"""Answers in a row without a single byte that are borne."""

Ask = Callable[[int, int | None], requests.Response]
"""Asks for the file's bytes from an offset on: so many, or all."""


class Download(io.RawIOBase):
    """The bytes of a file of known size. Not shared by threads."""

    def __init__(self, connection: Connection, ask: Ask, size: int, where: str) -> None:
        self._connection, self._ask, self.size, self._where = connection, ask, size, where
        self._at = 0  # where the reader is
        self._answer: requests.Response | None = None
        self._from = self._until = 0  # what the open answer still has
        self._window, self._barren = WHOLE_FROM_BYTES, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The next byte comes from there; nothing is asked for yet."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if self._at < 0:
            raise ValueError(f"before the start of the file: {self._at}")
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Some bytes, at least one before the end.

        Raises:
            StoreUnavailable: the server does not send them.
        """
        wanted = min(len(buffer), self.size - self._at)
        if wanted <= 0:
            return 0
        room = memoryview(buffer)[:wanted]
        try:
            got = self._some(room)
        except Passing:  # patience is not for free: it begins where it is needed
            got = self._connection.patiently("read", self._where, lambda: self._some(room))
        self._at += got
        self._from = self._at
        return got

    def close(self) -> None:
        """The answer that is open is given up."""
        self._drop()
        super().close()

    def _some(self, buffer: memoryview) -> int:
        self._place(len(buffer))
        assert self._answer is not None
        try:
            got = int(self._answer.raw.readinto(buffer[: self._until - self._from]))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._drop()
            raise Passing(words(error)) from error
        if got:
            self._barren = 0
            return got
        self._drop()
        self._barren += 1
        if self._barren >= BARREN:
            raise StoreUnavailable(
                "The filesystem sends less than the file has", where=self._where, got=f"{self._at} bytes, then no more",
                expected=f"{self.size} bytes", remedy="Look at the server's log; on HDFS run: hdfs fsck",
            )  # fmt: skip
        raise Passing(f"no byte after {self._at} of {self.size}")

    def _place(self, wanted: int) -> None:
        """There is an open answer whose next byte is the one that is wanted."""
        if self._answer is not None and self._from <= self._at < self._until and self._at - self._from <= SKIP_BYTES:
            self._skip(self._at - self._from)
        if self._answer is not None and self._at == self._from < self._until:
            return
        goes_on = self._at == self._from  # so does who begins at the start
        self._drop()
        self._window = self._window * 4 if goes_on else FIRST_BYTES
        rest = self.size - self._at
        length = rest if self._window >= WHOLE_FROM_BYTES else min(rest, max(self._window, wanted))
        self._answer = self._ask(self._at, None if length == rest else length)
        self._from, self._until = self._at, self._at + length

    def _skip(self, count: int) -> None:
        if count and self._answer is not None:
            try:
                self._from += len(self._answer.raw.read(count))
            except (urllib3.exceptions.HTTPError, OSError):
                self._drop()

    def _drop(self) -> None:
        if self._answer is not None:
            self._finish(self._answer)
            self._answer = None

    def _finish(self, answer: requests.Response) -> None:
        """The connection is free for the next request if all was read; otherwise it is closed."""
        if self._from >= self._until:
            with suppress(urllib3.exceptions.HTTPError, OSError):
                answer.raw.read(1)  # the end of a chunked answer is a chunk of its own
        answer.close()


class File(io.BufferedReader):
    """A download that others take for a file: pyarrow, polars, DuckDB, zip archives."""

    def __init__(self, download: Download) -> None:
        self.size = download.size
        super().__init__(download, BUFFER_BYTES)
