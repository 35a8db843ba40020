"""The files that one statement may read, and a filesystem of DuckDB's in which what is not granted does not exist.

DuckDB reads Parquet itself, with its own pruning and its own threads, through names that are made up for it
(``hub://<dataset>/<digest>/business_date=2024-01-31/000001.parquet``) and always mean the same bytes. The business date in
a name lets DuckDB leave out files without opening them. Nothing can be written. Files of this machine it opens by itself
(``linked_files``), which costs a third less; all others are read for it here.
"""

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem

PROTOCOL = "hub"


@dataclass(frozen=True)
class Granted:
    """A file that may be read: how to open it, and its size. ``path``: where it is on this machine."""

    open: Callable[[], BinaryIO]
    size: int
    path: str | None = None

    @classmethod
    def of_bytes(cls, data: bytes) -> "Granted":
        """A file that is not in the store."""
        return cls(lambda: io.BytesIO(data), len(data))


@dataclass(frozen=True, eq=False)
class Folder:
    """Files that are granted together, by full name (``hub://…``), and the pattern by which SQL names all of them."""

    name: str
    pattern: str
    files: Mapping[str, Granted]


class GrantedFiles(AbstractFileSystem):  # type: ignore[misc]
    """A filesystem for ``duckdb.register_filesystem`` that has the granted files of one statement at a time."""

    protocol = PROTOCOL
    cachable = False

    def __init__(self, failed: Callable[[Exception], None] = lambda _: None) -> None:
        """No file is granted yet; ``failed`` is told what a file's store raised (DuckDB keeps its text only)."""
        super().__init__()
        self._files: Mapping[str, Granted] = {}
        self._failed = failed

    def grant(self, files: Mapping[str, Granted], failed: Callable[[Exception], None] = lambda _: None) -> None:
        """These files exist from now on, by full name (``hub://…``), and no others."""
        self._files, self._failed = dict(files), failed

    def open(self, path: str, mode: str = "rb", **_: Any) -> "_Handle":  # type: ignore[override, unused-ignore]
        """A granted file, for reading."""
        if mode not in {"r", "rb"}:
            raise PermissionError(f"{path} can only be read")
        return _Handle(self._granted(path), self._failed)

    def info(self, path: str, **_: Any) -> dict[str, object]:
        """Name, size and type."""
        return {"name": path, "size": self._granted(path).size, "type": "file"}

    def exists(self, path: str, **_: Any) -> bool:
        """Whether the file is granted."""
        return path in self._files

    def isfile(self, path: str) -> bool:
        """Whether the file is granted."""
        return path in self._files

    def glob(self, path: str, **_: Any) -> list[str]:
        """The granted files whose names begin as the pattern does up to its first star."""
        return sorted(name for name in self._files if name.startswith(path.partition("*")[0]))

    def modified(self, path: str) -> datetime:
        """The same for all: files never change."""
        return datetime(2000, 1, 1, tzinfo=UTC)

    def _granted(self, path: str) -> Granted:
        try:
            return self._files[path]
        except KeyError:
            raise FileNotFoundError(path) from None


class _Handle:
    """One open file. DuckDB reads it from several threads: each seeks, then reads, with a place of its own."""

    def __init__(self, granted: Granted, failed: Callable[[Exception], None]) -> None:
        self._granted, self._failed = granted, failed
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._places: dict[int, int] = {}

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._granted.size}[whence]
        self._places[threading.get_ident()] = start + offset
        return start + offset

    def tell(self) -> int:
        return self._places.get(threading.get_ident(), 0)

    def read(self, size: int = -1) -> bytes:
        place = self.tell()
        wanted = self._granted.size - place if size < 0 else size
        try:
            data = self._read(place, wanted)
        except Exception as error:
            self._failed(error)
            raise
        self._places[threading.get_ident()] = place + len(data)
        return data

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _read(self, place: int, wanted: int) -> bytes:
        with self._lock:
            if self._file is None:
                self._file = self._granted.open()
            self._file.seek(place)
            parts, missing = [], wanted
            while missing > 0 and (part := self._file.read(missing)):
                parts.append(part)
                missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
