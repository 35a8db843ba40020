"""A rebuild from the vault alone gives the same log, the same rows and the same answers, or says what is different."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from datahub_assets.errors import DeclarationError, StoreCorrupt
from datahub_assets.operations.cuts import create_cut
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.maintain import compact, expiring, maintain_all
from datahub_assets.operations.rebuild import Verdict, rebuild, require_empty
from datahub_assets_tests import hubs
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, open_hub
from datahub_assets_tests.unit.operations.story import (
    REPORT,
    REPORT_DECLARED,
    answers,
    arrives,
    arrives_broken,
    noon,
    rows,
    stored_bytes,
)


def _lose_tables(hub: Hub) -> Hub:
    hub.tables.close()  # type: ignore[attr-defined]  # embedded
    shutil.rmtree(hub.settings.tables)
    return open_hub(hub.settings.home)


def _rebuilt(hub: Hub) -> tuple[Hub, list[Verdict]]:
    verdicts = [verdict for one in rebuild(hub) for verdict in one.verdicts]
    return open_hub(hub.settings.home), verdicts


def _data(hub: Hub) -> dict[str, list[tuple[bytes, bytes]]]:
    """Stored bytes, but for counters: a rebuild may leave gaps in them."""
    return {
        name: [(key, value) for key, value in found if not (name == "hub.log" and key.startswith(b"n"))]
        for name, found in stored_bytes(hub).items()
    }


def test_rebuild_gives_the_same_bytes(story: Hub) -> None:
    """Log, index, contracts and rows of both shapes are byte for byte what they were, at the same positions."""
    create_cut(story, "eod", 7)
    before, said = _data(story), answers(story)
    hub, verdicts = _rebuilt(_lose_tables(story))
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    assert len(verdicts) == 10
    assert _data(hub) == before
    assert answers(hub) == said


def test_rebuild_beside_leaves_the_tables_alone(story: Hub, tmp_path: Path) -> None:
    """Rebuilt into another folder, a hub in use is proved without being touched."""
    before = stored_bytes(story)
    other = Hub.open(story.settings.model_copy(update={"tables_folder": tmp_path / "proof"}))
    assert all(verdict.equal for one in rebuild(other) for verdict in one.verdicts)
    assert _data(Hub.open(other.settings)) == _data(story)
    assert stored_bytes(story) == before


def test_rebuild_needs_empty_tables_and_a_log(story: Hub) -> None:
    """Tables that are there are never written over; a vault without a log cannot be rebuilt from."""
    with pytest.raises(DeclarationError, match="Tables are there"):
        require_empty(story)
    hub = _lose_tables(story)
    assert require_empty(hub) == 16
    shutil.rmtree(Path(hub.files.location("vault/log")))
    with pytest.raises(StoreCorrupt, match="No log"):
        require_empty(hub)


def test_rebuild_that_was_killed_is_begun_again(story: Hub) -> None:
    """Until it is whole a rebuild is in a folder of its own: nobody reads half a hub."""
    said, hub = answers(story), _lose_tables(story)
    begun = rebuild(hub)
    for _ in range(5):
        next(begun)
    begun.close()
    assert require_empty(open_hub(hub.settings.home)) == 16
    hub, verdicts = _rebuilt(open_hub(hub.settings.home))
    assert all(verdict.equal for verdict in verdicts)
    assert answers(hub) == said


def test_rebuild_takes_deliveries_afterwards(story: Hub) -> None:
    """The rebuilt hub goes on: new write ids are above all that were ever drawn for what lies in the vault."""
    refused = arrives_broken(story, PRICES, "2024-01-09", A=-1, B=-1)
    assert any(step.error for step in refused)
    hub, _ = _rebuilt(_lose_tables(story))
    arrives_broken(hub, PRICES, "2024-01-09", at="2024-01-10", A=-2, B=-2)
    arrives(hub, PRICES, "2024-01-09", at="2024-01-11", A=1, B=2)
    assert len(rows(hub, PRICES, day="2024-01-09")) == 2


def test_rebuild_makes_missing_extract_files_again(story: Hub) -> None:
    """Extracts that were lost come back with the same bytes, from the inputs they had: superseded ones and compacted ones too."""
    for day in range(8, 20):
        if date(2024, 1, day).weekday() < 5:
            arrives(story, PRICES, f"2024-01-{day:02d}", A=day)
    arrives(story, INSTRUMENTS, "2024-01-22", A="Omega")
    arrives(story, PRICES, "2024-02-01", A=1)
    assert list(compact(story, REPORT))
    said = answers(story)
    hub = _lose_tables(story)
    shutil.rmtree(Path(hub.files.location(f"extracts/{REPORT}")))
    hub, verdicts = _rebuilt(hub)
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    assert answers(hub) == said


def test_rebuild_after_retention_makes_only_what_is_readable(story: Hub) -> None:
    """Versions that retention let go are not made again, and the answers are those from before."""
    later = story.at(noon("2024-06-01"))
    list(maintain_all(later, expiring(later)))
    said, hub = answers(later), _lose_tables(later)
    hub, verdicts = _rebuilt(hub)
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    assert answers(hub.at(noon("2024-06-01"))) == said
    assert not list(hub.structured.read(hub.contract(PRICES), "2024-01-02", 1))


def test_rebuild_parses_each_delivery_as_it_was_declared_then(story: Hub) -> None:
    """The provider's columns have other names today, and another delimiter: old files are read as they were received."""
    said = answers(story)
    price = {"name": "price", "type": "decimal(18,4)", "unit": "EUR", "source": "other"}
    other = {"columns": hubs.columns(PRICES, also=[price]), "feed": {"format": {"delimiter": ";"}}}
    hubs.redeclared(story, PRICES, **other)
    hub, verdicts = _rebuilt(_lose_tables(story))
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    assert answers(hub) == said


def test_rebuild_says_what_cannot_be_the_same(story: Hub) -> None:
    """Bytes of the vault that were changed: each change is told with its reason, and the others are made again."""
    delivery = story.log.deliveries(PRICES, story.log.last(), date(2024, 1, 3))[0]
    path = story.settings.home / "root/vault/deliveries" / PRICES / delivery.sha256
    path.write_text(path.read_text().replace("1.6", "1.7"))
    _, verdicts = _rebuilt(_lose_tables(story))
    different = {verdict.partition: verdict.why for verdict in verdicts if verdict.dataset == PRICES and verdict.why}
    assert set(different) == {"2024-01-03"}
    assert "another digest" in different["2024-01-03"]


def test_rebuild_of_a_date_that_no_delivery_tells_any_more_is_empty(tmp_path: Path) -> None:
    """A correction took it back: there is nothing to be made again, and nothing is different."""
    hub, d = hubs.small_hub(tmp_path / "hub", hubs.PRICES), hubs.D
    for told in ([(d[0], {"A": 1}), (d[1], {"A": 2})], [(d[1], {"A": 3})]):
        hubs.land(hub, hubs.PRICES, d[1], hubs.prices(told))
        hubs.done(hub)
    before = _data(hub)
    verdicts = [verdict for one in rebuild(_lose(hub)) for verdict in one.verdicts]
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    assert _data(hubs.open_hub(hub.settings.home)) == before


def test_rebuild_says_which_extract_is_damaged(story: Hub) -> None:
    """A damaged file is told and left alone; a missing one is made again by the SQL of then, whatever it is now."""
    changes = story.log.changes(REPORT, story.log.last())
    first, second = (Path(story.files.location(change.files[0].path)) for _, change in changes.values())
    first.write_bytes(b"damaged")
    bytes_before = second.read_bytes()
    second.unlink()
    sql = REPORT_DECLARED["sql"].replace("SELECT p.business_date", "SELECT DISTINCT p.business_date")
    hubs.write_declaration(story.settings.home, {**REPORT_DECLARED, "sql": sql})
    _, verdicts = _rebuilt(_lose_tables(story))
    different = {verdict.partition: verdict.why for verdict in verdicts if not verdict.equal}
    assert list(different) == ["2024-01-02"]
    assert "damaged" in different["2024-01-02"]
    assert second.read_bytes() == bytes_before


def test_rebuild_makes_extracts_by_the_sql_and_the_columns_of_then(tmp_path: Path) -> None:
    """SQL was changed with a column that it reads: all versions come back, though today's catalogue has neither."""
    hub, d = hubs.small_hub(tmp_path / "hub", hubs.PRICES, hubs.RETURNS), hubs.D
    hubs.land(hub, hubs.PRICES, d[0], hubs.prices(d[0], A=10, B=20))
    hubs.done(hub)
    close = {"name": "close", "type": "decimal(18,4)", "source": "price", "aliases": ["price"]}
    renamed = {"columns": hubs.columns(hubs.PRICES, without=["price"], also=[close])}
    hubs.write_declaration(hub.settings.home, hubs.merged(hubs.DECLARED[hubs.PRICES], renamed))
    sql = "SELECT business_date, ticker, close * 2 AS twice FROM px.prices WHERE business_date = $business_date"
    hub = hubs.redeclared(hub, hubs.RETURNS, sql=sql, windows=None)
    hubs.land(hub, hubs.PRICES, d[1], hubs.prices(d[1], A=11))
    hubs.done(hub)
    said = [hubs.rows(hub, hubs.RETURNS, at) for at in range(hub.log.last() + 1)]
    assert said[-1] == [(d[0], "A", 20), (d[0], "B", 40), (d[1], "A", 22)]
    assert (d[0], "A", 10, None) in said[2]
    before = _data(hub)
    shutil.rmtree(Path(hub.files.location("extracts")))
    verdicts = [verdict for one in rebuild(_lose(hub)) for verdict in one.verdicts]
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    rebuilt = hubs.open_hub(hub.settings.home)
    assert [hubs.rows(rebuilt, hubs.RETURNS, at) for at in range(hub.log.last() + 1)] == said
    assert _data(rebuilt) == before


def test_rebuild_folds_intervals_amendments_and_deletions_again(tmp_path: Path) -> None:
    """Feeds that say from and to, and feeds whose files amend other dates and delete keys, come back byte for byte."""
    amending = {"feed": {"other_dates": "amend", "deleted_when": {"action": "D"}}}
    declared = {hubs.PRICES: amending, hubs.MEMBERS: amending}
    hub, d = hubs.small_hub(tmp_path / "hub", hubs.PRICES, hubs.MEMBERS, declared=declared), hubs.D
    hubs.land(hub, hubs.PRICES, d[0], _acting((d[0], "A", 1, ""), (d[0], "B", 2, "")))
    hubs.done(hub)
    hubs.land(hub, hubs.PRICES, d[1], _acting((d[1], "A", 3, ""), (d[0], "A", 4, ""), (d[0], "B", 2, "D")))
    hubs.land(hub, hubs.MEMBERS, d[0], _MEMBERS + f"X,A,{d[0]},,\nX,B,{d[0]},{d[3]},\n")
    hubs.done(hub)
    hubs.land(hub, hubs.MEMBERS, d[2], _MEMBERS + f"X,A,{d[0]},,D\nX,C,{d[2]},,\n")
    hubs.done(hub)
    before, said = _data(hub), [hubs.rows(hub, name) for name in (hubs.PRICES, hubs.MEMBERS)]
    assert len(said[0]) == 2
    verdicts = [verdict for one in rebuild(_lose(hub)) for verdict in one.verdicts]
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    rebuilt = hubs.open_hub(hub.settings.home)
    assert [hubs.rows(rebuilt, name) for name in (hubs.PRICES, hubs.MEMBERS)] == said
    assert _data(rebuilt) == before


def test_rebuild_takes_each_commit_under_its_own_contract(tmp_path: Path) -> None:
    """Where a column was added in between, commits before it are folded without it and those after it with it."""
    hub = hubs.small_hub(tmp_path / "hub", hubs.PRICES, hubs.INSTRUMENTS)
    hubs.land(hub, hubs.PRICES, hubs.D[0], hubs.prices(hubs.D[0], A=1))
    hubs.land(hub, hubs.INSTRUMENTS, hubs.D[0], hubs.instruments(A="Alpha EUR"))
    hubs.done(hub)
    country = {"name": "country", "type": "text", "nullable": True, "constant": "FR"}
    for name in (hubs.PRICES, hubs.INSTRUMENTS):
        hub = hubs.redeclared(hub, name, columns=hubs.columns(name, also=[country]))
    hubs.land(hub, hubs.PRICES, hubs.D[1], hubs.prices(hubs.D[1], A=2))
    hubs.land(hub, hubs.INSTRUMENTS, hubs.D[1], hubs.instruments(A="Alpha EUR", B="Beta USD"))
    hubs.done(hub)
    before = _data(hub)
    verdicts = [verdict for one in rebuild(_lose(hub)) for verdict in one.verdicts]
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    assert _data(hubs.open_hub(hub.settings.home)) == before


_MEMBERS = "index_name,ticker,valid_from,valid_to,action\n"


def _lose(hub: Hub) -> Hub:
    _lose_tables(hub)
    return hubs.open_hub(hub.settings.home)


def _acting(*told: tuple[date, str, int, str]) -> str:
    lines = [f"{day},{ticker},{price},100,{action}\n" for day, ticker, price, action in told]
    return "business_date,ticker,price,volume,action\n" + "".join(lines)
