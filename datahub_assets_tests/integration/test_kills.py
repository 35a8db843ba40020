"""SIGKILL at random points of vaulting, structuring, publishing and projecting: nothing is lost, nothing is seen half done.

``killed`` has the workers and their points, ``watched`` the reader and what is compared. ``make soak`` kills 1,000 times and
writes ``build/soak/kills.json``.
"""

import json
import platform
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from datahub_assets_tests.hubs import open_hub
from datahub_assets_tests.integration.killed import (
    PROJECTING,
    PUBLISHING,
    STRUCTURING,
    VAULTING,
    Workers,
    hub_with_deliveries,
    kills,
)
from datahub_assets_tests.integration.watched import Reader, holds

KILLS, SOAK_KILLS = 25, 1_000
CALLS_BETWEEN = 70
"""A worker lives for so many changing calls at most: a hub's work (about 350) takes about ten lives."""
RESULTS = Path(__file__).parents[2] / "build" / "soak" / "kills.json"


@dataclass
class Tally:
    """What was killed and read, over several hubs."""

    kills: int = 0
    hubs: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    how: Counter[str] = field(default_factory=Counter)
    positions_read: int = 0
    positions_read_again: int = 0
    projections_read: int = 0
    problems: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """A process that forks workers."""
    with Workers() as forking:
        yield forking


@pytest.fixture(scope="module")
def undisturbed(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a hub holds after one run that nobody disturbed."""
    home = tmp_path_factory.mktemp("undisturbed")
    hub_with_deliveries(home)
    assert workers.work(home, "undisturbed").done
    return holds(open_hub(home))


def kill_hubs(workers: Workers, undisturbed: dict[str, Any], folder: Path, wanted: int, tally: Tally) -> None:
    """Hubs are worked on and killed, until there were so many kills; each is compared with the undisturbed one."""
    for seed in count(1):
        if tally.kills >= wanted:
            return
        home = folder / f"hub-{seed}"
        hub_with_deliveries(home)
        with Reader(home) as reader:
            _work_and_kill(workers, home, random.Random(seed), wanted, tally)
            seen = reader.stop()
        tally.hubs += 1
        tally.positions_read += seen["positions"]
        tally.positions_read_again += seen["again"]
        tally.projections_read += seen["projections"]
        tally.problems += [f"hub {seed}: a reader saw: {problem}" for problem in seen["problems"]]
        found = holds(open_hub(home))
        tally.problems += [
            f"hub {seed}: other {name} than undisturbed" for name in undisturbed if found[name] != undisturbed[name]
        ]
        if seen["positions"] != len(undisturbed["log"]):
            tally.problems.append(f"hub {seed}: {seen['positions']} positions were seen")


def _work_and_kill(workers: Workers, home: Path, draw: random.Random, wanted: int, tally: Tally) -> None:
    for life, kill in enumerate(kills(draw, CALLS_BETWEEN)):
        ended = workers.work(home, f"life-{life}", kill if tally.kills < wanted else None)
        if ended.done:
            return
        tally.kills += 1
        tally.phases[ended.phase] += 1
        tally.how[kill.how] += 1


@pytest.mark.timeout(600)
def test_killed_hub_ends_as_an_undisturbed_one_and_readers_see_whole_commits_only(
    workers: Workers, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """A process may die at any moment. After a restart everything is there once: log with its known times, vault, rows at
    every position, rejects, extracts' files by their bytes, Iceberg tables. A reader meanwhile sees each position whole,
    and always the same. A kill that costs a figure, or shows half of one, would make every figure doubtful.
    """
    tally = Tally()
    kill_hubs(workers, undisturbed, tmp_path, KILLS, tally)
    assert tally.problems == []
    assert tally.kills == KILLS
    assert {VAULTING, STRUCTURING, PUBLISHING} <= set(tally.phases)  # projecting is short: a thousand kills meet it
    assert tally.positions_read_again
    assert tally.projections_read


@pytest.mark.soak
def test_thousand_kills_leave_no_trace(workers: Workers, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    """As above, a thousand times: rare moments (a kill within two lines) come up only in numbers."""
    tally, begun = Tally(), time.monotonic()
    try:
        kill_hubs(workers, undisturbed, tmp_path, SOAK_KILLS, tally)
    finally:
        facts = {"machine": platform.platform(), "seconds": round(time.monotonic() - begun), **vars(tally)}
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(facts, indent=1))
    assert tally.problems == []
    assert tally.kills == SOAK_KILLS
    assert set(tally.phases) == {VAULTING, STRUCTURING, PUBLISHING, PROJECTING}


def test_undisturbed_hub_has_taken_every_delivery(undisturbed: dict[str, Any]) -> None:
    """What killed hubs are compared with is itself the whole work: thirteen deliveries, one of them a repetition."""
    received = [delivery for entry in undisturbed["log"] for delivery in entry.received]
    assert len(received) == 13
    assert [delivery.name for delivery in received if delivery.repeats] == ["prices_20130103-again.csv"]
    assert undisturbed["landing"] == []
    assert undisturbed["log copy"] == undisturbed["log"]
    assert len(undisturbed["rejects"]) == 1
