"""What is to be uploaded, kept so that an upload that was cut can begin anew: in memory while small, then in a local file."""

import hashlib
import io
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from datahub_assets.errors import StoreUnavailable

MEMORY_BYTES = 8 << 20
READ_BYTES = 1 << 20
BESIDE_BYTES = 64 << 10
"""Pieces from this size on are hashed in a thread beside, while they are sent."""


class Spool:
    """A stream that can be sent again from its start; its source is read as it is sent. A context manager.

    A source that can be iterated anew (a list, a file's chunks) is not copied; one that cannot is, as it goes by.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        """Nothing is read yet."""
        self._chunks, self._rest = chunks, iter(chunks)
        self._is_repeatable = self._rest is not chunks
        self._kept = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 -- closed by __exit__
        self._sha = hashlib.sha256()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        self._read: deque[bytes] = deque()  # by ``whole``, not given by ``stream`` yet
        self._going: Generator[bytes, None, None] | None = None
        self.size = 0
        """Bytes of the last time through."""
        self.ended = False
        """Whether the last time through came to the end."""
        self.error: BaseException | None = None
        """What the source raised; the stream ended there."""

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.close()
        self._beside.shutdown()

    @property
    def sha256(self) -> str:
        """Of the bytes of the last time through, in hex."""
        return self._sha.hexdigest()

    def stream(self) -> Iterator[bytes]:
        """All bytes from the first on. Ends early where the source raises: see ``error``."""
        going = self._going or self._from_the_start()
        self._going = None
        while self._read:
            yield self._read.popleft()
        yield from going

    def whole(self) -> bytes | None:
        """All bytes, if they are few; None when they are many: ``stream`` gives them. What the source raises is raised."""
        head, size, going = deque[bytes](), 0, self._from_the_start()
        for chunk in going:
            head.append(chunk)
            size += len(chunk)
            if size > MEMORY_BYTES:
                self._read, self._going = head, going  # what was read need not be read again
                return None
        if self.error:
            raise self.error
        return b"".join(head)

    def _from_the_start(self) -> Generator[bytes, None, None]:
        self._sha, self.size, self.ended, self.error = hashlib.sha256(), 0, False, None
        self._read.clear()
        return self._counted(self._sha)

    def _counted(self, sha: "hashlib._Hash") -> Generator[bytes, None, None]:
        for chunk in self._from_the_source() if self._is_repeatable else self._kept_and_rest():
            self.size += len(chunk)
            if len(chunk) < BESIDE_BYTES:
                sha.update(chunk)
                yield chunk
            else:
                hashed = self._beside.submit(sha.update, chunk)
                try:
                    yield chunk
                finally:
                    hashed.result()
        self.ended = True

    def _from_the_source(self) -> Iterator[bytes]:
        chunks = iter(self._chunks)
        while (chunk := self._next(chunks)) is not None:
            yield chunk

    def _kept_and_rest(self) -> Iterator[bytes]:
        at = 0
        while True:
            self._kept.seek(at)
            chunk: bytes | None = self._kept.read(READ_BYTES)
            if not chunk:
                chunk = self._next(self._rest)
                if chunk is None:
                    return
                self._keep(chunk)
            at += len(chunk)
            yield chunk

    def _next(self, chunks: Iterator[bytes]) -> bytes | None:
        try:
            return next(chunks, None)
        except BaseException as error:  # told by who sends, after the server was told that the upload is over
            self.error = error
            return None

    def _keep(self, chunk: bytes) -> None:
        try:
            self._kept.seek(0, io.SEEK_END)
            self._kept.write(chunk)
        except OSError as error:
            raise StoreUnavailable(
                "Cannot keep what is uploaded", where=tempfile.gettempdir(), got=str(error),
                remedy="Free space there, or set TMPDIR to a folder that has it",
            ) from error  # fmt: skip
