"""A contract that changes while the hub is in use: rows of before, rejects of before, extracts, history and the rebuild."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import key_history
from datahub_assets.operations.rebuild import rebuild
from datahub_assets.operations.reconcile import reconcile
from datahub_assets.operations.structure import structure
from datahub_assets.operations.structure_bitemporal import structure_bitemporal
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    NOON,
    PRICES,
    RETURNS,
    D,
    columns,
    done,
    instruments,
    land,
    merged,
    open_hub,
    prices,
    redeclared,
    rows,
    small_hub,
    write_declaration,
)
from datahub_assets_tests.unit.cli.conftest import Cli

NO_BETA = {"name": "name", "type": "text", "checks": {"one_of": ["Alpha", "Gamma"]}}
ANY_NAME = {"name": "name", "type": "text"}


def require_whole(hub: Hub, *datasets: str) -> None:
    """Files, tables and log agree; and the vault alone gives it all again."""
    for dataset in datasets:
        assert all(one.equal for one in reconcile(hub, dataset, hub.log.last())), dataset
    said = {(name, at): rows(hub, name, at) for name in datasets for at in range(hub.log.last() + 1)}
    hub.tables.close()  # type: ignore[attr-defined]  # embedded
    shutil.rmtree(hub.settings.tables)
    verdicts = [verdict for one in rebuild(open_hub(hub.settings.home)) for verdict in one.verdicts]
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    again = open_hub(hub.settings.home)
    assert {(name, at): rows(again, name, at) for name, at in said} == said


def test_contract_grows_while_rows_are_read_extracted_and_corrected(tmp_path: Path) -> None:
    """A column is added, one renamed and widened, one dropped: old partitions stay as they were written and are read under
    the newest contract, extracts follow their inputs, the history of a key goes through all versions, and nothing is lost.
    """
    hub = small_hub(tmp_path, PRICES, RETURNS)
    land(hub, PRICES, D[0], prices(D[0], A=1, B=2))
    done(hub)
    close = {"name": "close", "type": "decimal(28,6)", "source": "price", "aliases": ["price"], "checks": {"gt": 0}}
    venue = {"name": "venue", "type": "text", "nullable": True, "constant": "XPAR"}
    sql = "SELECT business_date, ticker, close, venue FROM px.prices WHERE business_date = CAST($business_date AS DATE)"
    write_declaration(
        tmp_path,
        merged(
            {"owners": ["team:tests"], "kind": "extract", "dataset": RETURNS, "title": "Returns", "key": ["ticker"]},
            {"partitions": {"calendar": "weekdays", "start": D[0]}, "sql": sql},
        ),
    )
    second = redeclared(hub, PRICES, columns=columns(PRICES, without=["price"], also=[close, venue]))
    land(second, PRICES, D[1], prices(D[1], A="3.141592"))
    done(second)
    third = redeclared(second, PRICES, columns=columns(PRICES, without=["price", "volume"], also=[close, venue]),
                       feed={"format": {"ignore": ["volume"]}})  # fmt: skip
    land(third, PRICES, D[0], prices(D[0], A="1.5", B=2), at=NOON + timedelta(minutes=1))
    done(third)
    assert [(row[0], row[1], float(row[2]), row[3]) for row in rows(third, PRICES)] == [
        (D[0], "A", 1.5, "XPAR"), (D[0], "B", 2.0, "XPAR"), (D[1], "A", 3.141592, "XPAR"),
    ]  # fmt: skip
    assert [row[3] for row in rows(third, RETURNS)] == ["XPAR"] * 3
    history = key_history(third, PRICES, ["A"], third.log.last(), D[0].isoformat())
    assert history.select("close", "venue").rows() == [(1, None), (history["close"][1], "XPAR")]
    assert [c.contract_version for _, c in third.log.history(PRICES, D[0].isoformat(), third.log.last())] == [1, 3]
    require_whole(third, PRICES)


def test_rejects_of_an_image_are_replayed_when_its_contract_is_relaxed(tmp_path: Path) -> None:
    """Reference data too: the rows that were rejected hold from their image's date until the next image, which a later one
    may have come before; known from the replay on; and once only.
    """
    declared = {INSTRUMENTS: {"columns": columns(INSTRUMENTS, also=[NO_BETA]), "tolerance": {"rows": 9}}}
    hub = small_hub(tmp_path, INSTRUMENTS, declared=declared)
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR", B="Beta EUR"))
    done(hub)
    land(hub, INSTRUMENTS, D[2], instruments(A="Gamma EUR"))
    done(hub)
    before = hub.log.last()
    assert structure_bitemporal(hub, INSTRUMENTS, [D[0]]).changes == (), "the same contract rejects the same rows"
    relaxed = redeclared(hub, INSTRUMENTS, columns=columns(INSTRUMENTS, also=[ANY_NAME]))
    (change,) = structure_bitemporal(relaxed, INSTRUMENTS, [D[0]]).changes
    assert (change.observed, change.rejected, change.added, change.contract_version) == (D[0], 0, 1, 2)
    assert [(row[0], row[3], row[4]) for row in rows(relaxed, INSTRUMENTS)] == [
        ("A", D[0], D[2]), ("A", D[2], None), ("B", D[0], D[2]),
    ]  # fmt: skip
    assert [row[0] for row in rows(relaxed, INSTRUMENTS, before)] == ["A", "A"]
    assert structure_bitemporal(relaxed, INSTRUMENTS, [D[0], D[2]]).changes == ()
    require_whole(relaxed, INSTRUMENTS)


def test_image_that_was_corrected_since_is_not_replayed(tmp_path: Path) -> None:
    """The correction says what holds, whatever the first file's rejects would say today."""
    declared = {INSTRUMENTS: {"columns": columns(INSTRUMENTS, also=[NO_BETA]), "tolerance": {"rows": 9}}}
    hub = small_hub(tmp_path, INSTRUMENTS, declared=declared)
    for names in ({"A": "Alpha EUR", "B": "Beta EUR"}, {"A": "Alpha EUR"}):
        land(hub, INSTRUMENTS, D[0], instruments(**names))
        done(hub)
    relaxed = redeclared(hub, INSTRUMENTS, columns=columns(INSTRUMENTS, also=[ANY_NAME]))
    assert structure_bitemporal(relaxed, INSTRUMENTS, [D[0]]).changes == ()


MEMBER = "index_name,ticker,valid_from,valid_to\n"
STRICT = {"name": "ticker", "type": "text", "checks": {"pattern": "[A-Z]+"}}


def members_hub(home: Path) -> Hub:
    """Members of an index, one of whose tickers breaks the contract."""
    declared: dict[str, Any] = {MEMBERS: {"columns": columns(MEMBERS, also=[STRICT]), "tolerance": {"rows": 1}}}
    hub = small_hub(home, MEMBERS, declared=declared)
    land(hub, MEMBERS, D[0], MEMBER + f"X,A,{D[0]},\nX,b,{D[0]},\n")
    done(hub)
    return hub


def test_rejects_of_the_newest_intervals_are_replayed(tmp_path: Path) -> None:
    """Nothing has been merged on top of them."""
    hub = members_hub(tmp_path)
    relaxed = redeclared(hub, MEMBERS, columns=columns(MEMBERS))
    (change,) = structure_bitemporal(relaxed, MEMBERS, [D[0]]).changes
    assert (change.added, change.rejected) == (1, 0)
    assert [row[1] for row in rows(relaxed, MEMBERS)] == ["A", "b"]
    require_whole(relaxed, MEMBERS)


def test_rejects_under_later_intervals_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """Merging the old file again would take the newer one back: said so, and nothing changes."""
    hub = members_hub(tmp_path)
    land(hub, MEMBERS, D[1], MEMBER + f"X,C,{D[0]},\n")
    done(hub)
    relaxed = redeclared(hub, MEMBERS, columns=columns(MEMBERS))
    last = relaxed.log.last()
    result = Cli(tmp_path)("rejects", "replay", MEMBERS)
    assert result.exit_code == 8
    assert "Ask for a corrected file and land it" in result.stderr.replace("\n", " ")
    assert relaxed.log.last() == last


def test_command_line_replays_images_and_tells_what_stands(tmp_path: Path) -> None:
    """Listed as standing before, as superseded after; a second try finds nothing to do."""
    declared = {INSTRUMENTS: {"columns": columns(INSTRUMENTS, also=[NO_BETA]), "tolerance": {"rows": 9}}}
    hub = small_hub(tmp_path, INSTRUMENTS, declared=declared)
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR", B="Beta EUR"))
    done(hub)
    cli = Cli(tmp_path)
    assert "standing" in cli.ok("rejects", "list").stdout
    redeclared(hub, INSTRUMENTS, columns=columns(INSTRUMENTS, also=[ANY_NAME]))
    cli.ok("rejects", "replay", INSTRUMENTS)
    assert "superseded" in cli.ok("rejects", "list").stdout
    assert "no rejects to replay" in cli.ok("rejects", "replay", INSTRUMENTS).stderr
    assert len(rows(open_hub(tmp_path), INSTRUMENTS)) == 2


@pytest.mark.parametrize("change", [{"type": "decimal(9,2)"}, {"type": "text"}, {"unit": "USD"}])
def test_change_that_old_rows_do_not_allow_stops_before_anything_is_written(
    tmp_path: Path, change: dict[str, str]
) -> None:
    """Fewer digits, another kind, another currency: a new column or dataset, not this one."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    price = {"name": "price", "type": "decimal(18,4)", "unit": "EUR", **change}
    wrong = redeclared(hub, PRICES, columns=columns(PRICES, also=[price]))
    with pytest.raises(Exception, match="Contract cannot change like this"):
        structure(wrong, PRICES, [D[0]])
    assert wrong.log.last() == hub.log.last()
    assert len(hub.log.contracts(PRICES)) == 1
