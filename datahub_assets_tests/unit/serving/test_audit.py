"""The audit log: written by several processes at once, by some that are killed, and read as what happened."""

import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from datahub_assets.errors import DatahubError, StoreUnavailable
from datahub_assets.operations.hub import Hub
from datahub_assets.serving.audit import AuditLog, Begun, Read, Record
from datahub_assets.serving.engine import Engine
from datahub_assets.serving.usage import usage
from datahub_assets.settings import load
from datahub_assets.stores.tables.embedded import EmbeddedTableStore
from datahub_assets_tests.hubs import MEMBERS, PRICED_MEMBERS, PRICES
from datahub_assets_tests.unit.serving.served import Served

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def begun(user: str, at: datetime = NOON, *reads: Read) -> Begun:
    """A statement as it begins."""
    return Begun(at, user, "test", "", "SELECT 'ünï'", 7, None, reads)


def test_every_statement_is_recorded_with_who_what_when_and_how_it_ended(own: Served) -> None:
    """Also one that was refused, cancelled, failed, or not read to its end."""
    start = datetime.now(UTC)
    own.rows("ann", "SELECT * FROM px.prices", known_at="month-end")
    for sql in ("SELECT * FROM idx.members", "SELECT CAST(ticker AS INTEGER) FROM px.prices"):
        with pytest.raises(DatahubError):
            own.rows("bob", sql)
    own.session("ann").execute("SELECT p.ticker FROM px.prices p, range(1000000)").close()
    answer = own.session("ann", client="10.0.0.1:5").execute("SELECT * FROM an.returns JOIN px.prices USING (ticker)")
    answer.cancel()
    with pytest.raises(DatahubError):
        answer.next_batch()
    own.engine.audit.close()
    records = list(AuditLog(own.hub.tables).records(start))
    assert [(r.begun.user, r.outcome, r.rows) for r in records] == [
        ("ann", "done", 20), ("bob", "refused", 0), ("bob", "refused", 0), ("ann", "closed", 0), ("ann", "cancelled", 0),
    ]  # fmt: skip
    first, last = records[0].begun, records[-1].begun
    assert (first.statement, first.position, first.door) == ("SELECT * FROM px.prices", own.before, "test")
    assert first.reads == (Read(PRICES, "px.prices", own.before),)
    assert start - timedelta(milliseconds=1) <= first.at <= datetime.now(UTC)
    assert {read.dataset for read in last.reads} == {PRICES, "an/returns"}
    assert last.client == "10.0.0.1:5"
    assert "idx.members" in str(records[1].error)


def test_statement_is_not_answered_when_it_cannot_be_recorded(own: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads unseen: a store that does not answer is everybody's problem at once."""

    def unavailable(*_: Any) -> int:
        raise StoreUnavailable("Table store does not answer")

    monkeypatch.setattr(EmbeddedTableStore, "write", unavailable)
    session = own.session("ann")
    with pytest.raises(StoreUnavailable):
        session.execute("SELECT * FROM px.prices")
    assert own.engine.turns.statements() == []


def _write_for_ever(folder: Path, number: int, told: Event) -> None:
    audit = AuditLog(EmbeddedTableStore(folder))
    count = 0
    while True:
        name = audit.begin(begun(f"writer{number}", NOON + timedelta(microseconds=count), Read("a/b", "a.b", count)))
        (folder / f"confirmed{number}").write_text(str(count + 1))  # begin has returned: durable
        told.set()
        if count % 2:
            audit.end(name, "done", count, 0.0)
        count += 1


def test_records_of_killed_processes_are_whole_and_none_that_was_confirmed_is_lost(tmp_path: Path) -> None:
    """Three servers write at once and are killed where they stand."""
    context = multiprocessing.get_context("spawn")
    told = [context.Event() for _ in range(3)]
    writers = [context.Process(target=_write_for_ever, args=(tmp_path, n, told[n])) for n in range(3)]
    for writer in writers:
        writer.start()
    for event in told:
        assert event.wait(60)
    time.sleep(1.0)
    for writer in writers:
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    records = list(AuditLog(EmbeddedTableStore(tmp_path)).records())
    for number in range(3):
        mine = [record for record in records if record.begun.user == f"writer{number}"]
        confirmed = int((tmp_path / f"confirmed{number}").read_text() or 0)
        assert len(mine) >= confirmed
        assert [record.begun.reads[0].position for record in mine] == list(range(len(mine)))
        for count, record in enumerate(mine):
            assert record.outcome == "cut off" if count % 2 == 0 else record.outcome in {"done", "cut off"}
            assert record.rows == (count if record.outcome == "done" else None)


def test_records_are_read_by_time(tmp_path: Path) -> None:
    """Half-open, by when they began."""
    audit = AuditLog(EmbeddedTableStore(tmp_path))
    for hour in range(3):
        audit.end(audit.begin(begun(f"u{hour}", NOON + timedelta(hours=hour))), "done", hour, 0.5)
    audit.close()

    def users(*span: datetime | None) -> list[str]:
        return [record.begun.user for record in audit.records(*span)]

    assert users() == ["u0", "u1", "u2"]
    assert users(NOON + timedelta(hours=1)) == ["u1", "u2"]
    assert users(NOON, NOON + timedelta(hours=1)) == ["u0"]
    assert users(None, NOON + timedelta(hours=2)) == ["u0", "u1"]


def test_usage_counts_a_statement_once_for_each_thing_it_is_counted_by(served: Served) -> None:
    """An extract uses the data of all its inputs' providers; two relations of one dataset are one use."""
    prices, history, both = (
        Read(PRICES, "px.prices", 1),
        Read(PRICES, "px.prices_history", 1),
        Read(PRICED_MEMBERS, "x", 1),
    )
    records = [
        Record(begun("ann", NOON, prices, history), "done", 10), Record(begun("ann", NOON, prices), "cut off"),
        Record(begun("bob", NOON, both, Read(MEMBERS, "y", 1)), "closed", 5), Record(begun("eve", NOON, prices), "refused", 0),
        Record(begun("ann", NOON), "done", 1),
    ]  # fmt: skip

    def counted(*by: str) -> list[tuple[Any, ...]]:
        table = usage(records, served.hub.catalogue, by)
        return [tuple(row.values())[:-1] for row in table.to_pylist()]

    assert counted("dataset", "user") == [
        (PRICED_MEMBERS, "bob", 1, 5), (MEMBERS, "bob", 1, 5), (PRICES, "ann", 2, 10),
    ]  # fmt: skip
    assert counted("provider") == [("idx", 1, 5), ("px", 3, 15), ("ref", 1, 5)]
    assert counted("user") == [("ann", 2, 10), ("bob", 1, 5)]
    assert usage([], served.hub.catalogue).num_rows == 0


def test_several_servers_write_one_log(own: Served) -> None:
    """Two engines over one hub, as two processes have them."""
    other = Engine.open(Hub.open(load(own.hub.settings.home)))
    session = other.session(other.signed_in("bob"), "http")
    session.execute("SELECT 1").read_all()
    own.rows("ann", "SELECT 1")
    other.close()
    own.engine.audit.close()
    records = list(AuditLog(own.hub.tables).records())
    assert [(record.begun.user, record.begun.door) for record in records] == [("bob", "http"), ("ann", "test")]
