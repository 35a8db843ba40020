"""Maintenance removes only what nobody can read, and may be killed and run again at any time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pytest

from datahub_assets.operations.cuts import create_cut
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.maintain import Done, Expiring, compact, expiring, maintain_all
from datahub_assets.operations.project import project
from datahub_assets.operations.reconcile import reconcile
from datahub_assets.operations.stale import stale_extract
from datahub_assets.operations.sweep import dead
from datahub_assets.stores.tables.interface import Rows
from datahub_assets.stores.vault import log_path
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES
from datahub_assets_tests.unit.operations.story import REPORT, answers, arrives, noon, rows, stored_bytes


def _run(hub: Hub, plan: Sequence[Expiring] = ()) -> list[Done]:
    done = [one for one in maintain_all(hub, plan) if one.count]
    assert [one.what for one in done if one.task == "failed"] == []
    return done


def _orphan(hub: Hub, dataset: str, partition: str | None, write_id: int) -> None:
    """Rows of a commit are laid down once more, under another write id that no entry names."""
    contract = hub.contract(dataset)
    change = next(c for _, c in hub.log.all_changes(dataset, hub.log.last()) if c.partition == partition)
    if partition is None:
        table = next(hub.structured.versions(contract)).drop_columns(["_write_id"])
    else:
        table = next(hub.structured.read(contract, partition, change.write_id))
    hub.structured.write(contract, [(partition, table)], write_id)


def test_maintain_removes_orphans_older_than_their_scope(story: Hub) -> None:
    """Rows under an unnamed write id go once their partition or dataset has a newer commit: none can ever name them."""
    before, said = stored_bytes(story), answers(story)
    _orphan(story, PRICES, "2024-01-02", 2)  # the write id of another partition, between 1 and 3
    removed = [one.remove() for one in dead(story, PRICES, 0, [])]
    assert removed == [2]
    assert stored_bytes(story) == before
    assert answers(story) == said


@pytest.mark.parametrize(
    ("dataset", "partition"), [(PRICES, "2024-01-02"), (PRICES, "2024-02-01"), (INSTRUMENTS, None)]
)
def test_maintain_leaves_what_a_running_writer_may_still_commit(
    story: Hub, dataset: str, partition: str | None
) -> None:
    """Rows under a write id newer than all that is committed may be named any moment, so they stay."""
    if partition == "2024-02-01":
        story.structured.write(story.contract(PRICES), [(partition, _rows_of(story, date(2024, 2, 1)))], 99)
    else:
        _orphan(story, dataset, partition, 99)
    assert list(dead(story, dataset, 0, [])) == []


def _rows_of(hub: Hub, day: date) -> pa.Table:
    table = next(hub.structured.read(hub.contract(PRICES), "2024-01-03", 2))
    return table.set_column(0, table.schema.field("business_date"), pa.array([day] * len(table), pa.date32()))


def test_maintain_removes_bitemporal_orphans_after_a_newer_commit(story: Hub) -> None:
    """A bitemporal dataset is one scope: its orphans go with its next commit, row by row."""
    _orphan(story, INSTRUMENTS, None, story.log.draw(f"write_id {INSTRUMENTS}"))
    assert list(dead(story, INSTRUMENTS, 0, [])) == []
    said = answers(story)
    arrives(story, INSTRUMENTS, "2024-01-09", A="AlphaHolding", B="Beta", C="Gamma")
    assert sum(one.remove() for one in dead(story, INSTRUMENTS, 0, [])) > 0
    assert answers(story, range(16)) == said


def test_maintain_lets_superseded_versions_go_after_their_time(story: Hub) -> None:
    """Answers since the floor stay as they were; below it readers are refused instead of being told something wrong."""
    later = story.at(noon("2024-01-15"))  # ten days of retention: the state of January 5 at noon stays
    said = answers(later)
    plan = expiring(later)
    floor = 11  # known at January 5, 12:00:00.000; the merge of that day came a millisecond after
    assert {each.dataset: each.before for each in plan} == dict.fromkeys((PRICES, REPORT), floor)
    _run(later, plan)
    after = answers(later, range(16))
    for (position, dataset), answer in said.items():
        kept = position >= floor or dataset == INSTRUMENTS
        assert after[position, dataset] == (answer if kept else "Versions no longer kept"), (position, dataset)
    assert not list(later.structured.read(later.contract(PRICES), "2024-01-02", 1))


def test_maintain_keeps_what_a_cut_needs(story: Hub) -> None:
    """A cut stays readable for good, whatever retention says."""
    create_cut(story, "eod", 4)
    later = story.at(noon("2024-06-01"))
    said = {dataset: rows(later, dataset, 4) for dataset in (PRICES, INSTRUMENTS, REPORT)}
    _run(later, expiring(later))
    assert {dataset: rows(later, dataset, 4) for dataset in said} == said
    assert answers(later, [9])[9, PRICES] == "Versions no longer kept"


def test_maintain_removes_superseded_bitemporal_versions(story: Hub) -> None:
    """Of each key and start the versions that no position above the floor reads go; what stands is as it was."""
    arrives(story, INSTRUMENTS, "2024-01-01", at="2024-01-09", A="Alfa", B="Beta")  # a correction: same keys and starts
    later = story.at(noon("2024-06-01"))
    before, newest = len(stored_bytes(later)["ref.instruments"]), rows(later, INSTRUMENTS)
    _run(later, expiring(later))
    assert len(stored_bytes(later)["ref.instruments"]) < before
    assert rows(later, INSTRUMENTS) == newest
    assert all(one.equal for one in reconcile(later, INSTRUMENTS, later.log.last()))


def test_maintain_finishes_what_a_killed_run_began(story: Hub) -> None:
    """Retention is told to the log before rows go; if the run dies in between, the next one removes them."""
    later = story.at(noon("2024-06-01"))
    tasks = maintain_all(later, expiring(later))
    while next(tasks).task != "retention":
        pass
    tasks.close()
    assert list(later.structured.read(later.contract(PRICES), "2024-01-02", 1))
    assert expiring(later) == []
    assert {one.task for one in _run(later)} == {"sweep"}
    assert not list(later.structured.read(later.contract(PRICES), "2024-01-02", 1))


def test_maintain_twice_does_nothing_the_second_time(story: Hub) -> None:
    """When all is well nothing is done and nothing is appended."""
    later = story.at(noon("2024-06-01"))
    _run(later, expiring(later))
    last, bytes_before = later.log.last(), stored_bytes(later)
    assert expiring(later) == []
    assert _run(later) == []
    assert later.log.last() == last
    assert stored_bytes(later) == bytes_before


def test_maintain_copies_log_entries_that_a_dead_writer_did_not(story: Hub) -> None:
    """The vault has the whole log after maintenance: nothing can be rebuilt without it."""
    for position in (14, 15):
        story.files.remove(log_path(position))
    assert [(one.task, one.count) for one in _run(story) if one.task == "log copy"] == [("log copy", 2)]
    assert [entry.position for entry in story.vault.copied_entries()] == list(range(16))


def _month(hub: Hub) -> Hub:
    """Ten days of January and one of February."""
    for number in range(10):
        day = (date(2024, 1, 10) + timedelta(number + number // 3 * 4)).isoformat()
        arrives(hub, PRICES, day, A=number + 1)
    arrives(hub, PRICES, "2024-02-15", A=9)
    return hub


def test_compaction_changes_files_and_no_answer(story: Hub) -> None:
    """Partitions of a past month lie in one file, every position answers as before, and nothing becomes stale."""
    hub = _month(story)
    said, files = answers(hub), len(list(hub.files.list(f"extracts/{REPORT}")))
    done = list(compact(hub, REPORT))
    assert [one.count for one in done] == [12]
    assert len(list(hub.files.list(f"extracts/{REPORT}"))) == files + 1
    assert rows(hub, REPORT) == said[hub.log.last() - 1, REPORT]
    assert answers(hub, range(hub.log.last())) == said
    assert stale_extract(hub, REPORT, hub.log.last()).days == ()
    assert all(one.equal for one in reconcile(hub, REPORT, hub.log.last()))
    assert list(compact(hub, REPORT)) == []


def test_compaction_leaves_a_correction_alone(story: Hub) -> None:
    """A partition corrected after compaction reads its own file, the others the compacted one."""
    hub = _month(story)
    list(compact(hub, REPORT))
    arrives(hub, PRICES, "2024-01-10", at="2024-02-20", A=77)
    found = {row["business_date"]: row["price"] for row in rows(hub, REPORT) if row["ticker"] == "A"}
    assert (found[date(2024, 1, 10)], found[date(2024, 1, 11)]) == (77, 2)
    assert [one.dataset for one in project(hub)] == [REPORT]


def test_retention_removes_extract_files_that_compaction_replaced(story: Hub) -> None:
    """Files go when no readable version names them; a compacted file stays while one of its partitions needs it."""
    hub = _month(story)
    list(compact(hub, REPORT))
    later = hub.at(noon("2025-06-01"))
    _run(later, expiring(later))
    kept = {file.path for _, change in later.log.changes(REPORT, later.log.last()).values() for file in change.files}
    assert set(later.files.list(f"extracts/{REPORT}")) == kept
    assert rows(later, REPORT)


def test_maintain_makes_the_index_anew(story: Hub) -> None:
    """With reindex the index says again what the log says, whatever was in it."""
    said = answers(story)
    story.tables.write("hub.index", [_wrong_index()])
    done = [one for one in maintain_all(story, reindex=True) if one.task == "index"]
    assert [one.count for one in done] == [16]
    assert answers(replace(story)) == said


def _wrong_index() -> Rows:
    key = b"i" + PRICES.encode() + b"\0" + b"2024-01-02\0" + b"\xff" * 12
    return Rows(pa.array([key], pa.binary()), pa.array([b"{}"], pa.binary()))
