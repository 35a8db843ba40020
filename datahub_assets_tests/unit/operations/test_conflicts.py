"""Several processes on one hub: who commits second redoes the work, readers see one state each, and a sleeper does no harm."""

import signal
from datetime import timedelta
from pathlib import Path

from datahub_assets.operations.follow import catch_up
from datahub_assets.operations.maintain import maintain_all
from datahub_assets.operations.sweep import dead
from datahub_assets_tests.contracts.processes import child, in_processes
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    NOON,
    PRICES,
    RETURNS,
    D,
    done,
    instruments,
    land,
    open_hub,
    prices,
    rows,
    small_hub,
)
from datahub_assets_tests.unit.operations.writers import (
    catch_up_again_and_again,
    read_again_and_again,
    structure_and_sleep,
)


def test_two_writers_on_one_hub_leave_what_one_would(tmp_path: Path) -> None:
    """Two processes catch up at once, with corrections arriving: each delivery is received once and in the table once,
    no conflict is left as an error, and extracts follow.
    """
    hub = small_hub(tmp_path)
    for number in range(4):
        day = D[number % 2]
        land(hub, PRICES, day, prices(day, A=number + 1), at=NOON - timedelta(minutes=9 - number))
        land(hub, INSTRUMENTS, D[number], instruments(A=f"Name{number} EUR"))
        errors = in_processes(catch_up_again_and_again, [(tmp_path, f"{number}-{n}") for n in range(2)])
        assert errors == [[], []]
    assert done(hub) == []
    assert [row[2] for row in rows(hub, PRICES)] == [3, 4]
    assert [row[2] for row in rows(hub, RETURNS)] == [3, 4]
    assert [row[1] for row in rows(hub, INSTRUMENTS)] == [f"Name{number}" for number in range(4)]
    position = hub.log.last()
    assert len(hub.log.deliveries(PRICES, position)) == 4
    for dataset in (PRICES, INSTRUMENTS):
        folded = [change.deliveries for _, change in hub.log.all_changes(dataset, position)]
        assert len(folded) == len(set(folded)), "no delivery was committed twice"


def test_writer_that_sleeps_before_its_commit_changes_no_answer(tmp_path: Path) -> None:
    """Its rows are in the table and no entry names them. Readers before, during and after see what the log says; another
    writer commits meanwhile; woken, it finds that and redoes its work; what it wrote for nothing is removed.
    """
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    before = {at: rows(hub, PRICES, at) for at in range(hub.log.last() + 1)}
    land(hub, PRICES, D[0], prices(D[0], A=2), at=NOON + timedelta(minutes=1))
    with child(structure_and_sleep, tmp_path, "sleeper") as sleeper, child(read_again_and_again, tmp_path) as reader:
        assert sleeper.receive() == "rows written"
        assert reader.receive() is not None
        asleep = {at: rows(hub, PRICES, at) for at in range(hub.log.last() + 1)}
        assert {at: asleep[at] for at in before} == before
        assert [row[2] for row in rows(hub, PRICES)] == [1]
        land(hub, PRICES, D[0], prices(D[0], A=3), at=NOON + timedelta(minutes=2))
        assert not [step.error for step in catch_up(open_hub(tmp_path, "other")) if step.error]
        during = {at: rows(hub, PRICES, at) for at in range(hub.log.last() + 1)}
        sleeper.signal(signal.SIGCONT)
        assert sleeper.receive() == []
        reader.send("stop")
        answers: dict[int, list[object]] = {}
        while (told := reader.receive()) != "stopped":
            answers.setdefault(told[0], []).append(told[1])
    after = {at: rows(open_hub(tmp_path), PRICES, at) for at in range(hub.log.last() + 1)}
    assert {at: after[at] for at in during} == during
    assert [row[2] for row in rows(hub, PRICES)] == [3]
    assert all(each == after[position] for position, told in answers.items() for each in told)
    assert list(dead(hub, PRICES, 0, [])), "the sleeper's first rows, which no entry names"
    list(maintain_all(hub))
    assert list(dead(hub, PRICES, 0, [])) == []
    assert {at: rows(hub, PRICES, at) for at in after} == after
