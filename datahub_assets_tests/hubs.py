"""A small hub for tests: three feeds, one of each shape, two extracts, a clock that stands still, files landed by hand.

Real stores in a folder of the test's own, no server, no waiting: files count as complete at once. A test that needs
another declaration changes one field (``redeclared``) instead of writing a catalogue.

    hub = small_hub(tmp_path)
    land(hub, PRICES, D[0], prices(D[0], A=10, B=20))
    work(hub)                                    # receive, structure, publish: what ``catch_up`` does
    rows(hub, PRICES)                            # at the newest position
"""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from datahub_assets.catalogue.filename import FilenamePattern
from datahub_assets.operations.follow import Step, catch_up
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import position_of, read
from datahub_assets.settings import SETTINGS_FILE, load

PRICES, INSTRUMENTS, MEMBERS = "px/prices", "ref/instruments", "idx/members"
RETURNS, PRICED_MEMBERS = "an/returns", "an/priced_members"

START = date(2013, 1, 2)
D = tuple(START + timedelta(days=n) for n in (0, 1, 2, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16))
"""Weekdays: Wed 2 January 2013, Thu 3, Fri 4, Mon 7, …"""
NOON = datetime(2013, 3, 1, 12, 0, tzinfo=UTC)
"""What the hub's clock says until it is set: Friday, 2013-03-01."""

_BASE: dict[str, Any] = {
    "owners": ["team:tests"],
    "partitions": {"calendar": "weekdays", "start": START},
}
_FEED: dict[str, Any] = {
    **_BASE,
    "kind": "structured",
    "source": {"name": "tests", "licence": "none", "synthetic": True},
}


def _column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def _feed(provider: str, stem: str, **more: Any) -> dict[str, Any]:
    pattern = f"{stem}_{{business_date:%Y%m%d}}.csv"
    return {
        "provider": provider,
        "pattern": pattern,
        "format": {"type": "csv"},
        "complete": {"still_seconds": 0},
        **more,
    }


_VALID = (_column("valid_from", "date"), _column("valid_to", "date", nullable=True))
DECLARED: Mapping[str, dict[str, Any]] = {
    PRICES: {
        **_FEED, "dataset": PRICES, "title": "Prices", "shape": "snapshot", "key": ["ticker"],
        "feed": _feed("px", "prices"), "tolerance": {"rows": 1},
        "columns": [
            _column("business_date", "date"), _column("ticker", "text", checks={"pattern": "[A-Z]+"}),
            _column("price", "decimal(18,4)", unit="EUR", checks={"gt": 0}), _column("volume", "int64", nullable=True),
        ],
    },
    INSTRUMENTS: {
        **_FEED, "dataset": INSTRUMENTS, "title": "Instruments", "shape": "bitemporal", "key": ["ticker"],
        "feed": _feed("ref", "instruments", mode="images"),
        "columns": [_column("ticker", "text"), _column("name", "text"), _column("currency", "text"), *_VALID],
    },
    MEMBERS: {
        **_FEED, "dataset": MEMBERS, "title": "Members", "shape": "bitemporal", "key": ["index_name", "ticker"],
        "feed": _feed("idx", "members", mode="intervals"),
        "columns": [_column("index_name", "text"), _column("ticker", "text"), *_VALID],
    },
    RETURNS: {
        **_BASE, "kind": "extract", "dataset": RETURNS, "title": "Returns", "key": ["ticker"], "windows": {PRICES: 1},
        "sql": """
            SELECT p.business_date, p.ticker, p.price, q.price AS previous_price
            FROM px.prices AS p LEFT JOIN px.prices AS q
              ON q.ticker = p.ticker AND q.business_date < CAST($business_date AS DATE)
            WHERE p.business_date = CAST($business_date AS DATE) ORDER BY p.ticker
        """,
    },
    PRICED_MEMBERS: {
        **_BASE, "kind": "extract", "dataset": PRICED_MEMBERS, "title": "Priced members", "key": ["index_name", "ticker"],
        "sql": """
            SELECT p.business_date, m.index_name, m.ticker, i.name, i.currency, p.price
            FROM idx.members AS m JOIN px.prices AS p ON p.ticker = m.ticker LEFT JOIN ref.instruments AS i ON i.ticker = m.ticker
            WHERE p.business_date = CAST($business_date AS DATE) ORDER BY m.index_name, m.ticker
        """,
    },
}  # fmt: skip
"""The catalogue, as its files say it."""


def small_hub(
    home: Path, *datasets: str, at: datetime = NOON, settings: str = "", declared: Mapping[str, Mapping[str, Any]] = {}
) -> Hub:
    """A new hub at ``home`` whose clock stands at ``at``.

    Args:
        home: its folder; made if it is not there.
        datasets: which of ``DECLARED`` it has; all when none is named.
        at: what the clock says (``set_clock`` changes it).
        settings: more lines of its ``datahub.toml``.
        declared: for datasets what differs from ``DECLARED`` (see ``merged``).
    """
    (home / "catalogue").mkdir(parents=True, exist_ok=True)
    (home / SETTINGS_FILE).write_text(f'clock = "settable"\n{settings}')
    for name in datasets or DECLARED:
        write_declaration(home, merged(DECLARED[name], declared.get(name, {})))
    load(home).set_clock(at)
    return open_hub(home)


def open_hub(home: Path, run_id: str = "test") -> Hub:
    """The hub at ``home``, as a process of its own would open it."""
    return Hub.open(load(home), actor="tester", run_id=run_id)


def redeclared(hub: Hub, dataset: str, **changes: Any) -> Hub:
    """The hub, opened anew, with another declaration of one dataset (see ``merged``)."""
    file = _declaration(hub.settings.home, dataset)
    declared = yaml.safe_load(file.read_text()) if file.exists() else DECLARED[dataset]
    write_declaration(hub.settings.home, merged(declared, changes))
    return open_hub(hub.settings.home, hub.run_id)


def merged(declared: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration with the changes: mappings are merged, all else is replaced, None takes a field away."""
    result = dict(declared)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = merged(result[name], value)
        else:
            result[name] = value
    return result


def columns(dataset: str, *, without: Iterable[str] = (), also: Iterable[Mapping[str, Any]] = ()) -> list[Any]:
    """The declared columns of a dataset, some left out, others added or put in the place of those of their name."""
    others = {each["name"]: dict(each) for each in also}
    kept = [others.pop(c["name"], c) for c in DECLARED[dataset]["columns"] if c["name"] not in set(without)]
    return [*kept, *others.values()]


def write_declaration(home: Path, declared: Mapping[str, Any]) -> Path:
    """The declaration is a file of the hub's catalogue."""
    file = _declaration(home, declared["dataset"])
    plain = yaml.safe_dump(dict(declared), sort_keys=False, allow_unicode=True)
    file.write_text(plain)
    return file


def _declaration(home: Path, dataset: str) -> Path:
    return home / "catalogue" / f"{dataset.replace('/', '_')}.yaml"


# -- files -------------------------------------------------------------------------------------------------------------


def file_name(hub: Hub, dataset: str, day: date, sequence: int | None = None) -> str:
    """The name of a day's file, as the feed declares it."""
    name = FilenamePattern.parse(hub.catalogue.structured_dataset(dataset).feed.pattern).example(day)
    return name if sequence is None else name.replace("_1.", f"_{sequence}.")


def land(
    hub: Hub, dataset: str, day: date, content: str | bytes, *, at: datetime | None = None, sequence: int | None = None
) -> Path:
    """A day's file is in its feed's landing folder, whole. See ``land_file``."""
    provider = hub.catalogue.structured_dataset(dataset).feed.provider
    return land_file(hub, provider, file_name(hub, dataset, day, sequence), content, at=at)


def land_file(hub: Hub, provider: str, name: str, content: str | bytes, *, at: datetime | None = None) -> Path:
    """A file is in a landing folder, whole, with ``at`` (default: the hub's time) as the time it came."""
    folder = hub.settings.landing / provider
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.part"
    temporary.write_bytes(content if isinstance(content, bytes) else content.encode())
    instant = (at or hub.clock()).timestamp()
    os.utime(temporary, (instant, instant))
    return temporary.rename(folder / name)


def prices(day: date | Iterable[tuple[date, Mapping[str, object]]], /, **told: object) -> str:
    """A prices file: of one day, or of several as pairs of day and prices. Volumes are 100.

    >>> prices(date(2013, 1, 2), A=10, B="2.5").splitlines()
    ['business_date,ticker,price,volume', '2013-01-02,A,10,100', '2013-01-02,B,2.5,100']
    """
    days = [(day, told)] if isinstance(day, date) else list(day)
    lines = [f"{one},{ticker},{price},100" for one, each in days for ticker, price in each.items()]
    return "\n".join(["business_date,ticker,price,volume", *lines]) + "\n"


def instruments(**told: str) -> str:
    """An instruments file: names in currencies, e.g. ``A="Alpha EUR"``."""
    return (
        "\n".join(["ticker,name,currency", *(f"{key},{','.join(each.split(' '))}" for key, each in told.items())])
        + "\n"
    )


def members(*told: tuple[str, date, date | None]) -> str:
    """A members file of the index ``X``: ticker, from, until."""
    return "\n".join(["index_name,ticker,valid_from,valid_to", *(f"X,{t},{a},{b or ''}" for t, a, b in told)]) + "\n"


# -- work and what came of it --------------------------------------------------------------------------------------------


def work(hub: Hub) -> list[Step]:
    """Everything that is complete in landing is received and followed. Errors are in the steps."""
    return list(catch_up(hub))


def done(hub: Hub) -> list[Step]:
    """As ``work``, and nothing may go wrong."""
    steps = work(hub)
    wrong = [str(step.error) for step in steps if step.error] + [
        f"{step.received.name}: {step.received.reason}"
        for step in steps
        if step.received and step.received.outcome == "set aside"
    ]
    assert not wrong, wrong
    return steps


def rows(
    hub: Hub,
    dataset: str,
    known_at: str | datetime | date | int | None = None,
    *days: date,
    valid_on: date | None = None,
) -> list[tuple[Any, ...]]:
    """The rows of a dataset as tuples, as known at a time or position (None: now); decimals without trailing zeros."""
    tables = list(read(hub, dataset, position_of(hub, known_at), days or None, valid_on=valid_on))
    return [tuple(map(_plain, row.values())) for table in tables for row in table.to_pylist()]


def price_of(hub: Hub, ticker: str, day: date, known_at: str | datetime | date | int | None = None) -> Decimal | None:
    """One price, as known at a time or position; None when there is none."""
    found = {row[1]: row[2] for row in rows(hub, PRICES, known_at, day)}
    return found.get(ticker)


def table(hub: Hub, dataset: str, position: int) -> pa.Table:
    """All rows of a dataset at a position as one table."""
    tables = list(read(hub, dataset, position))
    return pa.concat_tables(tables) if tables else None


def _plain(value: object) -> object:
    return value.normalize() + 0 if isinstance(value, Decimal) else value
