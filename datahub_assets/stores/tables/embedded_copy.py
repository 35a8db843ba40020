"""A consistent copy of one embedded table while others write to it: SQLite's online backup, in one step."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from datahub_assets.errors import StoreUnavailable

_BUSY_SECONDS = 60.0


def copy_table(source: Path, table: str, target: Path) -> None:
    """The table's file below ``target`` holds what the table held at one moment of this call; nothing of an absent table.

    In WAL mode a reader keeps no writer waiting, and one step sees one state (https://www.sqlite.org/backup.html: a copy
    in several steps begins anew whenever another process writes).

    Raises:
        StoreUnavailable: SQLite refuses.
    """
    name = f"{quote(table, safe='')}.sqlite"
    if not (source / name).exists():
        return
    temporary = target / f".{name}.part"
    temporary.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(source / name, timeout=_BUSY_SECONDS)) as origin,
            closing(sqlite3.connect(temporary)) as copy,
        ):
            origin.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
    except sqlite3.Error as error:
        raise StoreUnavailable("Table cannot be copied", where=f"{table} ({source / name})", got=str(error)) from error
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    for beside in ("-wal", "-shm"):  # of an earlier copy that was opened
        (target / f"{name}{beside}").unlink(missing_ok=True)
    temporary.replace(target / name)
