"""Immutable files below one root: publish once, read, list, remove. What is current is decided by the commit log alone.

Here is the interface. A file appears under its name whole or not at all, and a name is never used for other bytes.
``local_files`` keeps them in a folder, ``remote_files`` on a server; ``roots`` finds the right one by URL.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from fsspec import AbstractFileSystem

from datahub_assets.stores.publication import is_temporary

CHUNK = 1 << 20


@dataclass(frozen=True)
class FileFacts:
    """A file as it lies in the store: path below the root, bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Condition:
    """How a filesystem is: bytes that are free and bytes in all (None: it does not say), its clock before this machine's."""

    free: int | None
    capacity: int | None
    clock_ahead: float


class FileStore(Protocol):
    """Files by relative path (``a/b/c``) below one root.

    A path has no part that is empty, ``.``, ``..`` or begins with ``.tmp-`` (temporary files are named so).

    Raises (all methods):
        StoreUnavailable: the filesystem does not answer or refuses.
        ValueError: not a path below the root.
    """

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The same files for pyarrow, polars, DuckDB and pyiceberg, by ``location``."""
        ...

    def publish(self, path: str, chunks: Iterable[bytes]) -> FileFacts:
        """The file is there, whole and durable. The same bytes under the same name again change nothing.

        Raises:
            StoreConflict: the name is there with other bytes.

        What ``chunks`` raises passes through, and nothing is there.
        """
        ...

    def publish_by_content(self, folder: str, chunks: Iterable[bytes]) -> FileFacts:
        """As ``publish``, named by the SHA-256 of what was streamed: folder/<hex>."""
        ...

    def open(self, path: str) -> BinaryIO:
        """The file's bytes, seekable. Raises FileNotFoundError when there is none."""
        ...

    def read(self, path: str) -> bytes:
        """All bytes of a small file. Raises FileNotFoundError when there is none."""
        ...

    def read_all(self, paths: Iterable[str]) -> Iterator[bytes]:
        """As ``read`` of many, in their order; several at once where that is quicker."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a published file of that name is there."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of published files below a folder, recursively, sorted; nothing for an absent folder."""
        ...

    def remove(self, path: str) -> None:
        """The file is gone; nothing happens when it was not there."""
        ...

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> int:
        """Temporary files of writers that died are gone; returns how many there were."""
        ...

    def condition(self) -> Condition:
        """How the filesystem is now."""
        ...

    def url(self, path: str) -> str:
        """The address of a file for other engines, e.g. file:///…"""
        ...

    def location(self, path: str) -> str:
        """The path by which ``filesystem`` knows a file."""
        ...


def parts_of(path: str) -> "Sequence[str]":
    """The parts of a path below the root; none for the root itself.

    Raises:
        ValueError: no path below the root.
    """
    parts = path.split("/") if path else []
    if any(part in {"", ".", ".."} or is_temporary(part) or "\0" in part for part in parts):
        raise ValueError(f"not a path below the root: {path!r}")
    return parts


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of an open file in pieces of 1 MiB."""
    while chunk := file.read(CHUNK):
        yield chunk
