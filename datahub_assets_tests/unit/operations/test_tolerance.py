"""How many rejects a delivery may have: both limits at their borders, each delivery for itself, and when reading ends."""

from pathlib import Path

import pytest

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.operations.rejects import ENOUGH
from datahub_assets.parsing.parse import BATCH_ROWS
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, D, done, land, prices, rows, small_hub, work

HEADER = "business_date,ticker,price,volume\n"


def lines(good: int, bad: int) -> str:
    """A file of so many rows that keep the contract, and so many that do not."""
    told = [f"{D[0]},{'ABCDEFGHIJ'[n % 10] * (n // 10 + 1)},1,100\n" for n in range(good)]
    return HEADER + "".join(told) + "".join(f"{D[0]},b{n},1,100\n" for n in range(bad))


@pytest.mark.parametrize(
    ("limit", "share", "good", "bad", "passes"),
    [
        (0, 1, 5, 0, True),
        (0, 1, 5, 1, False),
        (2, 1, 5, 2, True),
        (2, 1, 5, 3, False),
        (9, 0.1, 18, 2, True),
        (9, 0.1, 17, 2, False),
        (1, 0.1, 18, 2, False),
        (9, 0, 5, 1, False),
    ],
)
def test_delivery_is_taken_up_to_both_limits(
    tmp_path: Path, limit: int, share: float, good: int, bad: int, passes: bool
) -> None:
    """At the limit it is, one row or share beyond it is not; and one limit does not excuse the other."""
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"tolerance": {"rows": limit, "share": share}}})
    land(hub, PRICES, D[0], lines(good, bad))
    errors = [step.error for step in work(hub) if step.error]
    assert len(errors) == (0 if passes else 1)
    assert len(rows(hub, PRICES)) == (good if passes else 0)
    if not passes:
        assert f"got {bad} of {good + bad} rows" in str(errors[0])
        assert f"at most {limit} rows and {share:.1%}" in str(errors[0])


def test_tolerance_is_each_deliverys_own(tmp_path: Path) -> None:
    """A day that three files make, each with the one reject that it may have: it is taken, and all three are counted."""
    declared = {PRICES: {"feed": {"other_dates": "amend"}, "tolerance": {"rows": 1}}}
    hub = small_hub(tmp_path, PRICES, declared=declared)
    for number, day in enumerate(D[:3], start=1):
        land(hub, PRICES, day, prices([(D[0], {"ABC"[number - 1]: number}), (day, {"Z": number, "z": 0})]))
        done(hub)
    assert [row[1] for row in rows(hub, PRICES, None, D[0])] == ["A", "B", "C", "Z"]
    found = hub.log.change(PRICES, D[0].isoformat(), hub.log.last())
    assert found is not None
    assert (found[1].rejected, found[1].accepted, found[1].rows_read) == (3, 4, 7)
    land(hub, PRICES, D[3], prices([(D[0], {"A": 9}), (D[3], {"Z": 4, "y": 0, "z": 0})]))
    (error,) = [step.error for step in work(hub) if step.error]
    assert "prices_20130107.csv: got 2 of 4 rows" in str(error), "the file that is beyond it, and its own rows"


def test_file_far_beyond_tolerance_is_not_read_to_its_end(tmp_path: Path) -> None:
    """The verdict stands after the first batch: memory and time are spared, and what was read is kept to be shown."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, D[0], HEADER + f"{D[0]},b,1,1\n" * (3 * BATCH_ROWS))
    (error,) = [step.error for step in work(hub) if step.error]
    assert isinstance(error, DeliveryMalformed)
    assert error.got is not None
    assert "and reading stopped there" in error.got
    (path,) = hub.files.list("vault/rejects")
    assert ENOUGH < hub.vault.rejects(path).height < 3 * BATCH_ROWS
    assert rows(hub, PRICES) == []
    assert not list(hub.tables.scan("px.prices", b"", b"")), "nor is a row of it left in the table"


def test_file_is_read_to_its_end_when_the_tolerance_allows_it(tmp_path: Path) -> None:
    """Many rejects, and yet within what is declared."""
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"tolerance": {"rows": 200_000}}})
    land(hub, PRICES, D[0], HEADER + f"{D[0]},b,1,1\n" * (ENOUGH * 2) + f"{D[0]},A,1,100\n")
    done(hub)
    assert len(rows(hub, PRICES)) == 1


def test_bitemporal_delivery_beyond_tolerance_changes_nothing(tmp_path: Path) -> None:
    """And the one after it is merged."""
    hub = small_hub(tmp_path, INSTRUMENTS)
    land(hub, INSTRUMENTS, D[0], "ticker,name,currency\nA,Alpha,EUR\nB,,EUR\n")
    (error,) = [step.error for step in work(hub) if step.error]
    assert "got 1 of 2 rows (50.0%), expected at most 0 rows" in str(error)
    for day in D[1:3]:
        land(hub, INSTRUMENTS, day, f"ticker,name,currency\nA,Alpha {day},EUR\n")
    steps = work(hub)
    assert [step.days for step in steps if step.error] == [(D[0],)]
    assert sum(len(step.commit.changes) for step in steps if step.commit) == 2, (
        "the commits are told, and the refusal once"
    )
    assert [row[1] for row in rows(hub, INSTRUMENTS)] == [f"Alpha {day}" for day in D[1:3]]
