"""Commits that do not wait for the disk: only those of the folder, only for the while, and none is lost with its process."""

import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from datahub_assets.stores.quick_sqlite import quick_sqlite

FULL, NORMAL = 2, 1
_DYING = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import NullPool, create_engine, text
from datahub_assets.stores.quick_sqlite import quick_sqlite
with quick_sqlite(Path(sys.argv[1]).parent):
    for number in range(20):
        with create_engine(f"sqlite:///{sys.argv[1]}", poolclass=NullPool).begin() as connection:
            connection.execute(text(f"INSERT INTO numbers VALUES ({number})"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def made(file: Path) -> Path:
    """A database in WAL mode with an empty table."""
    file.parent.mkdir(exist_ok=True)
    with create_engine(f"sqlite:///{file}", poolclass=NullPool).connect() as connection:
        connection.execute(text("PRAGMA journal_mode=WAL"))
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))
        connection.commit()
    return file


def written(file: Path) -> tuple[int, bool]:
    """A row is written by a connection of its own: how that one waits for the disk, and whether the WAL outlives it."""
    with create_engine(f"sqlite:///{file}", poolclass=NullPool).connect() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (1)"))
        connection.commit()
        waits = int(connection.execute(text("PRAGMA synchronous")).scalar_one())
    return waits, file.with_name(f"{file.name}-wal").exists()


def test_commits_below_the_folder_are_quick_and_others_as_ever(tmp_path: Path) -> None:
    """Iceberg's catalogue is kept through SQLAlchemy too, and waits for the disk as before; so does Dagster's afterwards."""
    records, other = made(tmp_path / "dagster" / "runs.db"), made(tmp_path / "iceberg.sqlite")
    with quick_sqlite(tmp_path / "dagster"):
        assert [written(records) for _ in range(2)] == [(NORMAL, True)] * 2
        assert written(other) == (FULL, False)
    assert written(records) == (FULL, False)


def test_process_that_is_killed_loses_no_commit(tmp_path: Path) -> None:
    """What a commit said is done is in the file, whatever becomes of the process."""
    records = made(tmp_path / "dagster" / "runs.db")
    killed = subprocess.run([sys.executable, "-c", _DYING, str(records)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with create_engine(f"sqlite:///{records}", poolclass=NullPool).connect() as connection:
        assert connection.execute(text("SELECT n FROM numbers ORDER BY n")).scalars().all() == list(range(20))
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
