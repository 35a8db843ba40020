"""Landing places by URL: folders of this machine, folders on the hub's root, WebHDFS and HttpFS servers, SFTP servers.

/data/landing, file:///data/landing     a folder, or a mount
root:/landing                           a folder on the hub's root, whatever that is
webhdfs://user@gateway:14000/landing    (also webhdfs+https) a folder on a WebHDFS or HttpFS server
sftp://user@host:22/landing             a folder on an SFTP server
"""

import os
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from datahub_assets.stores.landing import Landing, LandingPlace
from datahub_assets.stores.roots import local_folder, root_problems, root_url, webhdfs
from datahub_assets.stores.sftp.options import SftpOptions
from datahub_assets.stores.webhdfs.options import WebHdfsOptions

if TYPE_CHECKING:
    from datahub_assets.stores.sftp.folder import SftpFolder

ON_ROOT = "root:"


def place_problems(place: str) -> list[str]:
    """What is wrong with a landing place."""
    if place.startswith(ON_ROOT):
        return [] if place.startswith(f"{ON_ROOT}/") and len(place) > len(ON_ROOT) + 1 else ["expected root:/folder"]
    if not place.startswith("sftp://"):
        return root_problems(place)
    parts = urlsplit(place)
    problems = [] if parts.hostname else ["no host"]
    problems += [] if len(parts.path) > 1 else ["no folder: a path such as /landing"]
    problems += ["a password in a URL is seen by many: DATAHUB_SFTP__PASSWORD has it instead"] if parts.password else []
    return problems


def place_url(place: str, root: str, base: Path) -> str:
    """The place as a URL; a folder may be relative to ``base``, a folder on the root is below ``root``."""
    if place.startswith(ON_ROOT):
        return root + place.removeprefix(ON_ROOT).rstrip("/")
    return place.rstrip("/") if place.startswith("sftp://") else root_url(place, base)


def open_place(url: str, webhdfs_options: WebHdfsOptions, sftp_options: SftpOptions) -> LandingPlace:
    """The place at a URL (``place_url``). A server is not asked before the first look."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Landing(local_folder(url))
    from datahub_assets.stores.landing_remote import RemoteLanding  # not needed where all is local

    folder = unquote(parts.path)
    if parts.scheme == "sftp":
        user = unquote(parts.username) if parts.username else None
        server = _sftp(str(parts.hostname), parts.port or 22, user, sftp_options, os.getpid())
        return RemoteLanding(server, folder, time.time)
    from datahub_assets.stores.webhdfs.folder import WebHdfsFolder

    return RemoteLanding(WebHdfsFolder(webhdfs(url, webhdfs_options)), folder, time.time)


@lru_cache(maxsize=16)
def _sftp(host: str, port: int, user: str | None, options: SftpOptions, process: int) -> "SftpFolder":
    """One connection a process, however often a sensor opens the hub."""
    from datahub_assets.stores.sftp.folder import SftpFolder

    return SftpFolder(host, port, user, options)


def open_landing(
    folder: Path, also: Sequence[str], webhdfs_options: WebHdfsOptions, sftp_options: SftpOptions
) -> Landing:
    """The landing folders of a hub: its own, and the places beside it."""
    return Landing(folder, [open_place(url, webhdfs_options, sftp_options) for url in also])
