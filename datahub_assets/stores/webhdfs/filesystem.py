"""An fsspec filesystem over WebHDFS or HttpFS that can be relied on. Others read by it; the hub publishes by ``RemoteFileStore``.

fsspec's own ``webhdfs`` (2026.9) ignores that a rename was refused, has no time-outs and no retries, and uploads at a third
of what the server takes. Kept from it: URLs and what pyarrow, polars, DuckDB and pyiceberg call.
"""

from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
from fsspec.implementations.webhdfs import WebHDFS

from datahub_assets.errors import StoreRefused, StoreUnavailable
from datahub_assets.stores.webhdfs.answers import Passing, has_length, told
from datahub_assets.stores.webhdfs.connection import Connection
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets.stores.webhdfs.reading import Download, File

FOLDER, FILE = "directory", "file"
CHUNK = 256 << 10
"""Bytes that are sent at once: larger ones cost a copy that no longer fits the cache."""
_BYTES = {"Content-Type": "application/octet-stream"}
_WORDS = {
    "GETFILESTATUS": "look a file up",
    "LISTSTATUS": "list",
    "GETSTATUS": "ask for free space",
    "GET_BLOCK_LOCATIONS": "ask for blocks",
    "OPEN": "read",
    "CREATE": "write",
    "RENAME": "rename",
    "DELETE": "remove",
}
_READ_ONLY = "files of the hub are published whole and never changed: FileStore.publish"


class HubWebHDFS(WebHDFS):  # type: ignore[misc]
    """WebHDFS by streams, with time-outs, retries of what is safe to repeat, and refusals told as errors.

    Paths are absolute, with or without ``webhdfs://host:port`` before them. Threads may share it; fsspec gives the same
    object for the same arguments.
    """

    protocol = ("webhdfs", "webhdfs+https")

    def __init__(
        self,
        host: str,
        port: int = 14000,
        user: str | None = None,
        use_https: bool = False,
        options: str = "{}",
        **more: Any,
    ):
        """Nothing is sent before the first request.

        Args:
            host: of the NameNode or the HttpFS server.
            port: 14000 is HttpFS's own.
            user: who connects; the ticket says so with Kerberos.
            use_https: by TLS.
            options: ``WebHdfsOptions`` as JSON, secrets included.
            more: fsspec's own.
        """
        if self._cached:
            return
        self.options = WebHdfsOptions.model_validate_json(options)
        self._user = user
        super().__init__(host, port=port, use_https=use_https, **more)
        self.pars = {"user.name": user} if user and self.options.authentication == "simple" else {}
        self._takes_data_at_once = False

    def _connect(self) -> None:
        self.connection = Connection(self.options, self._user)
        self.session = self.connection.session

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """The path on the server. Unlike fsspec's own it leaves ``?`` and ``#`` in names alone."""
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        _, found, rest = str(path).partition("://")
        path = "/" + rest.partition("/")[2] if found else str(path)
        return path.rstrip("/") or "/"

    @staticmethod
    def _get_kwargs_from_urls(urlpath: str) -> dict[str, Any]:
        parts = urlsplit(urlpath)
        given = {
            "host": parts.hostname,
            "port": parts.port,
            "user": parts.username,
            "use_https": parts.scheme == "webhdfs+https",
        }
        return {name: value for name, value in given.items() if value is not None}

    def where(self, path: str) -> str:
        """A path for people: with the server."""
        return f"webhdfs://{urlsplit(self.url).netloc}{path}"

    # -- requests ------------------------------------------------------------------------------------------------------

    def _url(self, path: str) -> str:
        return str(self._apply_proxy(self.url + quote(self._strip_protocol(path), safe="/")))

    def _call(
        self, op: str, method: str = "get", path: Any = None, data: Any = None, redirect: bool = True, *,
        take: Callable[[requests.Response], Any] = lambda answer: answer, repeat: bool = True, stream: bool = False, **more: Any,
    ) -> Any:  # fmt: skip
        path = self._strip_protocol(path) if path is not None else "/"
        what = _WORDS.get(op, op.lower())
        return self.connection.send(
            method.upper(), self._url(path), what, self.where(path), take, repeat=repeat, data=data, stream=stream,
            allow_redirects=redirect, params={**more, **self.pars, "op": op.upper()},
        )  # fmt: skip

    # -- reading -------------------------------------------------------------------------------------------------------

    def info(self, path: str, **more: Any) -> dict[str, Any]:
        """Name, size, type, ``mtime`` (seconds) of a file or folder. Raises FileNotFoundError."""
        path = self._strip_protocol(path)
        try:
            return _info(self._call("GETFILESTATUS", path=path, take=lambda answer: told(answer, "FileStatus")), path)
        except NotADirectoryError as error:
            raise FileNotFoundError(*error.args) from error

    def ls(self, path: str, detail: bool = False, **more: Any) -> list[Any]:
        """What is in a folder, or the file itself, by name. Raises FileNotFoundError."""
        path = self._strip_protocol(path)
        try:
            statuses = self._call("LISTSTATUS", path=path, take=lambda answer: told(answer, "FileStatuses"))[
                "FileStatus"
            ]
        except NotADirectoryError as error:
            raise FileNotFoundError(*error.args) from error
        except StoreRefused as error:  # HttpFS over a local folder says so too of one that was removed while it looked
            if self.exists(path):
                raise
            raise FileNotFoundError(path) from error
        base = path.rstrip("/")
        # HttpFS over a local folder shows a file of its own attributes
        infos = [
            _info(status, f"{base}/{status['pathSuffix']}" if status["pathSuffix"] else path)
            for status in statuses if status["pathSuffix"] != ".dfs_attributes"
        ]  # fmt: skip
        infos.sort(key=lambda info: str(info["name"]))
        return infos if detail else [info["name"] for info in infos]

    def exists(self, path: str, **more: Any) -> bool:
        """Whether a file or folder is there; a server that fails is an error, not an answer."""
        try:
            self.info(path)
            return True
        except FileNotFoundError:
            return False

    def server_time(self) -> float:
        """The server's clock, in seconds since 1970; it counts whole ones."""
        date = self._call(
            "GETFILESTATUS", path="/", take=lambda answer: told(answer, "FileStatus") and answer.headers["Date"]
        )
        return parsedate_to_datetime(date.split(" GMT")[0] + " GMT").timestamp()  # WebHDFS sends it twice

    def space(self) -> tuple[int | None, int | None]:
        """Bytes that are free in the whole filesystem, and bytes in all; None where the server does not say."""
        try:
            said = self._call("GETSTATUS", path="/", take=lambda answer: told(answer, "FsStatus"))
            return int(said["remaining"]), int(said["capacity"])
        except StoreRefused:  # an operation that a server does not know is an illegal argument
            return None, None

    def block_locations(self, path: str) -> dict[str, Any]:
        """What HDFS says of a file's blocks, ``isUnderConstruction`` among it. Raises where a server has no blocks."""
        return dict(
            self._call(
                "GET_BLOCK_LOCATIONS", path=path, take=lambda answer: told(answer, "LocatedBlocks"), repeat=False
            )
        )

    def _open(self, path: str, mode: str = "rb", **more: Any) -> File:
        if mode != "rb":
            raise NotImplementedError(_READ_ONLY)
        info = self.info(path)
        if info["type"] != FILE:
            raise FileNotFoundError(f"{path} is a folder")
        return File(
            Download(
                self.connection, lambda offset, length: self._ask(path, offset, length), info["size"], self.where(path)
            )
        )

    def _ask(self, path: str, offset: int, length: int | None) -> requests.Response:
        part: dict[str, Any] = {} if length is None else {"length": str(length)}
        answer: requests.Response = self._call("OPEN", path=path, repeat=False, stream=True, offset=str(offset), **part)
        return answer

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **more: Any) -> bytes:
        """The file's bytes, or those of a range (negative: from its end). Raises FileNotFoundError."""
        if start is None and end is None:
            return self._read_small(path)
        with self._open(path) as file:
            size = file.size
            first = max(0, size + start if start and start < 0 else start or 0)
            last = size + end if end is not None and end < 0 else size if end is None else end
            file.seek(first)
            return bytes(file.read(max(0, last - first)))

    def _read_small(self, path: str) -> bytes:
        """All bytes by one request. A body that is cut off is asked for again."""
        path = self._strip_protocol(path)

        def whole(answer: requests.Response) -> bytes:
            if not has_length(answer) and len(answer.content) != self.info(path)["size"]:
                raise Passing("an answer that is cut off")
            return bytes(answer.content)

        try:
            return bytes(self._call("OPEN", path=path, take=whole))
        except NotADirectoryError as error:
            raise FileNotFoundError(*error.args) from error

    # -- writing: what ``RemoteFileStore`` publishes by ------------------------------------------------------------------

    def upload(self, path: str, body: bytes | Iterable[bytes]) -> None:
        """The bytes are at a path that was free. A part of them may be there when this raises.

        Raises:
            Passing: the upload was cut; nothing is known of what is there. The next one asks first whether the server is well.
            StoreRefused: rights, a quota, a name.
            StoreUnavailable: the server does not answer.
        """
        path, data = self._strip_protocol(path), body if isinstance(body, bytes) else _Body(body)
        try:
            self.connection.send(
                "PUT", self._place(path), "write", self.where(path), _received, repeat=False, data=data, headers=_BYTES,
                allow_redirects=False,
            )  # fmt: skip
        except Passing:
            self._takes_data_at_once = False
            raise

    def _place(self, path: str) -> str:
        """Where the bytes go: the DataNode that the server names; HttpFS takes them itself, which need be asked once."""
        query = {"op": "CREATE", "overwrite": "false", **self.pars}
        own = f"{self._url(path)}?{urlencode({**query, 'data': 'true'})}"
        if self._takes_data_at_once:
            return own
        said = self._call("CREATE", "put", path, redirect=False, overwrite="false", take=_location)
        place = str(self._apply_proxy(said))
        self._takes_data_at_once = urlsplit(place).netloc == urlsplit(own).netloc and "data=true" in place
        return place

    def move(self, path1: str, path2: str) -> bool:
        """The file has its other name, or False: it was refused, or the file is not there.

        Raises:
            Passing: nothing is known; look what is there.
        """
        try:
            target = self._strip_protocol(path2)
            return bool(self._call("RENAME", "put", path1, take=_boolean, repeat=False, destination=target))
        except FileNotFoundError:
            return False

    def discard(self, path: str) -> bool:
        """Tries once to remove a file or an empty folder; whether it is gone."""
        try:
            return bool(self._call("DELETE", "delete", path, take=_boolean, repeat=False, recursive="false"))
        except (Passing, OSError, StoreUnavailable):
            return False

    def mv(self, path1: str, path2: str, **more: Any) -> None:
        """As ``move``, and a refusal is an error."""
        if not self.move(path1, path2):
            raise FileExistsError(f"{path1} was not renamed to {path2}: one is absent or the other is there")

    def rm(self, path: Any, recursive: bool = False, **more: Any) -> None:
        """A file, or a folder, is gone; with ``recursive`` what is in it as well. Raises FileNotFoundError."""
        for each in [path] if isinstance(path, str) else path:
            if not self._call("DELETE", "delete", each, take=_boolean, recursive="true" if recursive else "false"):
                raise FileNotFoundError(each)

    def rm_file(self, path: str) -> None:
        """As ``rm``."""
        self.rm(path)


class _Body:
    """A streamed body: ``requests`` takes an iterator for one of unknown length."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[memoryview]:
        for chunk in self._chunks:
            view = memoryview(chunk)
            for start in range(0, len(view), CHUNK):
                yield view[start : start + CHUNK]


def _boolean(answer: requests.Response) -> bool:
    return bool(told(answer, "boolean"))


def _location(answer: requests.Response) -> str:
    if "Location" not in answer.headers:
        raise Passing("an answer that says not where to write")
    return str(answer.headers["Location"])


def _received(answer: requests.Response) -> None:
    if answer.status_code not in (200, 201):
        raise Passing(f"HTTP {answer.status_code} for what was sent")


def _info(status: dict[str, Any], path: str) -> dict[str, Any]:
    kind = FOLDER if status["type"] == "DIRECTORY" else FILE
    return {**status, "name": path, "type": kind, "size": status["length"], "mtime": status["modificationTime"] / 1000}
