"""Rows of a cursor that are read before they are asked for: the same rows, and nobody's who may not read them any more."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.serving.answer import Streamed
from datahub_assets_tests.unit.serving.odbc.client import fields
from datahub_assets_tests.unit.serving.odbc.talk import Talk, rows_of, signed_in, tags
from datahub_assets_tests.unit.serving.served import Served

NUMBERS = "SELECT n FROM generate_series(1, {}) AS t (n) ORDER BY n"


@contextmanager
def cursor(served: Served, sql: str, user: str = "ann") -> Iterator[Talk]:
    """A connection with a cursor c of the statement, in a transaction."""
    talk = signed_in(served, user)
    try:
        assert tags(talk.query(f"BEGIN; DECLARE c CURSOR FOR {sql}")) == ["BEGIN", "DECLARE CURSOR"]
        yield talk
    finally:
        talk.connection.close()


def ahead_of(talk: Talk, taken: int) -> int:
    """How many rows the cursor has read, once it has read more than were taken."""
    assert talk.connection.conversation is not None
    answer = talk.connection.conversation.state.portal("c").answer
    assert isinstance(answer, Streamed)
    until = time.monotonic() + 30
    while answer.rows <= taken and time.monotonic() < until:
        time.sleep(0.01)
    return answer.rows


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9_000)), max_size=8))
def test_cursor_gives_each_row_once_however_it_is_asked(door: Served, asked: list[tuple[bool, int]]) -> None:
    """Whatever numbers of rows are fetched or passed over, rows come once and in order: reading ahead is not seen."""
    with cursor(door, NUMBERS.format(20_000)) as talk:
        place = 0
        for move, count in asked:
            expected = list(range(place + 1, min(place + count, 20_000) + 1))
            heard = talk.query(f"{'MOVE' if move else 'FETCH'} {count} FROM c")
            assert tags(heard) == [f"{'MOVE' if move else 'FETCH'} {len(expected)}"]
            assert [int(row[0] or 0) for row in rows_of(heard)] == ([] if move else expected)
            place += len(expected)
        left = [int(row[0] or 0) for row in talk.rows("FETCH ALL FROM c")]
        assert left == list(range(place + 1, 20_001))


def test_rows_read_ahead_are_shown_as_settings_say_when_they_are_fetched(door: Served) -> None:
    """What was written for one time zone is written anew for another."""
    with cursor(
        door, "SELECT TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(n) FROM generate_series(1, 40000) AS t (n)"
    ) as talk:
        assert talk.rows("FETCH 8192 FROM c")[0] == ["2024-01-01 01:00:00+00"]
        assert ahead_of(talk, 8192) > 8192
        talk.query("SET TIME ZONE 'Asia/Kolkata'")
        shown = talk.rows("FETCH 8192 FROM c")
        assert all(str(row[0]).endswith("+05:30") for row in shown)


def test_rows_read_ahead_are_not_given_to_who_was_revoked(own_door: Served) -> None:
    """A revocation counts at once, also for rows that were computed before it."""
    with cursor(own_door, "SELECT p.* FROM px.prices AS p, generate_series(1, 40000)", user="bob") as talk:
        assert len(talk.rows("FETCH 8192 FROM c")) == 8192
        assert ahead_of(talk, 8192) > 8192
        path = own_door.hub.settings.access
        path.write_text(re.sub(r"\n  bob: .*", "", path.read_text()))
        assert talk.error("FETCH 8192 FROM c")["C"] == "28000"


def test_rows_read_ahead_are_not_given_when_rights_changed(own_door: Served) -> None:
    """Rows that rest on a right that is gone are not handed out, though they are there."""
    with cursor(own_door, "SELECT p.* FROM px.prices AS p, generate_series(1, 40000)", user="bob") as talk:
        assert len(talk.rows("FETCH 8192 FROM c")) == 8192
        assert ahead_of(talk, 8192) > 8192
        path = own_door.hub.settings.access
        path.write_text(path.read_text().replace("\"ticker = 'A'\"", "\"ticker = 'Z'\""))
        heard = talk.query("FETCH 8192 FROM c")
        assert [each.kind for each in heard if each.kind in "DE"] == ["E"]


def test_fault_met_while_reading_ahead_is_told_in_its_place(door: Served) -> None:
    """A value that cannot be computed fails the FETCH that would give its row, not the one before; the cursor is over then."""
    with cursor(
        door,
        "SELECT CAST(CASE WHEN n = 30000 THEN 'x' ELSE '1' END AS INTEGER) FROM generate_series(1, 40000) AS t (n)",
    ) as talk:
        seen, heard = 0, talk.query("FETCH 8000 FROM c")
        while rows := [each for each in heard if each.kind == "D"]:
            seen += len(rows)
            if any(each.kind == "E" for each in heard):
                break
            heard = talk.query("FETCH 8000 FROM c")
        (fault,) = [fields(each.body) for each in heard if each.kind == "E"]
        assert fault["C"] == "22P02"
        assert seen < 30_000


def test_cursor_does_not_read_ahead_more_than_was_asked(door: Served) -> None:
    """However long a client thinks: no more is read than what it took once more, and the rest of a batch."""
    with cursor(door, NUMBERS.format(1_000_000)) as talk:
        talk.query("FETCH 100 FROM c")
        time.sleep(0.3)
        assert ahead_of(talk, 0) <= 8192
        talk.query("FETCH 8192 FROM c")
        time.sleep(0.3)
        assert ahead_of(talk, 0) <= 3 * 8192


@pytest.mark.parametrize("end", ["CLOSE c", "COMMIT", "ROLLBACK"])
def test_cursor_that_ends_while_it_reads_ahead_leaves_nothing(door: Served, end: str) -> None:
    """Its place among the statements is given back, whatever it was computing."""
    others = set(door.engine.turns.statements())
    with cursor(door, NUMBERS.format(5_000_000)) as talk:
        talk.query("FETCH 8192 FROM c")
        (running,) = set(door.engine.turns.statements()) - others
        assert tags(talk.query(end)) == ["CLOSE CURSOR" if end == "CLOSE c" else end]
        assert running not in door.engine.turns.statements()
