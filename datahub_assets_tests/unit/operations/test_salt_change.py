"""The salt is the first byte of every key: declared otherwise, a table would be read as if it held other rows, or none."""

from pathlib import Path

import pytest

from datahub_assets.errors import DeclarationError
from datahub_assets.operations import tables
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.rebuild import rebuild
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    PRICES,
    D,
    done,
    instruments,
    land,
    open_hub,
    prices,
    redeclared,
    rows,
    small_hub,
)

SALTED = {"table": {"salt_buckets": 3}}
OTHER = {"table": {"salt_buckets": 5}}
UNSALTED = {"table": {"salt_buckets": 0}}


def filled(home: Path) -> Hub:
    """A hub with rows of a snapshot and of a bitemporal dataset, both salted."""
    hub = small_hub(home, PRICES, INSTRUMENTS, declared={PRICES: SALTED, INSTRUMENTS: SALTED})
    land(hub, PRICES, D[0], prices(D[0], A=1, B=2, C=3))
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR", B="Beta USD"))
    done(hub)
    return hub


@pytest.mark.parametrize("dataset", [PRICES, INSTRUMENTS])
@pytest.mark.parametrize("change", [OTHER, UNSALTED], ids=["other", "none"])
def test_change_of_salt_is_refused_where_there_are_rows(
    tmp_path: Path, dataset: str, change: dict[str, dict[str, int]]
) -> None:
    """By who reads, who writes, plan and apply; with the number it was. Declared as it was, all is as before."""
    hub = filled(tmp_path)
    said = rows(hub, dataset)
    changed = redeclared(hub, dataset, **change)
    told = rf"Salt buckets of a table with rows cannot change.*{dataset}.*expected 3"
    for refused in (
        lambda: rows(changed, dataset), lambda: changed.register_contract(dataset),
        lambda: tables.plan(changed), lambda: tables.apply(changed),
    ):  # fmt: skip
        with pytest.raises(DeclarationError, match=told):
            refused()
    assert rows(redeclared(changed, dataset, **SALTED), dataset) == said


def test_salt_may_change_while_there_are_no_rows(tmp_path: Path) -> None:
    """A table that was registered and never written to, or declared salted at first."""
    hub = small_hub(tmp_path, PRICES, declared={PRICES: SALTED})
    hub.register_contract(PRICES)
    for change in (OTHER, UNSALTED, SALTED):
        hub = redeclared(hub, PRICES, **change)
        hub.register_contract(PRICES)
        assert tables.plan(hub) == []
    land(hub, PRICES, D[0], prices(D[0], A=1, B=2))
    done(hub)
    assert len(rows(hub, PRICES)) == 2


def test_rebuild_makes_tables_with_another_salt(tmp_path: Path) -> None:
    """From the vault, in an empty place: the rows are what they were, also those declared under the other number then."""
    hub = filled(tmp_path)
    said = {dataset: sorted(rows(hub, dataset), key=str) for dataset in (PRICES, INSTRUMENTS)}
    hub.tables.close()  # type: ignore[attr-defined]  # embedded
    hub.settings.tables.rename(tmp_path / "before")
    redeclared(hub, PRICES, **OTHER)
    assert all(
        not verdict.why for built in rebuild(redeclared(hub, INSTRUMENTS, **UNSALTED)) for verdict in built.verdicts
    )
    again = open_hub(tmp_path)
    assert {dataset: sorted(rows(again, dataset), key=str) for dataset in said} == said
    land(again, PRICES, D[1], prices(D[1], A=2))
    done(again)
    assert len(rows(again, PRICES)) == 4
