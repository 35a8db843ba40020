"""Where a hub's files are, by URL → the store that keeps them: a folder (``file:///…``), or WebHDFS and HttpFS.

file:///mapr/my.cluster/hub             a local folder, or a POSIX mount
webhdfs://hub@gateway:14000/hub         HttpFS or WebHDFS, as user hub
webhdfs+https://hub@gateway:14000/hub   the same by TLS
"""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from datahub_assets.errors import DeclarationError
from datahub_assets.stores.files import FileStore
from datahub_assets.stores.local_files import LocalFileStore
from datahub_assets.stores.webhdfs.options import WebHdfsOptions

if TYPE_CHECKING:
    from datahub_assets.stores.webhdfs.filesystem import HubWebHDFS

_REMOTE = ("webhdfs", "webhdfs+https")
EXPECTED = "a folder, file:///path, webhdfs://user@host:port/path or webhdfs+https://…"


def root_url(root: str | Path, base: Path) -> str:
    """The root as a URL; a folder may be relative to ``base``.

    Raises:
        DeclarationError: no URL that a store can be opened by; all that is wrong with it.
    """
    text = str(root)
    if "://" not in text:
        return (base / text).absolute().as_uri()
    problems = root_problems(text)
    if problems:
        raise DeclarationError("Not a place for files", where="root", got=text, expected=EXPECTED, problems=problems)
    return text.rstrip("/")


def open_files(url: str, options: WebHdfsOptions) -> FileStore:
    """The store at a root (``root_url``). A server is not asked before the first use.

    Raises:
        StoreUnavailable: the local folder cannot be made or reached.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalFileStore(local_folder(url))
    from datahub_assets.stores.remote_files import RemoteFileStore

    server = parts.netloc.rpartition("@")[2]  # who reads need not be who wrote: an address has no user
    return RemoteFileStore(webhdfs(url, options), unquote(parts.path), f"{parts.scheme}://{server}{parts.path}")


def webhdfs(url: str, options: WebHdfsOptions) -> "HubWebHDFS":
    """The server of a ``webhdfs:`` URL, as its user."""
    from datahub_assets.stores.webhdfs.filesystem import (
        HubWebHDFS,  # a quarter of a second that a local hub does not need
    )

    parts = urlsplit(url)
    host, _, port = parts.netloc.rpartition("@")[2].rpartition(":")
    return HubWebHDFS(
        host, int(port), user=unquote(parts.username) if parts.username else None,
        use_https=parts.scheme == "webhdfs+https", options=options.plain(),
    )  # fmt: skip


def local_folder(url: str) -> Path:
    """The folder of a ``file:`` URL."""
    return Path(unquote(urlsplit(url).path))


def root_problems(url: str) -> list[str]:
    """What is wrong with a root; nothing is wrong with a folder."""
    if "://" not in url:
        return []
    parts = urlsplit(url)
    if parts.scheme == "file":
        return [] if not parts.netloc else [f"{parts.netloc} is taken for a host: write three slashes, file:///path"]
    if parts.scheme not in _REMOTE:
        return [f"{parts.scheme} is none of file, {', '.join(_REMOTE)}"]
    problems = [] if parts.hostname else ["no host"]
    try:
        problems += [] if parts.port else ["no port: HttpFS has 14000, WebHDFS 9870 as a rule"]
    except ValueError as error:
        problems += [str(error)]
    if len(parts.path) < 2 or "//" in parts.path or parts.query or parts.fragment:
        problems += ["no folder: a path such as /hub, without ? and # (write %3F and %23)"]
    if parts.password is not None:
        problems += ["a password in a URL is seen by many: DATAHUB_WEBHDFS__PASSWORD has it instead"]
    return problems
