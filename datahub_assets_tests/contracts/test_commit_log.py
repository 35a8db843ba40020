"""The commit log on every table store: a total order, and answers at a position that never change.

The oracle is ``history.state.LogState``, which asks the same questions by the same names.
"""

import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets.errors import DatahubError, QueryError, StoreConflict, StoreCorrupt, StoreUnavailable
from datahub_assets.history.fence import Append, Conflict, Tip, decide
from datahub_assets.history.log import Change, Cut, Delivery, Entry, Retention
from datahub_assets.history.state import LogState, state_of
from datahub_assets.schema.contract import Column, Contract, Shape
from datahub_assets.schema.types import LogicalType
from datahub_assets.stores.commit_log import INDEX, LOG, MAX_TAIL, CommitLog, write_id_counter
from datahub_assets.stores.tables.interface import Rows, TableStore
from datahub_assets.stores.vault import Vault
from datahub_assets_tests.contracts.around import Counts, LosesAnswers, LosesRequests, NoIndex
from datahub_assets_tests.contracts.implementations import FilesAt, TablesAt
from datahub_assets_tests.contracts.processes import child, in_processes, in_threads
from datahub_assets_tests.contracts.workers import (
    append_and_die,
    commit,
    commit_and_signal,
    commit_and_sleep_indexing,
    commit_for_ever,
    commit_often,
    commit_when_woken,
    now,
    read_for_ever,
    state_elsewhere,
    write_ids,
)
from datahub_assets_tests.strategies import DAY_ONE, EPOCH, logs

NewTables: TypeAlias = Callable[[], TablesAt]
Emptied: TypeAlias = Callable[[int], TablesAt]
DATASETS = ["ecb/fx", "iso/markets", "not/there"]
SCOPES = [None, "2013-01-01", "2013-01-02"]
DAYS = [DAY_ONE + timedelta(n) for n in range(10)]
LATER = EPOCH + timedelta(3650)

few = settings(max_examples=max(10, settings().max_examples // 5), suppress_health_check=list(HealthCheck))


def told(log: CommitLog | LogState, position: int, days: Sequence[date] = DAYS) -> dict[Any, Any]:
    """All answers at a position; of days, those about these. Dictionaries as lists: their order is promised too."""
    answers: dict[Any, Any] = {"cuts": log.cuts(position)}
    for name in DATASETS:
        answers[name] = (
            list(log.changes(name, position).items()),
            [(log.change(name, scope, position), log.history(name, scope, position)) for scope in SCOPES],
            log.all_changes(name, position), log.retained_from(name, position), log.deliveries(name, position),
            [(log.deliveries(name, position, d), log.standing_deliveries(name, position, d)) for d in days],
            list(log.delivered_dates(name, position).items()),
        )  # fmt: skip
    return answers


def draft(*changes: Change, run: str = "mine", **more: Any) -> Entry:
    """A draft of one run."""
    return Entry(EPOCH, "ann", run, changes=changes, **more)


def at(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands."""
    return lambda: moment


# -- positions and known times -----------------------------------------------------------------------------------------


def test_positions_count_from_zero_and_known_times_grow_when_the_clock_is_set_back(tables: TableStore) -> None:
    """Position n is the n-th entry; its known time is the clock's, but after its predecessor's by 1 ms at least."""
    log = CommitLog(tables)
    assert log.last() == -1
    clocks = [EPOCH, EPOCH, EPOCH - timedelta(days=1), EPOCH + timedelta(seconds=5), EPOCH]
    entries = [log.append(draft(run=f"{i}"), log.last(), at(clock)) for i, clock in enumerate(clocks)]
    assert [entry.position for entry in entries] == [0, 1, 2, 3, 4]
    assert [(entry.known_at - EPOCH) / timedelta(milliseconds=1) for entry in entries] == [0, 1, 2, 5000, 5001]
    assert list(log.entries()) == list(CommitLog(tables).entries()) == entries
    assert [log.entry(i) for i in range(5)] == entries
    assert list(log.entries(1, 3)) == entries[1:3]
    assert list(log.entries(5)) == []


@pytest.mark.parametrize("position", [-1, 1, 7])
def test_entry_is_refused_where_there_is_none(tables: TableStore, position: int) -> None:
    """The error says which positions there are."""
    log = CommitLog(tables)
    log.append(draft(), -1, at(EPOCH))
    with pytest.raises(QueryError, match="0 to 0"):
        log.entry(position)


def test_entries_stop_at_a_gap(tables: TableStore) -> None:
    """A lost entry would shift every later answer: the log is damaged, and says where."""
    log = CommitLog(tables)
    for i in range(4):
        log.append(draft(run=f"{i}"), i - 1, at(EPOCH))
    tables.delete_range(LOG, b"e" + (2).to_bytes(8, "big"), b"e" + (3).to_bytes(8, "big"))
    with pytest.raises(StoreCorrupt, match="got entry 3, expected entry 2"):
        list(log.entries())
    with pytest.raises(StoreCorrupt):
        log.reindex()


# -- state at a position -----------------------------------------------------------------------------------------------


@few
@given(logs(), st.data())
def test_state_at_a_position_is_the_oracles(emptied: Emptied, entries: list[Entry], data: st.DataObject) -> None:
    """At old and new positions alike, in any order of asking, before and after the index is made anew, and once it is lost."""
    tables, oracle = emptied(0).open(), state_of(entries)
    days = data.draw(st.lists(st.sampled_from(DAYS), max_size=3, unique=True))
    log = CommitLog(tables)
    assert log.restore(entries) == len(entries)
    for position in data.draw(st.lists(st.integers(-1, len(entries)), min_size=1, max_size=3)):
        assert told(log, position, days) == told(oracle, position, days)
        assert told(CommitLog(tables), position, days) == told(oracle, position, days)
    assert log.reindex() == len(entries)
    assert told(log, len(entries) // 2, days) == told(oracle, len(entries) // 2, days)
    tables.delete_range(INDEX, b"", b"")
    assert told(CommitLog(tables), len(entries), days) == told(oracle, len(entries), days)
    assert CommitLog(tables).cuts() == oracle.cuts()


@few
@given(logs(), st.lists(st.integers(-5, 45_000), max_size=6))
def test_known_time_resolves_to_the_oracles_position(
    emptied: Emptied, entries: list[Entry], after_ms: list[int]
) -> None:
    """The last entry not after the instant, −1 before the first: at, just before and just after entries as well."""
    log, oracle = CommitLog(emptied(0).open()), state_of(entries)
    log.restore(entries)
    instants = [EPOCH + timedelta(milliseconds=ms) for ms in after_ms]
    instants += [entry.known_at + timedelta(microseconds=d) for entry in entries for d in (-1, 0, 999, 1000)]
    for instant in instants:
        assert log.position_at(instant) == oracle.position_at(instant, LATER)


def test_known_time_without_a_zone_is_refused(tables: TableStore) -> None:
    """17:00 is no instant."""
    with pytest.raises(QueryError, match="time zone"):
        CommitLog(tables).position_at(EPOCH.replace(tzinfo=None))


@few
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(["ecb/fx", "iso/markets"]), st.sampled_from(SCOPES), st.integers(0, 3)
        ),
        max_size=14,
    ),
    st.data(),
)
def test_log_of_interleaved_writers_is_the_fences(
    emptied: Emptied, steps: list[tuple[int, str, str | None, int]], data: st.DataObject
) -> None:
    """Writers build, sleep and append in every order: each outcome is what the fence decides, all see one log."""
    place = emptied(0)
    writers = [CommitLog(place.open()) for _ in range(3)]
    asleep: dict[int, tuple[Entry, int]] = {}
    model: list[Entry] = []
    for number, (who, dataset, partition, rest) in enumerate(steps):
        log = writers[who]
        if who not in asleep:
            position = log.last()
            assert position == len(model) - 1
            found = log.change(dataset, partition, position)
            change = Change(
                dataset, partition, log.draw(write_id_counter(dataset)), found[1].write_id if found else None
            )
            wanted = draft(change, run=f"{number}", cut=Cut(f"cut{rest}", position) if rest else None)
            asleep[who] = wanted, position
            continue
        wanted, built_on = asleep.pop(who)
        tip = Tip(built_on, model[built_on].known_at) if built_on >= 0 else Tip()
        expected = decide(wanted, built_on=tip, since=model[built_on + 1 :], now=EPOCH)
        if isinstance(expected, Conflict):
            with pytest.raises(StoreConflict):
                log.append(wanted, built_on, at(EPOCH))
        else:
            assert isinstance(expected, Append)
            assert log.append(wanted, built_on, at(EPOCH)) == expected.entry
            model.append(expected.entry)
        position, oracle = data.draw(st.integers(-1, len(model) - 1)), state_of(model)
        assert [told(writer, position) for writer in writers] == [told(oracle, position)] * 3


def test_answer_at_a_position_does_not_wait_for_someone_to_ask_for_the_end(tables_at: TablesAt) -> None:
    """A process that has just opened the log is asked at a position that nobody has indexed yet."""
    log = CommitLog(tables_at.open())
    first = log.append(draft(Change("t/t", "p", 1, None)), -1, at(EPOCH))
    second = replace(first, position=1, known_at=EPOCH + timedelta(1), changes=(Change("t/t", "p", 2, 1),))
    second = replace(second, cut=Cut("c", 0), retention=(Retention("t/t", 1),))
    tables_at.open().put_if_absent(
        LOG, b"e" + (1).to_bytes(8, "big"), second.to_json().encode()
    )  # died before indexing
    questions: list[tuple[Callable[[CommitLog], Any], Any]] = [
        (lambda fresh: fresh.change("t/t", "p", 1), (1, second.changes[0])),
        (lambda fresh: fresh.changes("t/t", 1), {"p": (1, second.changes[0])}),
        (lambda fresh: len(fresh.history("t/t", "p", 1)), 2),
        (lambda fresh: len(fresh.all_changes("t/t", 1)), 2),
        (lambda fresh: fresh.cuts(), {"c": Cut("c", 0)}),
        (lambda fresh: fresh.retained_from("t/t", 1), 1),
        (lambda fresh: fresh.position_at(EPOCH + timedelta(2)), 1),
    ]
    for question, answer in questions:
        tables_at.open().delete_range(INDEX, b"", b"")
        assert question(CommitLog(tables_at.open())) == answer
    assert log.change("t/t", "p", 1) == (1, second.changes[0])
    tables_at.open().delete_range(INDEX, b"", b"")
    assert in_processes(state_elsewhere, [(tables_at, 1)]) == [(1, {"p": (1, 2)})]


def test_cut_keeps_its_first_position_when_its_name_is_used_again(tables: TableStore) -> None:
    """A report names a cut: what it named must not move. A later entry with the name changes nothing."""
    log = CommitLog(tables)
    for i in range(3):
        log.append(draft(run=f"{i}", cut=Cut("eod", i - 1, f"note {i}")), i - 1, at(EPOCH))
    assert log.cuts() == CommitLog(tables).cuts() == {"eod": Cut("eod", -1, "note 0")}
    assert log.cuts(-1) == {}


def test_retention_floor_never_sinks(tables: TableStore) -> None:
    """What was removed below a floor is gone, whatever a later entry says."""
    log = CommitLog(tables)
    for i, before in enumerate([3, 7, 5]):
        log.append(draft(run=f"{i}", retention=(Retention("t/t", before),)), i - 1, at(EPOCH))
    assert [log.retained_from("t/t", position) for position in (-1, 0, 1, 2)] == [0, 3, 7, 7]


def test_reindex_removes_what_the_log_does_not_say_and_puts_back_what_is_lost(tables: TableStore) -> None:
    """A damaged index is cured: wrong rows, missing rows and rows of another making."""
    log = CommitLog(tables)
    entries = [log.append(draft(Change("ecb/fx", "2013-01-01", i + 1, i or None)), i - 1, at(EPOCH)) for i in range(3)]
    (page,) = tables.scan(INDEX, b"i", b"j")
    tables.delete_range(INDEX, b"t", b"u")
    wrong = [page.keys[0].as_py().replace(b"2013-01-01", b"2013-01-02"), b"k" + b"old", b"z"]
    tables.write(
        INDEX, [Rows(pa.array(wrong, pa.binary()), pa.array([page.values[0].as_py(), b"{}", b""], pa.binary()))]
    )
    assert log.reindex() == 3
    assert tables.get(INDEX, wrong) == [None] * 3
    assert told(log, 2) == told(CommitLog(tables), 2) == told(state_of(entries), 2)
    assert log.position_at(LATER) == 2


def test_reindex_is_not_seen_by_readers_and_loses_nothing_of_writers(tables_at: TablesAt) -> None:
    """The index is made anew again and again while others read and append: each answer is as before."""
    log = CommitLog(tables_at.open())
    for i in range(40):
        commit(log, f"first-{i}", "t/t", f"p{i % 4}")
    expected = write_ids(log, 39)
    remaking, done = CommitLog(tables_at.open()), list[int]()

    def read() -> int:
        reader, asked = CommitLog(tables_at.open()), 0
        while not done:
            assert write_ids(reader, 39) == expected
            asked += 1
        return asked

    def append() -> None:
        for i in range(40):
            commit(log, f"then-{i}", "t/t", f"p{i % 4}")

    def remake() -> None:
        for _ in range(6):
            remaking.reindex()
        done.append(1)

    asked, _, _ = in_threads(lambda task: task(), [(read,), (append,), (remake,)])
    assert asked
    oracle = state_of(log.entries())
    assert log.changes("t/t", 79) == CommitLog(tables_at.open()).changes("t/t", 79) == oracle.changes("t/t", 79)


# -- append ------------------------------------------------------------------------------------------------------------


def test_append_is_refused_and_nothing_happens_when_the_scope_changed_first(tables: TableStore) -> None:
    """The check on append is the fence; it names who came first. Another scope's commit is no reason."""
    log = CommitLog(tables)
    log.append(draft(Change("t/t", "a", 1, None), run="first"), -1, at(EPOCH))
    other = log.append(draft(Change("t/t", "b", 2, None), run="other"), -1, at(EPOCH))
    with pytest.raises(StoreConflict, match="run first at position 0"):
        log.append(draft(Change("t/t", "a", 3, None), run="late"), -1, at(EPOCH))
    assert log.last() == other.position == 1
    with pytest.raises(DatahubError, match="contradicts"):
        log.append(draft(Change("t/t", "a", 4, 5)), 1, at(EPOCH))


def test_append_of_a_draft_that_is_there_already_finds_it(tables: TableStore) -> None:
    """A run that does not know whether it appended appends again, from where it was: one entry, the same one."""
    log = CommitLog(tables)
    wanted = draft(Change("t/t", "a", 1, None), received=(Delivery("f/d", "n", "s", 1, EPOCH, (date(2013, 1, 2),)),))
    first = log.append(wanted, -1, at(EPOCH))
    log.append(draft(Change("t/t", "b", 2, None), run="other"), 0, at(EPOCH))
    assert CommitLog(tables).append(wanted, -1, at(LATER)) == first
    assert log.last() == 1


@pytest.mark.parametrize("lost", [1, 3])
def test_append_whose_answer_is_lost_is_found_to_be_there(tables: TableStore, lost: int) -> None:
    """The put was done and the store did not say so: the slot is read back, the entry is in the log once."""
    log = CommitLog(LosesAnswers(tables, lost))
    entries = [log.append(draft(Change("t/t", "a", i + 1, i or None), run=f"{i}"), i - 1, at(EPOCH)) for i in range(4)]
    assert list(CommitLog(tables).entries()) == entries
    assert log.change("t/t", "a", 3) == (3, entries[3].changes[0])


def test_append_whose_request_is_lost_is_told_so_and_may_be_done_again(tables: TableStore) -> None:
    """Nothing is in the slot: unavailable, a retry helps, and the same draft then goes in."""
    log = CommitLog(LosesRequests(tables))
    with pytest.raises(StoreUnavailable):
        log.append(draft(Change("t/t", "a", 1, None)), -1, at(EPOCH))
    assert log.last() == -1
    assert log.append(draft(Change("t/t", "a", 1, None)), -1, at(EPOCH)).position == 0


@pytest.mark.parametrize(("partition", "position"), [("b", 1), ("a", None)])
def test_append_goes_on_when_its_request_is_lost_and_another_took_the_slot(
    tables: TableStore, partition: str, position: int | None
) -> None:
    """The slot holds another's entry, so the put was not done: read on, check again, append or conflict."""
    theirs = draft(Change("t/t", partition, 1, None), run="theirs")
    log = CommitLog(LosesRequests(tables, lambda: CommitLog(tables).append(theirs, -1, at(EPOCH))))
    mine = draft(Change("t/t", "a", 2, None))
    if position is None:
        with pytest.raises(StoreConflict):
            log.append(mine, -1, at(EPOCH))
    else:
        assert log.append(mine, -1, at(EPOCH)).position == position
    assert [entry.run_id for entry in CommitLog(tables).entries()] == ["theirs", "mine"][: 1 + (position or 0)]


def test_append_tells_its_copy_of_each_entry_before_it_returns(tables: TableStore) -> None:
    """The vault's copy; also for an entry that turns out to be there already, whose copy may be missing."""
    copied: list[Entry] = []
    log = CommitLog(tables, copied.append)
    first = log.append(draft(), -1, at(EPOCH))
    assert log.append(draft(), -1, at(EPOCH)) == first
    assert copied == [first, first]


# -- many writers and readers ------------------------------------------------------------------------------------------


def require_total_order(entries: list[Entry]) -> None:
    """Positions without gaps, known times that grow, each run once, each change on top of what stood."""
    assert [entry.position for entry in entries] == list(range(len(entries)))
    assert all(one.known_at < two.known_at for one, two in pairwise(entries))
    assert len({entry.run_id for entry in entries}) == len(entries)
    standing: dict[tuple[str, str | None], int] = {}
    for entry in entries:
        for change in entry.changes:
            assert standing.get((change.dataset, change.partition)) == change.base
            standing[change.dataset, change.partition] = change.write_id


def test_log_of_many_processes_and_threads_is_a_total_order(tables_at: TablesAt) -> None:
    """Three processes and four threads commit to the same partitions: nothing is lost, nothing is there twice."""
    said = in_processes(commit_often, [(tables_at, f"p{n}", ["a", "b"], 10) for n in range(3)])
    log = CommitLog(tables_at.open())
    said += in_threads(
        lambda n: [commit(log, f"t{n}-{i}", "t/t", "ab"[i % 2]).position for i in range(5)], [(n,) for n in range(4)]
    )
    entries = list(log.entries())
    require_total_order(entries)
    assert sorted(position for positions in said for position in positions) == list(range(50))


def test_answers_never_change_while_writers_work_and_are_stopped(tables_at: TablesAt) -> None:
    """Readers ask for two seconds while writers commit; one of these is stopped at odd moments and woken again.

    A reader's every answer, also one at an old position or given while the writer slept, is that of the final log.
    """
    rng = random.Random(1)
    with (
        child(commit_for_ever, tables_at, "w0", ["a", "b", "c"]) as stopped,
        child(commit_for_ever, tables_at, "w1", ["a", "b"]) as other,
        child(read_for_ever, tables_at) as reader,
    ):
        mine, answers = CommitLog(tables_at.open()), list[tuple[int, dict[str | None, tuple[int, int]]]]()
        processes = {"stopped": stopped, "other": other, "reader": reader}
        said: dict[str, list[Any]] = {
            name: [process.receive()] for name, process in processes.items()
        }  # all are at work
        until = time.monotonic() + 2

        def stop_and_wake() -> None:
            while time.monotonic() < until:
                for number in (signal.SIGSTOP, signal.SIGCONT):
                    stopped.signal(number)
                    time.sleep(rng.random() * 0.15)

        def read() -> None:
            while time.monotonic() < until:
                position = mine.last()
                answers.append((position, write_ids(mine, position)))

        in_threads(lambda task: task(), [(stop_and_wake,), (read,)])
        for process in (stopped, other, reader):
            process.send("stop")
        for name, process in processes.items():
            while (message := process.receive()) != "stopped":
                said[name].append(message)
    entries = list(mine.entries())
    require_total_order(entries)
    assert sorted(said["stopped"] + said["other"]) == list(range(len(entries)))
    oracle = state_of(entries)
    expected = [
        {p: (at, change.write_id) for p, (at, change) in oracle.changes("t/t", n).items()}
        for n in range(-1, len(entries))
    ]
    assert said["stopped"]
    assert len(said["reader"]) > 2
    assert all(answer == expected[position + 1] for position, answer in answers + said["reader"])


def test_writer_that_slept_through_its_successor_is_refused(tables_at: TablesAt) -> None:
    """Stopped before its append and woken after another's: a conflict, and nothing that anyone reads has changed."""
    log = CommitLog(tables_at.open())
    commit(log, "before", "t/t", "a")
    before = write_ids(log, 0)
    with child(commit_when_woken, tables_at, "a") as sleeper:
        assert sleeper.receive() == "asleep"
        assert write_ids(log, log.last()) == before
        commit(log, "successor", "t/t", "a")
        after = write_ids(log, 1)
        sleeper.signal(signal.SIGCONT)
        assert isinstance(sleeper.receive(), StoreConflict)
    assert [entry.run_id for entry in log.entries()] == ["before", "successor"]
    for reader in (log, CommitLog(tables_at.open())):
        assert (write_ids(reader, 0), write_ids(reader, 1)) == (before, after)


def test_writer_that_sleeps_after_its_put_has_committed(tables_at: TablesAt) -> None:
    """The entry is true from its put on: others read it and go on, and the sleeper's late indexing changes no answer."""
    log = CommitLog(tables_at.open())
    commit(log, "before", "t/t", "a")
    with child(commit_and_signal, tables_at, "a", signal.SIGSTOP) as sleeper:
        assert sleeper.receive() == "appending"
        while log.last() < 1:
            time.sleep(0.01)
        during = [write_ids(log, n) for n in (0, 1)]
        for i in range(5):
            commit(log, f"after-{i}", "t/t", "a")
        full = write_ids(log, 6)
        sleeper.signal(signal.SIGCONT)
        assert sleeper.receive() == 1
    for reader in (log, CommitLog(tables_at.open())):
        assert reader.last() == 6
        assert [write_ids(reader, n) for n in (0, 1)] == during
        assert write_ids(reader, 6) == full


def test_reader_does_not_wait_for_a_writer_that_sleeps_while_it_writes(tables_at: TablesAt) -> None:
    """A process is stopped in the middle of indexing, with whatever lock that is: readers answer at once, with its entry."""
    log = CommitLog(tables_at.open())
    commit(log, "before", "t/t", "a")
    with child(commit_and_sleep_indexing, tables_at, "a") as sleeper:
        assert sleeper.receive() == "appending"
        reader, until = CommitLog(tables_at.open()), time.monotonic() + 30
        while reader.last() < 1 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.2)  # by now it sleeps
        started = time.monotonic()
        for asked in (reader, CommitLog(tables_at.open())):
            assert write_ids(asked, 1) == {"a": (1, 2)}
            assert asked.position_at(now()) == 1
        assert time.monotonic() - started < 5
        sleeper.signal(signal.SIGCONT)
        assert sleeper.receive() == 1
    assert write_ids(CommitLog(tables_at.open()), 1) == {"a": (1, 2)}


def test_reader_writes_nothing(tables: TableStore) -> None:
    """Also where the index lags behind the log, and where there is none: reading needs no right to write."""
    log = CommitLog(tables)
    entries = [log.append(draft(Change("t/t", "a", i + 1, i or None), run=f"{i}"), i - 1, at(EPOCH)) for i in range(3)]
    tables.drop(INDEX)
    counted = Counts(tables)
    reader = CommitLog(counted)
    assert told(reader, 2) == told(state_of(entries), 2)
    assert reader.position_at(LATER) == 2
    assert counted.writes == 0
    assert log.catch_up_index() == 3
    assert told(CommitLog(tables), 2) == told(reader, 2)


def test_append_stands_when_the_index_does_not_answer(tables: TableStore) -> None:
    """The entry is true from its put on; the index is caught up by whoever comes next."""
    log = CommitLog(NoIndex(tables))
    entries = [log.append(draft(Change("t/t", "a", i + 1, i or None), run=f"{i}"), i - 1, at(EPOCH)) for i in range(2)]
    for reader in (log, CommitLog(tables)):
        assert told(reader, 1) == told(state_of(entries), 1)
    CommitLog(tables).append(draft(run="next"), 1, at(EPOCH))
    assert told(CommitLog(tables), 1) == told(state_of(entries), 1)


def test_tail_in_memory_stays_short(tables: TableStore) -> None:
    """A process that reads for weeks does not hold the log: what the index has by then is asked of the index."""
    reader, writer = CommitLog(tables), CommitLog(tables)
    reader.last()
    entries = history_of(2 * MAX_TAIL + 10)
    for part in (entries[: MAX_TAIL + 5], entries[: 2 * MAX_TAIL], entries):
        writer.restore(part)
        assert reader.last() == part[-1].position
        assert told(reader, part[-1].position) == told(state_of(part), part[-1].position)
    assert len(reader._reach(0).known_times) <= MAX_TAIL


def test_log_is_asked_by_many_threads_while_it_grows(tables_at: TablesAt) -> None:
    """One open log serves all threads of a process: no question fails, and each position answers the same in all of them."""
    log, writer, done = CommitLog(tables_at.open()), CommitLog(tables_at.open()), list[int]()
    answers: dict[int, dict[str | None, tuple[int, int]]] = {}

    def read() -> int:
        asked = 0
        while not done:
            position = log.last()
            assert answers.setdefault(position, write_ids(log, position)) == write_ids(log, position)
            log.cuts(), log.deliveries("t/t", position), log.delivered_dates("t/t", position)
            asked += 1
        return asked

    def append() -> int:
        for i in range(30):
            commit(writer, f"run-{i}", "t/t", f"p{i}")
        done.append(1)
        return 30

    assert all(in_threads(lambda task: task(), [(read,), (read,), (read,), (append,)]))
    oracle = state_of(log.entries())
    for position, answer in answers.items():
        assert answer == {p: (at, change.write_id) for p, (at, change) in oracle.changes("t/t", position).items()}


def test_writer_that_is_killed_after_its_put_has_committed(tables_at: TablesAt) -> None:
    """Nobody has indexed its entry: whoever comes next does, and the next position follows."""
    log = CommitLog(tables_at.open())
    commit(log, "before", "t/t", "a")
    with child(commit_and_signal, tables_at, "a", signal.SIGKILL) as killed:
        assert killed.ended() == -signal.SIGKILL
    assert in_processes(state_elsewhere, [(tables_at, 1)]) == [(1, {"a": (1, 2)})]
    assert commit(log, "next", "t/t", "a").position == 2
    require_total_order(list(log.entries()))


# -- contracts, counters, restore and the copy ----------------------------------------------------------------------------


def contract(version: int, *names: str) -> Contract:
    """A contract with text columns."""
    columns = tuple(Column(i, name, LogicalType.parse("text")) for i, name in enumerate(("k", *names), start=1))
    return Contract("t/t", version, Shape.SNAPSHOT, columns, ("k",))


def test_contracts_are_kept_by_version_and_never_replaced(tables: TableStore) -> None:
    """Rows are decoded with the contract that wrote them: the same again is nothing, another one is a conflict."""
    log = CommitLog(tables)
    versions = [contract(n, *"abcdefghijkl"[:n]) for n in range(1, 12)]
    for each in reversed(versions):
        log.put_contract(each)
        log.put_contract(each)
    assert log.contracts("t/t") == CommitLog(tables).contracts("t/t") == versions
    assert log.contracts("t/") == log.contracts("t/t2") == []
    with pytest.raises(StoreConflict, match="version 2"):
        log.put_contract(contract(2, "other"))


def test_counters_count_each_for_itself(tables_at: TablesAt) -> None:
    """Any log on the same tables draws from them; entries and contracts beside them are not in the way."""
    one, two = CommitLog(tables_at.open()), CommitLog(tables_at.open())
    one.append(draft(), -1, at(EPOCH))
    assert [log.draw("a") for log in (one, two, one)] == [1, 2, 3]
    assert two.draw("b") == 1
    assert one.last() == 0


@few
@given(logs())
def test_log_restored_into_an_empty_hub_is_equal(emptied: Emptied, entries: list[Entry]) -> None:
    """Positions, known times, answers: a rebuild gives the hub that was; doing it again changes nothing."""
    one = CommitLog(emptied(0).open())
    one.restore(entries)
    two = CommitLog(emptied(1).open())
    for _ in range(2):
        assert two.restore(one.entries()) == len(entries)
    assert list(two.entries()) == entries
    assert told(two, len(entries)) == told(one, len(entries))
    for name in DATASETS:
        used = {change.write_id for entry in entries for change in entry.changes if change.dataset == name}
        drawn = two.draw(write_id_counter(name))
        assert all(drawn > write_id for write_id in used)


def test_restore_reserves_write_ids_where_some_were_drawn(tables: TableStore) -> None:
    """Also in a hub that a first try of the rebuild has drawn from: no T of the log comes again."""
    log = CommitLog(tables)
    drawn = log.draw(write_id_counter("t/t"))
    log.restore([replace(draft(Change("t/t", "a", 5, None)), position=0)])
    assert drawn < 5 < log.draw(write_id_counter("t/t"))


def test_restore_refuses_a_hub_with_another_log(tables: TableStore) -> None:
    """Two histories in one log would be neither."""
    log = CommitLog(tables)
    mine = log.append(draft(), -1, at(EPOCH))
    with pytest.raises(StoreConflict, match="entry 0"):
        log.restore([replace(mine, run_id="other")])
    assert log.restore([mine]) == 1


@pytest.mark.parametrize("before", range(4))
def test_vaults_copy_is_complete_after_the_next_append_when_a_writer_died_copying(
    tables_at: TablesAt, files_at: FilesAt, before: int
) -> None:
    """Killed in place of each file that its copy publishes (two receipts, the entry) and right after: nothing is lacking.

    Two writers die one after the other, so that more than one copy is missing.
    """
    log, vault = CommitLog(tables_at.open()), Vault(files_at.open())
    for n in range(2):
        received = tuple(Delivery("f/d", f"{n}{i}", f"{n}{i}", 1, EPOCH, (DAY_ONE,)) for i in range(2))
        with child(append_and_die, tables_at, files_at, draft(run=f"died {n}", received=received), before) as writer:
            assert writer.ended() == (0 if before == 3 else -signal.SIGKILL)
    copying = CommitLog(tables_at.open(), lambda entry: vault.copy_log(entry, log.entry))
    copying.append(draft(run="next"), 1, now)
    entries = list(log.entries())
    assert [entry.run_id for entry in entries] == ["died 0", "died 1", "next"]
    assert list(vault.copied_entries()) == entries
    assert len(list(vault.files.list("vault/receipts/f/d"))) == 4


# -- cost --------------------------------------------------------------------------------------------------------------


def history_of(count: int) -> list[Entry]:
    """A log in which 20 partitions are committed to again and again."""
    return [
        Entry(
            EPOCH + timedelta(seconds=i), "ann", f"{i}", position=i,
            changes=(Change("t/t", f"p{i % 20:02d}", i + 1, i - 19 if i >= 20 else None),),
        )
        for i in range(count)
    ]  # fmt: skip


def test_questions_cost_the_same_however_long_the_log(new_tables: NewTables) -> None:
    """Counted in calls and rows of the store: opening, the end, one scope, a known time, an append."""
    questions: list[Callable[[CommitLog], object]] = [
        lambda log: log.last(), lambda log: log.last(), lambda log: log.change("t/t", "p03", 30),
        lambda log: log.change("t/t", "p03", log.last()), lambda log: log.position_at(EPOCH + timedelta(seconds=30)),
        lambda log: log.position_at(LATER), lambda log: log.cuts(), lambda log: log.append(draft(), log.last(), at(EPOCH)),
    ]  # fmt: skip
    costs = []
    for count in (40, 600):
        tables = new_tables().open()
        CommitLog(tables).restore(history_of(count))
        counted, cost = Counts(tables), []
        log = CommitLog(counted)
        for question in questions:
            counted.calls = counted.rows = 0
            question(log)
            cost.append((counted.calls, counted.rows))
        costs.append(cost)
    assert costs[0] == costs[1]
    assert max(rows for _, rows in costs[1]) < 10
