"""SQLite files that another library keeps through SQLAlchemy, written without a wait for the disk at each of its commits.

For records that can be made again, such as Dagster's of one process (``orchestration.in_process``); never for the log.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def quick_sqlite(folder: Path) -> Iterator[None]:
    """Inside, this process's commits to SQLite files in WAL mode below the folder do not wait for the disk.

    A commit waits for the disk in SQLite's ``synchronous=FULL``; and so does the last connection to a file when it closes,
    which dagster 1.13 does with each event: it copies the WAL into the file. Inside, commits are in ``synchronous=NORMAL``,
    and a connection to each file is kept open. The files are as sound as ever. A process that dies loses nothing; a machine
    that loses power may lose the last commits.
    """
    kept: dict[Path, sqlite3.Connection] = {}
    below = folder.resolve()

    def connected(connection: Any, _: object) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        ((_, _, name),) = connection.execute("PRAGMA database_list")
        file = Path(name)
        if not file.is_relative_to(below):
            return
        connection.execute("PRAGMA synchronous=NORMAL")
        if file not in kept and connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            kept[file] = sqlite3.connect(file, check_same_thread=False)
            kept[file].execute("SELECT count(*) FROM sqlite_schema").fetchone()  # until it reads it is not open

    event.listen(Engine, "connect", connected)
    try:
        yield
    finally:
        event.remove(Engine, "connect", connected)
        for connection in kept.values():
            connection.close()
