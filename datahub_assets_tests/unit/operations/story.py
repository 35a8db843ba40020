"""A story for tests of upkeep, on the small hub of ``hubs``: prices, instruments and a report over both, in January 2024.

Files arrive, and the hub knows things, at noon of the days that a test says.
"""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from datahub_assets.errors import DatahubError
from datahub_assets.operations.follow import Step, catch_up
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import read
from datahub_assets_tests import hubs
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, open_hub, write_declaration

REPORT = "an/report"
DATASETS = (PRICES, INSTRUMENTS, REPORT)
_COMMON: dict[str, Any] = {
    "partitions": {"calendar": "weekdays", "start": date(2024, 1, 1)},
    "retention": {"superseded_days": 10},
}
REPORT_DECLARED: dict[str, Any] = {
    **_COMMON, "owners": ["team:tests"], "kind": "extract", "dataset": REPORT, "title": "Prices with names", "key": ["ticker"],
    "sql": """
        SELECT p.business_date, p.ticker, p.price, i.name FROM px.prices p LEFT JOIN ref.instruments i USING (ticker)
        WHERE p.business_date = CAST($business_date AS DATE)
    """,
    "drops": [{"format": "csv"}],
}  # fmt: skip


def noon(day: str) -> datetime:
    """Noon of a day, UTC."""
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def arrives(hub: Hub, dataset: str, day: str, *, at: str | None = None, **told: object) -> list[Step]:
    """A file of prices or instruments of a day arrives (``at``: on another day), and everything follows.

    Raises the first error.
    """
    steps = arrives_broken(hub, dataset, day, at=at, **told)
    for step in steps:
        if step.error:
            raise step.error
    return steps


def arrives_broken(hub: Hub, dataset: str, day: str, *, at: str | None = None, **told: object) -> list[Step]:
    """As ``arrives``; errors are left in the steps."""
    when, business_date = noon(at or day), date.fromisoformat(day)
    if dataset == PRICES:
        content = hubs.prices(business_date, **told)
    else:
        content = hubs.instruments(**{ticker: f"{name} EUR" for ticker, name in told.items()})
    hubs.land(hub, dataset, business_date, content, at=when)
    return list(catch_up(hub.at(when).run(f"run of {dataset} {day} at {when}")))


def make_story(home: Path) -> Hub:
    """Two days, an instrument that changes its name and a price that is corrected twice: positions 0 to 15."""
    declared = {PRICES: _COMMON, INSTRUMENTS: _COMMON}
    hubs.small_hub(home, PRICES, INSTRUMENTS, at=datetime.fromisoformat("2024-12-31T00:00:00Z"), declared=declared)
    write_declaration(home, REPORT_DECLARED)
    hub = open_hub(home)
    arrives(hub, INSTRUMENTS, "2024-01-01", A="Alpha", B="Beta")
    arrives(hub, PRICES, "2024-01-02", A=1.5, B=2)
    arrives(hub, PRICES, "2024-01-03", A=1.6, B=2.1, C=-1)
    arrives(hub, PRICES, "2024-01-02", at="2024-01-04", A=1.4, B=2)
    arrives(hub, INSTRUMENTS, "2024-01-05", A="AlphaHolding", B="Beta")
    arrives(hub, PRICES, "2024-01-02", at="2024-01-08", A=1.45, B=2)
    return hub


def rows(hub: Hub, dataset: str, position: int | None = None, day: str | None = None) -> list[dict[str, object]]:
    """What a dataset says at a position (None: the newest)."""
    days = [date.fromisoformat(day)] if day else None
    tables = list(read(hub, dataset, hub.log.last() if position is None else position, days))
    return pa.concat_tables(tables).to_pylist() if tables else []


def answers(hub: Hub, positions: Sequence[int] | None = None) -> dict[tuple[int, str], list[dict[str, object]] | str]:
    """What every dataset says at every position, or why it does not answer."""
    found: dict[tuple[int, str], list[dict[str, object]] | str] = {}
    for position in range(hub.log.last() + 1) if positions is None else positions:
        for dataset in DATASETS:
            try:
                found[position, dataset] = rows(hub, dataset, position)
            except DatahubError as error:
                found[position, dataset] = error.what
    return found


def stored_bytes(hub: Hub) -> dict[str, list[tuple[bytes, bytes]]]:
    """All rows of all tables, as they lie there."""
    return {
        name: [
            (key, value)
            for page in hub.tables.scan(name, b"", b"")
            for key, value in zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True)
        ]
        for name in hub.tables.tables()
    }
