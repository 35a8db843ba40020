"""Runs of assets: one partition, a range with and without a hole, failures; Dagster records what the commit log says."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from datahub_assets.history.log import render_instant
from datahub_assets.stores.vault import log_path
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    PRICED_MEMBERS,
    PRICES,
    RETURNS,
    D,
    done,
    file_name,
    instruments,
    land,
    members,
    open_hub,
    prices,
    rows,
    small_hub,
)
from datahub_assets_tests.unit.orchestration.runs import (
    Dagster,
    dagster_of,
    failures,
    published,
    raw,
    retries,
    structured,
)


@pytest.fixture
def dagster(tmp_path: Path) -> Iterator[Dagster]:
    """The Dagster of a hub with every dataset of ``hubs``."""
    with dagster_of(small_hub(tmp_path, declared={PRICES: {"checks": {"row_count": {}}}})) as made:
        yield made


def require_agreement(dagster: Dagster, dataset: str) -> None:
    """Each partition's newest materialisation says of itself what the log says of the change that stands."""
    hub, key = dagster.hub, structured(dataset) if dataset in dagster.hub.catalogue.structured else published(dataset)
    for at, change in hub.log.changes(dataset, hub.log.last()).values():
        shown = dagster.records.metadata(key, change.partition or str(change.observed))
        told = {
            "position": at, "write id": change.write_id, "digest": change.digest, "accepted": change.accepted,
            "rejected": change.rejected, "rows read": change.rows_read, "added": change.added, "changed": change.changed,
            "removed": change.removed, "known at": render_instant(hub.log.entry(at).known_at),
            "contract version": change.contract_version,
        }  # fmt: skip
        assert {name: shown[name] for name in told} == told
        if change.partition:
            assert shown["dagster/partition_row_count"] == change.rows


def test_one_partition_is_received_structured_and_published(dagster: Dagster) -> None:
    """Three assets in one run; each says what the log says, and what a reader of the UI wants to see first."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1, B=2))
    result = dagster.run(raw(PRICES), structured(PRICES), published(RETURNS), day=D[0])
    assert result.success
    for key in (raw(PRICES), structured(PRICES), published(RETURNS)):
        assert dagster.records.materializations(key) == Counter([str(D[0])])
    require_agreement(dagster, PRICES)
    require_agreement(dagster, RETURNS)
    for name in ("contract", "row_count", "reconciliation", "completeness", "freshness"):
        assert dagster.records.unsettled(structured(PRICES), name) == [], f"{name} is shown as skipped"
    assert next(iter(dagster.records.checks(structured(PRICES), "completeness"))) == str(D[0]), "the whole comes last"
    shown = dagster.records.metadata(structured(PRICES), str(D[0]))
    assert shown["preview"].splitlines()[2] == "| 2013-01-02 | A | 1.0000 | 100 |"
    assert shown["rows by partition"].startswith("![rows by partition](data:image/svg+xml;base64,")
    assert shown["dagster/row_count"] == 2
    assert dagster.records.metadata(published(RETURNS), str(D[0]))["dagster/uri"].endswith(".parquet")
    assert file_name(dagster.hub, PRICES, D[0]) in dagster.records.metadata(raw(PRICES), str(D[0]))["deliveries"]


def test_run_again_changes_nothing(dagster: Dagster) -> None:
    """Whoever clicks twice has another run in the list and nothing else: no commit, no file."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1))
    for _ in range(2):
        assert dagster.run(raw(PRICES), structured(PRICES), published(RETURNS), day=D[0]).success
        last, files = dagster.hub.log.last(), list(dagster.hub.files.list(""))
    assert (dagster.hub.log.last(), list(dagster.hub.files.list(""))) == (last, files)
    assert last == 2


def test_run_again_copies_the_entry_whose_run_died_before_it_did(dagster: Dagster) -> None:
    """A run was killed between its commit and the commit's copy in the vault: the next try has nothing to do but that."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1))
    assert dagster.run(raw(PRICES), structured(PRICES), day=D[0]).success
    dagster.hub.files.remove(log_path(dagster.hub.log.last()))
    assert dagster.run(structured(PRICES), day=D[0]).success
    assert list(dagster.hub.vault.copied_entries()) == list(dagster.hub.log.entries())


def test_range_with_a_hole_names_the_file_that_is_missing_and_is_not_tried_again(dagster: Dagster) -> None:
    """A person is told which file is expected where; what is there is received and recorded, the hole is not."""
    for day in (D[0], D[2]):
        land(dagster.hub, PRICES, day, prices(day, A=1))
    result = dagster.run(raw(PRICES), structured(PRICES), days=(D[0], D[3]))
    assert not result.success
    assert retries(result) == 0
    ((text, facts),) = failures(result)
    folder = dagster.hub.settings.landing / "px"
    assert facts["expected"] == f"{folder / 'prices_20130103.csv'}, {folder / 'prices_20130107.csv'}"
    assert facts["where"] == "px/prices 2013-01-03, 2013-01-07"
    assert "[who acts: the provider]" in text
    assert dagster.records.materializations(raw(PRICES)) == Counter([str(D[0]), str(D[2])])
    assert dagster.records.materializations(structured(PRICES)) == Counter()


def test_hole_is_no_failure_for_a_sensors_run(dagster: Dagster) -> None:
    """Who waits for the provider need not be told that he waits: nothing is recorded, nothing is red."""
    result = dagster.run(raw(PRICES), structured(PRICES), day=D[0], trigger="landing")
    assert result.success
    assert dagster.records.materializations(raw(PRICES)) == Counter()


def test_range_has_its_checks_and_metadata_a_partition_apart(dagster: Dagster) -> None:
    """Of three days one has a reject, one a jump in rows: each check says so for that day alone."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1, B=2))
    land(dagster.hub, PRICES, D[1], prices(D[1], A=1, B=2, C=-3))
    land(dagster.hub, PRICES, D[2], prices(D[2], **dict.fromkeys("ABCDEFGH", 1)))
    assert dagster.run(raw(PRICES), structured(PRICES), published(RETURNS), days=(D[0], D[2])).success
    passed = {
        name: {day: found.passed for day, found in dagster.records.checks(structured(PRICES), name).items()}
        for name in ("contract", "row_count", "reconciliation", "completeness")
    }
    first, second, third = map(str, D[:3])
    assert passed == {
        "contract": {first: True, second: False, third: True},
        "row_count": {first: True, second: True, third: False},
        "reconciliation": {first: True, second: True, third: True},
        "completeness": {None: True},
    }
    broken = dagster.records.checks(structured(PRICES), "contract")[second]
    assert (broken.severity, broken.description) == ("WARN", "1 of 3 rows rejected, within tolerance")
    assert "| prices_20130103.csv | 4 | price | -3 | gt |" in broken.metadata["sample"]
    require_agreement(dagster, PRICES)
    require_agreement(dagster, RETURNS)
    assert [len(dagster.records.materializations(key)) for key in (raw(PRICES), structured(PRICES))] == [3, 3]


def test_range_with_a_file_that_is_refused_commits_the_others(dagster: Dagster) -> None:
    """The run is red and says which file; the days before and after it are there, recorded, and not tried again."""
    for day, price in zip(D[:3], (1, -1, 1), strict=True):
        land(dagster.hub, PRICES, day, prices(day, A=price, B=price))
    result = dagster.run(raw(PRICES), structured(PRICES), days=(D[0], D[2]))
    ((text, facts),) = failures(result)
    assert facts["error"] == "DeliveryMalformed"
    assert "prices_20130103.csv" in text
    assert retries(result) == 0
    assert dagster.records.materializations(structured(PRICES)) == Counter([str(D[0]), str(D[2])])
    assert {row[0] for row in rows(dagster.hub, PRICES)} == {D[0], D[2]}
    require_agreement(dagster, PRICES)


def test_file_that_cannot_be_read_at_all_fails_the_raw_asset(dagster: Dagster) -> None:
    """It is set aside, and the run that a sensor started for it is red with the reason: nobody has to look for it."""
    land(dagster.hub, PRICES, D[0], "no,such,fields\n1,2,3\n")
    result = dagster.run(raw(PRICES), structured(PRICES), day=D[0], trigger="landing")
    ((text, _),) = failures(result)
    assert "prices_20130102.csv" in text
    assert "field 'price' is missing" in text
    assert len(dagster.hub.vault.list_set_aside()) == 1


def breaks(rows: pl.DataFrame) -> bool:
    """A check of somebody's own, with a fault."""
    return bool(rows.height / 0)


def test_own_check_with_a_fault_is_told_and_undoes_nothing(tmp_path: Path) -> None:
    """The rows are committed and recorded; the check is red and says what went wrong in it."""
    reference = f"{__name__}:breaks"
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"checks": {"custom": [reference]}}})
    land(hub, PRICES, D[0], prices(D[0], A=1))
    with dagster_of(hub) as dagster:
        result = dagster.run(raw(PRICES), structured(PRICES), day=D[0])
        assert result.success
        assert retries(result) == 0
        found = dagster.records.checks(structured(PRICES), "breaks")[str(D[0])]
        assert (found.passed, found.severity) == (False, "ERROR")
        assert "ZeroDivisionError: division by zero" in found.description
        assert dagster.records.materializations(structured(PRICES)) == Counter([str(D[0])])


def test_bitemporal_commits_are_recorded_at_the_dates_they_observed(dagster: Dagster) -> None:
    """A run of one date merges what waits of others too: each is recorded where it belongs, as the log has it."""
    hub = dagster.hub
    for day, name in zip(D[:3], ("Alpha", "Beta", "Alpha"), strict=True):
        land(hub, INSTRUMENTS, day, instruments(A=f"{name} EUR"))
    assert dagster.run(raw(INSTRUMENTS), days=(D[0], D[2])).success
    assert dagster.run(structured(INSTRUMENTS), day=D[1]).success
    assert dagster.records.materializations(structured(INSTRUMENTS)) == Counter(map(str, D[:3]))
    for at, change in hub.log.all_changes(INSTRUMENTS, hub.log.last()):
        shown = dagster.records.metadata(structured(INSTRUMENTS), str(change.observed))
        assert (shown["position"], shown["write id"]) == (at, change.write_id)
        assert dagster.records.checks(structured(INSTRUMENTS), "reconciliation")[str(change.observed)].passed
    assert shown["dagster/row_count"] == len(rows(hub, INSTRUMENTS))


def test_extract_of_a_day_whose_inputs_are_missing_says_which(dagster: Dagster) -> None:
    """A person who asks for it is told; a sensor waits."""
    hub = dagster.hub
    land(hub, PRICES, D[0], prices(D[0], A=1))
    land(hub, MEMBERS, D[0], members(("A", D[0], None)))
    assert dagster.run(raw(PRICES), structured(PRICES), raw(MEMBERS), structured(MEMBERS), day=D[0]).success
    ((text, _),) = failures(dagster.run(published(PRICED_MEMBERS), day=D[0]))
    assert "expected ref/instruments. Structure them first" in text
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR"))
    assert dagster.run(raw(INSTRUMENTS), structured(INSTRUMENTS), published(PRICED_MEMBERS), day=D[0]).success
    assert rows(hub, PRICED_MEMBERS) == [(D[0], "X", "A", "Alpha", "EUR", 1)]


def test_what_the_command_line_committed_is_recorded_at_the_next_look(dagster: Dagster) -> None:
    """Dagster shows what the hub holds, whoever put it there; once, and not again."""
    hub = open_hub(dagster.hub.settings.home)
    for day in D[:2]:
        land(hub, PRICES, day, prices(day, A=1))
        land(hub, INSTRUMENTS, day, instruments(A=f"Alpha {day:%d}"))
    done(hub)
    for _ in range(2):
        assert dagster.run_job("judge").success
        for key in (raw(PRICES), structured(PRICES), published(RETURNS), raw(INSTRUMENTS), structured(INSTRUMENTS)):
            assert dagster.records.materializations(key) == Counter(map(str, D[:2])), key
    for dataset in (PRICES, RETURNS, INSTRUMENTS):
        require_agreement(dagster, dataset)
    land(hub, PRICES, D[0], prices(D[0], A=2), at=datetime(2013, 2, 1, tzinfo=UTC))
    done(hub)
    assert dagster.run_job("judge").success
    assert dagster.records.materializations(structured(PRICES))[str(D[0])] == 2
    require_agreement(dagster, PRICES)
