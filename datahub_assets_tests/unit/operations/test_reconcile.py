"""Reconciliation finds what differs between file, table, extract and log, and nothing else."""

from datetime import date
from pathlib import Path

from datahub_assets.operations.hub import Hub
from datahub_assets.operations.reconcile import Comparison, reconcile
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, D, columns, done, land, prices, redeclared, small_hub
from datahub_assets_tests.unit.operations.story import REPORT


def _all(hub: Hub, position: int | None = None) -> dict[tuple[str, str | None], Comparison]:
    position = hub.log.last() if position is None else position
    found = [one for dataset in (PRICES, INSTRUMENTS, REPORT) for one in reconcile(hub, dataset, position)]
    return {(one.dataset, one.partition): one for one in found}


def test_reconcile_finds_all_equal_at_every_position(story: Hub) -> None:
    """Files parsed again, rows read back and the log agree, by count and digest, also at earlier positions."""
    for position in (1, 4, 7, 11, 15):
        assert [one.finding for one in _all(story, position).values() if not one.equal] == []


def test_reconcile_reads_each_file_as_it_was_declared_then(tmp_path: Path) -> None:
    """A column was renamed, and later the file's field as well: older files still have the old field, and are equal."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, D[0], prices(D[0], A=1, B=2))
    done(hub)
    for day, source in ((D[1], "price"), (D[2], "close price")):
        close = {"name": "close", "type": "decimal(18,4)", "source": source, "aliases": ["price"]}
        hub = redeclared(hub, PRICES, columns=columns(PRICES, without=["price"], also=[close]))
        assert [one.finding for one in reconcile(hub, PRICES, hub.log.last()) if not one.equal] == []
        land(hub, PRICES, day, prices(day, A=3).replace("price", source))
        done(hub)
    found = list(reconcile(hub, PRICES, hub.log.last()))
    assert [(one.partition, one.rows_file, one.finding) for one in found] == [
        (str(D[0]), 2, "equal"), (str(D[1]), 1, "equal"), (str(D[2]), 1, "equal"),
    ]  # fmt: skip


def test_reconcile_counts_what_the_file_says(story: Hub) -> None:
    """The counts of the file come from the file: accepted and rejected rows."""
    one = _all(story)[PRICES, "2024-01-03"]
    assert (one.rows_file, one.rejected_file, one.rows_stored, one.rows_committed) == (2, 1, 2, 2)


def test_reconcile_finds_rows_that_were_lost(story: Hub) -> None:
    """A row that left the table is found in that partition and in no other."""
    page = next(story.tables.scan("px.prices", b"2024-01-03", b"2024-01-04"))
    key = page.keys[0].as_py()
    story.tables.delete_range("px.prices", key, key + b"\0")
    found = _all(story)
    assert {place for place, one in found.items() if not one.equal} == {(PRICES, "2024-01-03")}
    assert found[PRICES, "2024-01-03"].rows_stored == 1


def test_reconcile_finds_a_damaged_extract_file(story: Hub) -> None:
    """An extract file with other bytes is found by its checksum; a missing one is told as missing."""
    changes = story.log.changes(REPORT, story.log.last())
    first, second = (Path(story.files.location(change.files[0].path)) for _, change in changes.values())
    first.write_bytes(first.read_bytes() + b"x")
    second.unlink()
    found = _all(story)
    assert "damaged" in found[REPORT, "2024-01-02"].finding
    assert "missing" in found[REPORT, "2024-01-03"].finding


def test_reconcile_finds_a_damaged_delivery(story: Hub) -> None:
    """Bytes that changed in the vault say something else than what was committed: told, and the rest goes on."""
    delivery = story.log.deliveries(PRICES, story.log.last(), date(2024, 1, 3))[0]
    path = Path(story.files.location(f"vault/deliveries/{PRICES}/{delivery.sha256}"))
    path.write_text(path.read_text().replace("1.6", "1.7"))
    found = _all(story)
    assert "something else" in found[PRICES, "2024-01-03"].finding
    assert found[PRICES, "2024-01-02"].equal
