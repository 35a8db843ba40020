"""The log's index in an embedded table that somebody holds: SQLite lets one writer in at a time, and readers need none."""

import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from datahub_assets.history.log import Change, Entry
from datahub_assets.stores.commit_log import CommitLog
from datahub_assets.stores.tables.embedded import EmbeddedTableStore
from datahub_assets_tests.contracts.around import NoIndex
from datahub_assets_tests.strategies import EPOCH


def test_reader_answers_at_once_while_a_sleeping_process_holds_the_indexs_lock(tmp_path: Path) -> None:
    """A writer that was stopped in the middle of a transaction keeps its lock until it wakes: nobody who reads waits for it,
    though the newest entry is not in the index.
    """
    tables = EmbeddedTableStore(tmp_path)
    CommitLog(tables).append(Entry(EPOCH, "ann", "r0", changes=(Change("t/t", "p", 1, None),)), -1, lambda: EPOCH)
    CommitLog(NoIndex(tables)).append(Entry(EPOCH, "ann", "r1", changes=(Change("t/t", "p", 2, 1),)), 0, lambda: EPOCH)
    with closing(sqlite3.connect(tmp_path / "hub.index.sqlite", isolation_level=None)) as sleeper:
        sleeper.execute("BEGIN IMMEDIATE")
        sleeper.execute("DELETE FROM rows")
        started, reader = time.monotonic(), CommitLog(EmbeddedTableStore(tmp_path))
        assert reader.last() == 1
        assert [change.write_id for _, change in reader.history("t/t", "p", 1)] == [1, 2]
        assert reader.position_at(EPOCH + timedelta(seconds=1)) == 1
        assert time.monotonic() - started < 5
        sleeper.execute("ROLLBACK")
