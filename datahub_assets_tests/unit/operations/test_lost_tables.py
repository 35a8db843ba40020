"""A log that the vault knows more of takes nothing: what would be appended contradicts what was."""

import shutil
from pathlib import Path

import pytest

from datahub_assets.errors import StoreCorrupt
from datahub_assets.operations.follow import structure_any
from datahub_assets.operations.publish import publish
from datahub_assets.operations.rebuild import rebuild
from datahub_assets.operations.receive import look, receive
from datahub_assets.stores.structured import table_name
from datahub_assets_tests.hubs import (
    DECLARED,
    INSTRUMENTS,
    MEMBERS,
    PRICED_MEMBERS,
    PRICES,
    D,
    done,
    instruments,
    land,
    members,
    open_hub,
    prices,
    redeclared,
    rows,
    small_hub,
)

_DOUBLED = DECLARED[PRICED_MEMBERS]["sql"].replace("p.price", "p.price * 2 AS price")


def test_second_log_is_not_begun(tmp_path: Path) -> None:
    """The tables are gone: a delivery is refused before an entry is written, and the rebuild finds an empty place."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    said = rows(hub, PRICES)
    hub.tables.close()  # type: ignore[attr-defined]  # embedded
    shutil.rmtree(hub.settings.tables)
    hub = open_hub(tmp_path)
    land(hub, PRICES, D[1], prices(D[1], A=2))
    with pytest.raises(StoreCorrupt, match=r"expected 2, as the vault has them\. Run: datahub rebuild"):
        receive(hub, look(hub).ready[0])
    assert not list(hub.log.entries())
    assert list(rebuild(open_hub(tmp_path)))
    assert rows(open_hub(tmp_path), PRICES) == said
    done(open_hub(tmp_path))
    assert rows(open_hub(tmp_path), PRICES)[-1] == (D[1], "A", 2, 100)


def test_older_tables_beside_a_newer_vault_are_not_written_to(tmp_path: Path) -> None:
    """Tables of a backup, the vault of the hub: reading goes on, the next commit says what to do."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    hub.tables.close()  # type: ignore[attr-defined]  # embedded
    shutil.copytree(hub.settings.tables, tmp_path / "older")
    hub = open_hub(tmp_path)
    land(hub, PRICES, D[1], prices(D[1], A=2))
    done(hub)
    hub.tables.close()  # type: ignore[attr-defined]  # embedded
    shutil.rmtree(hub.settings.tables)
    (tmp_path / "older").rename(hub.settings.tables)
    hub = open_hub(tmp_path)
    assert [row[0] for row in rows(hub, PRICES)] == [D[0]]
    land(hub, PRICES, D[2], prices(D[2], A=3))
    with pytest.raises(StoreCorrupt, match="Move what is left of the tables away, then run: datahub rebuild"):
        receive(hub, look(hub).ready[0])
    assert hub.log.last() == 1


@pytest.mark.parametrize("dataset", [PRICES, MEMBERS])
def test_dataset_whose_table_is_lost_is_not_empty(tmp_path: Path, dataset: str) -> None:
    """The log is there and says how many rows were committed: whoever reads, or publishes, is told, and rebuilds."""
    hub = small_hub(tmp_path, PRICES, INSTRUMENTS, MEMBERS, PRICED_MEMBERS)
    land(hub, PRICES, D[0], prices(D[0], A=1))
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR"))
    land(hub, MEMBERS, D[0], members(("A", D[0], None)))
    done(hub)
    said, published = rows(hub, dataset), rows(hub, PRICED_MEMBERS)
    hub.tables.drop(table_name(dataset))
    with pytest.raises(StoreCorrupt, match=r"has not the rows that were committed.*Run: datahub rebuild"):
        rows(hub, dataset)
    with pytest.raises(StoreCorrupt, match="has not the rows that were committed"):
        publish(redeclared(hub, PRICED_MEMBERS, sql=_DOUBLED), PRICED_MEMBERS, [D[0]])
    hub.tables.close()  # type: ignore[attr-defined]  # embedded
    shutil.rmtree(hub.settings.tables)
    assert list(rebuild(open_hub(tmp_path)))
    assert (rows(open_hub(tmp_path), dataset), rows(open_hub(tmp_path), PRICED_MEMBERS)) == (said, published)


def test_delivery_is_not_merged_into_what_is_lost(tmp_path: Path) -> None:
    """A bitemporal table is lost: merged into nothing, the next delivery would end no interval and doubt every other."""
    hub = small_hub(tmp_path, MEMBERS)
    land(hub, MEMBERS, D[0], members(("A", D[0], None)))
    done(hub)
    hub.tables.drop(table_name(MEMBERS))
    land(hub, MEMBERS, D[1], members(("A", D[0], D[1])))
    receive(hub, look(hub).ready[0])
    before = hub.log.last()
    with pytest.raises(StoreCorrupt, match="has not the rows that were committed"):
        structure_any(hub, MEMBERS, [D[1]])
    assert hub.log.last() == before
