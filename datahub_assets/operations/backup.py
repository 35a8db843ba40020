"""A copy of a hub that is a hub itself, taken while others write; restoring is using it, or copying it to its place.

Order makes it consistent. The index is copied first: one that lags behind its log catches up by itself. Then the log: all
that it names is durable already, for rows and files come before their entry. Then tables and files: they may hold more than
the copied log names, which nobody sees. Counters last, into the copied log: no write id is drawn again under which the
copy holds rows. The manifest ``backup.json`` is written at the very end: a copy without it is not complete.

Not copied: landing (files that were received are in the vault), the Iceberg catalogue and its metadata (a projection that
``datahub maintain`` makes anew), Dagster's own storage. Cost: files are linked where source and copy are on one filesystem.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from datahub_assets.errors import DeclarationError, QueryError, StoreUnavailable
from datahub_assets.history.log import render_instant
from datahub_assets.operations.hub import Hub
from datahub_assets.settings import SETTINGS_FILE
from datahub_assets.stores.commit_log import INDEX, LOG
from datahub_assets.stores.files import CHUNK
from datahub_assets.stores.local_files import LocalFileStore
from datahub_assets.stores.tables.embedded import EmbeddedTableStore
from datahub_assets.stores.tables.embedded_copy import copy_table
from datahub_assets.stores.tables.interface import Rows
from datahub_assets.stores.vault import log_path

MANIFEST = "backup.json"
THREADS = 8
LOG_COPY = "vault/log/"
FOLDERS = ("vault", "extracts", "drops")
"""Folders below the root that are copied: all that is immutable and not a projection."""
_PLACES = re.compile(r"^\s*(catalogue_folder|landing_folder|landing_also|root|tables_folder|iceberg_uri)\s*=")


@dataclass(frozen=True)
class Backup:
    """What a copy holds: the log up to a position, so many tables, so many files of which some are new."""

    position: int
    tables: int
    files: int
    new_files: int
    taken_at: str


def back_up(
    hub: Hub,
    target: Path,
    *,
    link: bool = True,
    on_total: Callable[[int], None] = lambda _: None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Backup:
    """``target`` is a hub that says what this one says, up to the position returned. Again: only what is new is copied.

    Args:
        target: a new or empty folder, or an earlier backup, which is brought up to date.
        link: hard links where that is possible: quick, but damage to a file's bytes on disk is damage to both.
        on_total: is told the number of steps.
        on_step: is told each step.

    Raises:
        DeclarationError: the folder holds something else, or lies in the hub.
        QueryError: the hub's tables are not embedded.
        StoreUnavailable: the folder cannot be written.
    """
    if not isinstance(hub.tables, EmbeddedTableStore):
        raise QueryError(
            "Tables are not embedded",
            remedy="Take a snapshot of the tables with HBase's own tools, and copy the root folder",
        )
    _require_target(hub, target)
    try:
        return _back_up(hub, target, link, on_total, on_step)
    except OSError as error:
        raise StoreUnavailable("Cannot write the backup", where=str(target), got=str(error)) from error


def _back_up(
    hub: Hub, target: Path, link: bool, on_total: Callable[[int], None], on_step: Callable[[str], None]
) -> Backup:
    (target / "tables").mkdir(parents=True, exist_ok=True)
    (target / MANIFEST).unlink(missing_ok=True)
    others = [name for name in hub.tables.tables() if name not in (INDEX, LOG)]
    on_total(len(others) + 3)
    for name in (INDEX, LOG, *others):
        on_step(f"table {name}")
        copy_table(hub.settings.tables, name, target / "tables")
    on_step("files")
    copy = EmbeddedTableStore(target / "tables")
    try:
        position = _copied_position(copy)
        beyond = log_path(position + 1)  # entries that came since have no place in a copy whose log does not have them
        paths = [
            p for folder in FOLDERS for p in hub.files.list(folder) if not (p.startswith(LOG_COPY) and p >= beyond)
        ]
        with ThreadPoolExecutor(THREADS) as pool:  # a server answers several at once
            copied = list(pool.map(lambda path: _copied(hub, path, target / "root" / path, link), paths))
        copy.write(LOG, _counters(hub))
    finally:
        copy.close()
    _copy_declarations(hub, target)
    backup = Backup(position, len(others), len(copied), sum(copied), render_instant(hub.clock()))
    _write(target / MANIFEST, json.dumps(asdict(backup), indent=1) + "\n")
    return backup


def _require_target(hub: Hub, target: Path) -> None:
    inside = [
        f
        for f in (hub.settings.home, *_local_root(hub), hub.settings.tables)
        if target.resolve().is_relative_to(f.resolve())
    ]
    if inside:
        raise DeclarationError("Backup inside the hub", where=str(target), expected=f"a folder outside {inside[0]}")
    is_backup = (target / MANIFEST).exists() or (target / "tables" / "hub.log.sqlite").exists()
    if target.exists() and not is_backup and (not target.is_dir() or any(target.iterdir())):
        raise DeclarationError(
            "Folder is not empty", where=str(target), expected="a new or empty folder, or an earlier backup"
        )
    if (target / "landing").exists():
        raise DeclarationError(
            "Folder is a hub in use", where=str(target), expected="a new or empty folder, or an earlier backup"
        )


def _local_root(hub: Hub) -> list[Path]:
    return [hub.files.root] if isinstance(hub.files, LocalFileStore) else []


def _copied(hub: Hub, path: str, target: Path, link: bool) -> bool:
    """The file is there; whether it was not before. Published files never change, so one that is there is the same."""
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if link and isinstance(hub.files, LocalFileStore):
        try:
            os.link(hub.files.location(path), target)
            return True
        except OSError:  # another filesystem, or one without hard links
            pass
    temporary = target.with_name(f".tmp-{target.name}")
    with hub.files.open(path) as source, temporary.open("wb") as copy:
        shutil.copyfileobj(source, copy, CHUNK)
    temporary.replace(target)
    return True


def _counters(hub: Hub) -> Iterator[Rows]:
    yield from hub.tables.scan(LOG, b"n", b"o")


def _copied_position(copy: EmbeddedTableStore) -> int:
    entries = [int.from_bytes(page.keys[-1].as_py()[1:], "big") for page in copy.scan(LOG, b"e", b"f")]
    return entries[-1] if entries else -1


def _copy_declarations(hub: Hub, target: Path) -> None:
    shutil.copytree(hub.settings.catalogue, target / "catalogue", dirs_exist_ok=True)
    settings = hub.settings.home / SETTINGS_FILE
    lines = settings.read_text().splitlines() if settings.exists() else []
    moved = [f"# {line}  # as in the hub that was backed up" if _PLACES.match(line) else line for line in lines]
    _write(target / SETTINGS_FILE, "\n".join([*moved, ""]))
    if hub.settings.clock == "settable":
        shutil.copyfile(hub.settings.home / "clock", target / "clock")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
