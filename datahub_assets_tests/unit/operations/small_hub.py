"""A small hub of every shape for tests: prices (snapshot), issuers (bitemporal images) and a report over both.

Files arrive, and the hub knows things, at the times a test says: noon of the day, unless told otherwise.
"""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from datahub_assets.errors import DatahubError
from datahub_assets.operations.follow import Step, catch_up
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import read
from datahub_assets.settings import Settings

PRICES, ISSUERS, REPORT = "example/prices", "example/issuers", "example/report"
_COMMON = """
owners: ["team:data"]
"""
_SOURCE = """
source: {name: Example, licence: made up, synthetic: true}
"""
CATALOGUE = {
    "prices.yaml": f"""
kind: structured
dataset: {PRICES}
title: Prices
shape: snapshot
partitions: {{calendar: weekdays, start: 2024-01-01, expected: {{time: "10:00"}}}}
feed:
  provider: example
  pattern: "prices_{{business_date:%Y%m%d}}.csv"
  format: {{type: csv}}
  complete: {{still_seconds: 0}}
columns:
  - {{name: business_date, type: date, source: Date}}
  - {{name: isin, type: text}}
  - {{name: price, type: "decimal(12,4)", unit: EUR, checks: {{gt: 0}}}}
key: [isin]
tolerance: {{rows: 1}}
retention: {{superseded_days: 10}}
{_COMMON}{_SOURCE}""",
    "issuers.yaml": f"""
kind: structured
dataset: {ISSUERS}
title: Issuers
shape: bitemporal
partitions: {{calendar: weekdays, start: 2024-01-01}}
feed:
  provider: example
  pattern: "issuers_{{business_date:%Y%m%d}}.csv"
  format: {{type: csv}}
  complete: {{still_seconds: 0}}
columns:
  - {{name: isin, type: text}}
  - {{name: issuer, type: text}}
  - {{name: valid_from, type: date}}
  - {{name: valid_to, type: date, nullable: true}}
key: [isin]
retention: {{superseded_days: 10}}
{_COMMON}{_SOURCE}""",
    "report.yaml": f"""
kind: extract
dataset: {REPORT}
title: Prices with issuers
partitions: {{calendar: weekdays, start: 2024-01-01}}
sql: |
  SELECT p.business_date, p.isin, p.price, i.issuer
  FROM example.prices p LEFT JOIN example.issuers i USING (isin)
  WHERE p.business_date = CAST($business_date AS DATE)
key: [isin]
drops: [{{format: csv}}]
retention: {{superseded_days: 10}}
{_COMMON}""",
}


def make_hub(home: Path) -> Hub:
    """A hub at the folder, empty."""
    (home / "catalogue").mkdir(parents=True, exist_ok=True)
    for name, text in CATALOGUE.items():
        (home / "catalogue" / name).write_text(text)
    return open_hub(home)


def open_hub(home: Path) -> Hub:
    """The hub at the folder, its clock at the end of 2024."""
    return Hub.open(Settings(home=home), actor="tester").at(datetime(2024, 12, 31, tzinfo=UTC))


def noon(day: str) -> datetime:
    """Noon of a day, UTC."""
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def prices(day: str, **by_isin: str | float) -> tuple[str, str]:
    """A file of prices: name and text."""
    return f"prices_{day.replace('-', '')}.csv", "".join(
        ["Date,isin,price\n", *(f"{day},{i},{p}\n" for i, p in by_isin.items())]
    )


def issuers(day: str, **by_isin: str) -> tuple[str, str]:
    """A file of issuers: name and text."""
    return f"issuers_{day.replace('-', '')}.csv", "".join(
        ["isin,issuer\n", *(f"{i},{name}\n" for i, name in by_isin.items())]
    )


def land(hub: Hub, file: tuple[str, str], at: str) -> list[Step]:
    """The file arrives at noon of the day, and everything follows. Raises the first error."""
    steps = land_any(hub, file, at)
    for step in steps:
        if step.error:
            raise step.error
    return steps


def land_any(hub: Hub, file: tuple[str, str], at: str) -> list[Step]:
    """As ``land``; errors are left in the steps."""
    path = hub.settings.landing / "example" / file[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file[1])
    os.utime(path, (noon(at).timestamp(), noon(at).timestamp()))
    return list(catch_up(hub.at(noon(at)).run(f"run of {file[0]} at {at}")))


def make_story(home: Path) -> Hub:
    """Two days, an issuer that changes its name and a price that is corrected twice: positions 0 to 15."""
    hub = make_hub(home)
    land(hub, issuers("2024-01-01", A="Alpha", B="Beta"), "2024-01-01")
    land(hub, prices("2024-01-02", A=1.5, B=2), "2024-01-02")
    land(hub, prices("2024-01-03", A=1.6, B=2.1, C=-1), "2024-01-03")
    land(hub, prices("2024-01-02", A=1.4, B=2), "2024-01-04")
    land(hub, issuers("2024-01-05", A="Alpha Holding", B="Beta"), "2024-01-05")
    land(hub, prices("2024-01-02", A=1.45, B=2), "2024-01-08")
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
        for dataset in (PRICES, ISSUERS, REPORT):
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
