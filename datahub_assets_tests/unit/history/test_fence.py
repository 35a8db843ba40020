"""May a draft be appended? Against writers that interleave in every way."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DatahubError, StoreConflict
from datahub_assets.history.fence import Append, Conflict, Duplicate, Tip, decide, next_known_at, stamped
from datahub_assets.history.log import Change, Cut, Delivery, Entry
from datahub_assets.history.state import state_of
from datahub_assets_tests.strategies import EPOCH, drafts, logs


def draft(*changes: Change, run: str = "mine", **more: object) -> Entry:
    """A draft of one run."""
    return Entry(EPOCH, "ann", run, changes=changes, **more)  # type: ignore[arg-type]


def committed(position: int, *changes: Change, run: str = "theirs", **more: object) -> Entry:
    """An entry that another run has appended."""
    entry = Entry(EPOCH, "bob", run, changes=changes, **more)  # type: ignore[arg-type]
    return stamped(entry, position, EPOCH + timedelta(seconds=position))


@given(logs(max_entries=4), drafts, st.integers(-(10**6), 10**6))
def test_appended_entry_continues_the_log(log: list[Entry], wanted: Entry, drift: int) -> None:
    """Next position, later known time in whole milliseconds, receipts of its own: also with a clock that is behind."""
    wanted = replace(wanted, changes=(), cut=None)
    tip = Tip(log[-1].position, log[-1].known_at) if log else Tip()
    now = (tip.known_at or EPOCH) + timedelta(microseconds=drift)
    decided = decide(wanted, built_on=tip, since=[], now=now)
    assert isinstance(decided, Append)
    state = state_of([*log, decided.entry])
    assert state.last == len(log)
    assert Entry.from_json(decided.entry.to_json()) == decided.entry
    assert now - decided.entry.known_at < timedelta(milliseconds=1)
    assert [d.receipt for d in decided.entry.received] == [(len(log), i) for i in range(len(wanted.received))]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b", None]), st.booleans()), max_size=12))
def test_log_of_many_writers_is_as_if_each_had_worked_alone(steps: list[tuple[int, str | None, bool]]) -> None:
    """Whatever writers sleep through: each committed change replaces exactly what stood, so that no work is lost unseen."""
    log: list[Entry] = []
    asleep: dict[int, tuple[Entry, Tip]] = {}
    for write_id, (writer, partition, wakes) in enumerate(steps, start=1):
        if writer in asleep and wakes:
            wanted, built_on = asleep.pop(writer)
            decided = decide(wanted, built_on=built_on, since=log[built_on.position + 1 :], now=EPOCH)
            if isinstance(decided, Append):
                log.append(decided.entry)
            continue
        state = state_of(log)
        latest = [found[1].write_id for p in _met(partition) if (found := state.change("d/t", p, state.last))]
        tip = Tip(log[-1].position, log[-1].known_at) if log else Tip()
        change = Change("d/t", partition, write_id, max(latest, default=None))
        asleep[writer] = draft(change, run=f"w{writer}"), tip
    for entry in log:
        for change in entry.changes:
            before = [
                c for e in log[: entry.position] for c in e.changes if {c.partition, None} & set(_met(change.partition))
            ]
            met = [c for c in before if c.partition in _met(change.partition)]
            assert change.base == max((c.write_id for c in met), default=None)


def _met(partition: str | None) -> list[str | None]:
    return ["a", "b", None] if partition is None else [partition, None]


def test_draft_conflicts_when_its_scope_was_changed() -> None:
    """The clash names the scope, the T found and who committed it: the operator must not have to look."""
    theirs = committed(4, Change("d/t", "p", 8, 5))
    decided = decide(draft(Change("d/t", "p", 7, 5)), built_on=Tip(3, EPOCH), since=[theirs], now=EPOCH)
    assert isinstance(decided, Conflict)
    assert [(c.scope, c.expected, c.found, c.by) for c in decided.clashes] == [("d/t p", "T5", "T8", theirs)]
    error = decided.error()
    assert isinstance(error, StoreConflict)
    assert "T8 committed by bob in run theirs at position 4" in str(error)


def test_draft_is_appended_when_other_scopes_were_changed() -> None:
    """Another date or another dataset is no reason to redo the work."""
    since = [committed(4, Change("d/t", "q", 8, 5)), committed(5, Change("d/u", "p", 8, 5))]
    decided = decide(draft(Change("d/t", "p", 7, 5)), built_on=Tip(3, EPOCH), since=since, now=EPOCH)
    assert isinstance(decided, Append)
    assert decided.entry.position == 6
    assert decided.entry.known_at == since[-1].known_at + timedelta(milliseconds=1)


def test_draft_is_appended_when_the_entries_since_hold_what_it_was_built_on() -> None:
    """A caller may be careful and pass more entries than it has to."""
    decided = decide(
        draft(Change("d/t", "p", 9, 8)),
        built_on=Tip(3, EPOCH),
        since=[committed(4, Change("d/t", "p", 8, 5))],
        now=EPOCH,
    )
    assert isinstance(decided, Append)


@pytest.mark.parametrize(("mine", "theirs"), [(None, "p"), ("p", None)])
def test_whole_dataset_and_its_partitions_conflict(mine: str | None, theirs: str | None) -> None:
    """A change of the whole dataset rests on all of its partitions."""
    decided = decide(
        draft(Change("d/t", mine, 9, 5)), built_on=Tip(), since=[committed(0, Change("d/t", theirs, 8, 5))], now=EPOCH
    )
    assert isinstance(decided, Conflict)


def test_draft_is_a_duplicate_when_its_answer_was_lost() -> None:
    """The same run's same draft is in the log: it must be appended once, not fail for its own success."""
    wanted = draft(Change("d/t", "p", 7, 5), received=(_delivery("f/d", "x"),))
    mine = stamped(wanted, 4, EPOCH)
    decided = decide(wanted, built_on=Tip(3, EPOCH - timedelta(1)), since=[mine, committed(5)], now=EPOCH)
    assert decided == Duplicate(mine)


def test_draft_is_no_duplicate_when_the_run_committed_something_else() -> None:
    """One run makes many commits: its id alone proves nothing."""
    other = committed(4, Change("d/t", "q", 6, 5), run="mine")
    assert isinstance(decide(draft(Change("d/t", "p", 7, 5)), built_on=Tip(3, EPOCH), since=[other], now=EPOCH), Append)


def test_reception_conflicts_when_the_feed_received_something_meanwhile() -> None:
    """Whether bytes repeat the latest delivery is decided on the latest delivery."""
    since = [committed(0, received=(_delivery("f/d", "x"),))]
    assert isinstance(
        decide(draft(received=(_delivery("f/d", "y"),)), built_on=Tip(), since=since, now=EPOCH), Conflict
    )
    assert isinstance(decide(draft(received=(_delivery("f/e", "y"),)), built_on=Tip(), since=since, now=EPOCH), Append)


def test_cut_conflicts_when_its_name_was_taken_meanwhile() -> None:
    """A name stands for one position for ever."""
    since = [committed(0, cut=Cut("eod", -1))]
    assert isinstance(decide(draft(cut=Cut("eod", 0)), built_on=Tip(), since=since, now=EPOCH), Conflict)


def test_own_receipts_are_filled_in_where_the_draft_names_them() -> None:
    """A draft can commit rows of the delivery that it receives: (−1, 0) is its own first."""
    wanted = draft(
        Change("d/t", "p", 1, None, deliveries=((2, 0), (-1, 0)), folded=(-1, 0)), received=(_delivery("f/d", "x"),)
    )
    entry = stamped(wanted, 7, EPOCH)
    assert entry.changes[0].deliveries == ((2, 0), (7, 0))
    assert entry.changes[0].folded == (7, 0)
    assert entry.received[0].receipt == (7, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        draft(Change("d/t", "p", 5, 5)),
        draft(Change("d/t", "p", 4, 5)),
        draft(Change("d/t", "p", 6, 5), Change("d/t", "p", 7, 5)),
        stamped(draft(), 3, EPOCH),
    ],
)
def test_draft_is_refused_when_it_contradicts_itself(wrong: Entry) -> None:
    """A write id that is not newer than its base would lose to it in a bitemporal table: rows committed and never seen."""
    with pytest.raises(DatahubError):
        decide(wrong, built_on=Tip(), since=[], now=EPOCH)


def test_entries_since_are_refused_when_one_is_missing() -> None:
    """A check that skipped an entry checked nothing."""
    with pytest.raises(DatahubError, match="follow"):
        decide(draft(), built_on=Tip(), since=[committed(1)], now=EPOCH)


def test_known_time_grows_by_a_millisecond_when_the_clock_stands_still() -> None:
    """Two entries are never known at the same time, so that an instant names one position."""
    assert next_known_at(EPOCH, EPOCH) == EPOCH + timedelta(milliseconds=1)
    assert next_known_at(EPOCH, EPOCH + timedelta(microseconds=999)) == EPOCH + timedelta(milliseconds=1)
    assert next_known_at(EPOCH, EPOCH + timedelta(seconds=5)) == EPOCH + timedelta(seconds=5)


def _delivery(feed: str, sha256: str) -> Delivery:
    return Delivery(feed, "name.csv", sha256, 1, EPOCH + timedelta(microseconds=1), ())
