"""The state of the log at every position: against a scan of the entries up to it."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import QueryError, StoreCorrupt
from datahub_assets.history.log import Change, Delivery, Entry
from datahub_assets.history.state import LogState, delivery_order, in_sequence, resolve_known_at, state_of, superseded
from datahub_assets_tests.strategies import DAY_ONE, EPOCH, logs

DATASETS = ["ecb/fx", "iso/markets", "not/there"]
SCOPES = [None, "2013-01-01", "2013-01-02"]


@given(logs())
def test_state_at_each_position_is_that_of_the_entries_up_to_it(log: list[Entry]) -> None:
    """One state answers for all positions, old ones too, as if the log had ended there."""
    state = state_of(log)
    for position in range(-1, len(log)):
        until = log[: position + 1]
        for dataset in DATASETS:
            told = [(e.position, c) for e in until for c in e.changes if c.dataset == dataset]
            assert state.all_changes(dataset, position) == told
            assert state.committed(dataset, position) == {c.write_id for _, c in told}
            assert state.observed(dataset, position) == tuple(sorted({c.observed for _, c in told if c.observed}))
            assert state.changes(dataset, position) == {c.partition: (at, c) for at, c in told}
            for partition in SCOPES:
                scope = [(at, c) for at, c in told if c.partition == partition]
                assert state.history(dataset, partition, position) == scope
                assert state.change(dataset, partition, position) == (scope[-1] if scope else None)
            floors = [r.before for e in until for r in e.retention if r.dataset == dataset]
            assert state.retained_from(dataset, position) == max(floors, default=0)
        named: dict[str, object] = {}
        for entry in until:
            if entry.cut:
                named.setdefault(entry.cut.name, entry.cut)
        assert state.cuts(position) == named


@given(logs())
def test_deliveries_at_each_position_are_those_received_up_to_it(log: list[Entry]) -> None:
    """By date without repetitions; those that a later file of the same file date replaced do not stand."""
    state = state_of(log)
    for position in range(-1, len(log)):
        for feed in DATASETS:
            received = [d for e in log[: position + 1] for d in e.received if d.feed == feed]
            fresh = [d for d in received if d.repeats is None]
            assert state.deliveries(feed, position) == received
            for day in [DAY_ONE + timedelta(n) for n in range(10)]:
                touching = [d for d in fresh if day in (*d.business_dates, *d.also_touches)]
                assert state.deliveries(feed, position, day) == touching
                speaking = [d for d in touching if day in d.business_dates]
                standing = [d for d in speaking if d.file_date is None or d == _newest(fresh, d)]
                assert state.standing_deliveries(feed, position, day) == in_sequence(standing)
                assert state.delivered_dates(feed, position).get(day) == (touching[-1].receipt if touching else None)


def _newest(deliveries: list[Delivery], of: Delivery) -> Delivery:
    return max((d for d in deliveries if d.file_date == of.file_date), key=delivery_order)


def test_sequence_orders_files_of_one_date_and_none_of_two() -> None:
    """It begins anew each day: the first file of Tuesday that also tells Monday comes after the second of Monday."""

    def file(position: int, file_date: date | None, sequence: int) -> Delivery:
        return Delivery("f/d", "n", "s", 1, EPOCH, (DAY_ONE,), (), file_date, sequence, receipt=(position, 0))

    monday, tuesday = DAY_ONE, DAY_ONE + timedelta(1)
    late = [file(0, monday, 2), file(1, tuesday, 1), file(2, monday, 1)]
    assert in_sequence(reversed(late)) == [late[2], late[1], late[0]]
    assert in_sequence(late[:2]) == late[:2]
    undated = [file(0, None, 10), file(1, None, 9)]
    assert in_sequence(undated) == undated[::-1]


@given(logs(), st.integers(0, 8))
def test_state_of_the_tail_answers_for_what_the_tail_says(log: list[Entry], start: int) -> None:
    """As index over the tail: what it does not know is the other index's, whatever it knows is the same."""
    start = min(start, len(log))
    whole, tail = state_of(log), state_of(log[start:], start)
    for position in range(start, len(log)):
        for dataset in DATASETS:
            for partition in SCOPES:
                expected = whole.change(dataset, partition, position)
                known = expected is not None and expected[0] >= start
                assert tail.change(dataset, partition, position) == (expected if known else None)
    for entry in log[start:]:
        assert tail.position_at(entry.known_at, now=entry.known_at) == entry.position


def test_state_refuses_an_entry_out_of_turn() -> None:
    """A gap or a known time that goes back would make every later answer wrong; the state stays as it was."""
    entry = Entry(EPOCH, "ann", "r", position=0)
    state = state_of([entry])
    for wrong in (Entry(EPOCH + timedelta(1), "ann", "r", position=2), Entry(EPOCH, "ann", "r", position=1)):
        with pytest.raises(StoreCorrupt):
            state.advance(wrong)
    assert (state.last, state.known_times) == (0, [EPOCH])


def test_corrected_file_takes_back_what_it_said_of_other_dates() -> None:
    """File of day 2 held rows of day 1; its correction holds none: day 1 is day 1's own file again."""
    one, two = DAY_ONE, DAY_ONE + timedelta(1)

    def file(index: int, file_date: date, speaks: tuple[date, ...], touches: tuple[date, ...] = ()) -> Delivery:
        return Delivery("f/d", f"{index}", f"{index}", 1, EPOCH, speaks, touches, file_date, receipt=(0, index))

    received = (file(0, one, (one,)), file(1, two, (one, two)), file(2, two, (two,), (one,)))
    state = state_of([Entry(EPOCH, "ann", "r", received=received, position=0)])
    assert state.standing_deliveries("f/d", 0, one) == [received[0]]
    assert state.standing_deliveries("f/d", 0, two) == [received[2]]


@given(st.lists(st.integers(1, 50), unique=True, max_size=8).map(sorted), st.integers(0, 60))
def test_known_time_resolves_to_the_last_entry_not_after_it(times: list[int], at: int) -> None:
    """−1 before the first entry; the instant of an entry includes it."""
    known = [EPOCH + timedelta(milliseconds=t) for t in times]
    now = EPOCH + timedelta(milliseconds=60)
    expected = max((i for i, t in enumerate(times) if t <= at), default=-1)
    assert resolve_known_at(known, EPOCH + timedelta(milliseconds=at), now) == expected


def test_known_time_is_refused_when_it_lies_in_the_future_or_has_no_zone() -> None:
    """The hub cannot say today what it will have known tomorrow; and 17:00 is no instant."""
    with pytest.raises(QueryError, match="future"):
        resolve_known_at([EPOCH], EPOCH + timedelta(milliseconds=2), now=EPOCH + timedelta(milliseconds=1))
    with pytest.raises(QueryError, match="time zone"):
        resolve_known_at([EPOCH], EPOCH.replace(tzinfo=None), now=EPOCH)


def test_known_time_of_the_newest_entry_is_readable_when_the_clock_is_behind_it() -> None:
    """Known times can run ahead of a clock by the milliseconds added: what is committed can be read."""
    assert resolve_known_at([EPOCH, EPOCH + timedelta(seconds=1)], EPOCH + timedelta(seconds=1), now=EPOCH) == 1


@given(
    st.lists(st.integers(0, 20), unique=True, max_size=6).map(sorted), st.integers(0, 22), st.sets(st.integers(0, 22))
)
def test_superseded_changes_are_those_no_kept_position_reads(at: list[int], before: int, cuts: set[int]) -> None:
    """Retention must not take a version that a cut, or a position at or above the floor, still reads."""
    track = [(position, Change("d/t", "p", n, n - 1)) for n, position in enumerate(at, start=1)]
    state = LogState()
    for position in range(21):
        changes = tuple(change for there, change in track if there == position)
        state.advance(Entry(EPOCH + timedelta(position), "ann", "r", changes=changes, position=position))
    read = {state.change("d/t", "p", p) for p in [*range(before, 23), *(c for c in cuts if c < before)]}
    expected = [change for position, change in track if (position, change) not in read]
    if track and (track[-1] not in read):
        expected.remove(track[-1][1])  # the newest version always stays: nothing supersedes it
    assert list(superseded(track, before, cuts)) == expected
