"""How long it takes to find what is behind when the log has grown by one commit, against finding it anew.

The hub has daily snapshots, one bitemporal dataset of daily images, and for each snapshot an extract that reads it with the
day before and the bitemporal dataset. All have five years of dates; the log says that all is up to date, and there are no
rows. Then deliveries come one by one, are structured and published (log entries alone), and after each entry it is asked
what is behind, as the sensors ask.

Usage: ``make bench-behind`` (``ARGS="--datasets 300"``: the size of a firm; filling its log takes minutes).
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from datahub_assets.catalogue.calendars import business_days
from datahub_assets.history.log import Change, Delivery, Entry, Input
from datahub_assets.operations.definitions import definition_of
from datahub_assets.operations.hub import Hub
from datahub_assets.orchestration.work import behind
from datahub_assets.settings import Settings
from datahub_assets_tests.benchmarks.figures import Figure, paired, save

START, DAYS = date(2019, 1, 1), 1250
NAMES = "bench/names"
AIM = 0.05


def main() -> None:
    """Fills a log, asks after each entry, prints and saves the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--datasets", type=int, default=20, help="snapshots; as many extracts")
    parser.add_argument("--entries", type=int, default=9, help="entries after each of which it is asked")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hub = _filled(Path(folder), options.datasets)
        assert behind.behind(hub) == ()
        pairs = [_asked(hub, entry) for entry in _entries(hub, options.entries)]
    size = f"{options.datasets} snapshots and extracts of {DAYS} dates"
    save("behind", [
        paired(f"what is behind after one more entry, {size}", "ms", pairs, "finding it anew", at_most=AIM),
        Figure.limit(f"finding it anew, a dataset of {DAYS} dates", pairs[0][1] / (2 * options.datasets + 1), "ms"),
    ])  # fmt: skip


def _asked(hub: Hub, draft: Entry) -> tuple[float, float]:
    """Milliseconds of asking after the entry, and of asking who has never been asked; both find the same."""
    hub.append(draft, hub.log.last())
    begun = time.perf_counter()
    found = behind.behind(hub)
    asked = time.perf_counter() - begun
    behind.forget()
    begun = time.perf_counter()
    anew = behind.behind(hub)
    assert set(found) == set(anew)
    return asked * 1e3, (time.perf_counter() - begun) * 1e3


def _days() -> tuple[date, ...]:
    return business_days("weekdays", START, START + timedelta(days=DAYS * 7 // 5 + 7))[: DAYS + 10]


def _filled(home: Path, datasets: int) -> Hub:
    (home / "catalogue").mkdir()
    for name, text in _catalogue(datasets):
        (home / "catalogue" / name).write_text(text)
    hub = Hub.open(Settings(home=home), actor="benchmark")
    drafts = []
    for name in hub.catalogue.structured:
        hub.register_contract(name)
        deliveries = tuple(_delivery(name, day) for day in _days()[:DAYS])
        drafts.append(replace(hub.draft("received"), received=deliveries))
        changes = tuple(_structured(hub, name, day, i, (len(drafts) - 1, i)) for i, day in enumerate(_days()[:DAYS]))
        if name == NAMES:
            drafts += [replace(hub.draft("structured"), changes=(change,)) for change in changes]
        else:
            drafts.append(replace(hub.draft("structured"), changes=changes))
    for name in hub.catalogue.extracts:
        hub.definitions.keep(definition_of(hub, name))
        changes = tuple(_published(hub, name, i, i + 1) for i in range(DAYS))
        drafts.append(replace(hub.draft("published"), changes=changes))
    first = datetime(2024, 1, 1, tzinfo=UTC)
    hub.log.restore(_stamped(draft, i, first + timedelta(seconds=i)) for i, draft in enumerate(drafts))
    return hub


def _stamped(draft: Entry, position: int, known_at: datetime) -> Entry:
    received = tuple(replace(d, receipt=(position, i)) for i, d in enumerate(draft.received))
    return replace(draft, position=position, known_at=known_at, received=received)


def _entries(hub: Hub, count: int) -> Iterator[Entry]:
    """A delivery for the day after the last, its rows, the extract of it; then the next dataset."""
    names = [name for name in hub.catalogue.structured if name != NAMES]
    for number in range(count):
        name, step = names[number // 3 % len(names)], number % 3
        day = _days()[DAYS]
        if step == 0:
            received = hub.log.last() + 1
            yield replace(hub.draft("received"), received=(_delivery(name, day),))
        elif step == 1:
            yield replace(hub.draft("structured"), changes=(_structured(hub, name, day, DAYS, (received, 0)),))
        else:
            extract = name.replace("data", "made")
            yield replace(hub.draft("published"), changes=(_published(hub, extract, DAYS, DAYS + 1),))


def _delivery(name: str, day: date) -> Delivery:
    arrived = datetime(day.year, day.month, day.day, 18, tzinfo=UTC)
    return Delivery(name, f"{day:%Y%m%d}.csv", "0" * 64, 1000, arrived, (day,), file_date=day)


def _structured(hub: Hub, name: str, day: date, number: int, receipt: tuple[int, int]) -> Change:
    if name == NAMES:
        return Change(
            name, None, number + 1, number or None, (receipt,), folded=receipt, observed=day, affects_from=day,
            affects_to=day + timedelta(days=1) if number % 50 else None, contract_version=1,
        )  # fmt: skip
    return Change(name, day.isoformat(), number + 1, None, (receipt,), rows=1000, contract_version=1)


def _published(hub: Hub, extract: str, number: int, write_id: int) -> Change:
    day, before = _days()[number], _days()[number - 1]
    prices = extract.replace("made", "data")
    newest = max(n for n in range(DAYS) if (n == number or n % 50 == 0) and n <= number and n < DAYS)
    read = [Input(prices, before.isoformat(), number)] if number else []
    read += [Input(prices, day.isoformat(), number + 1)]
    inputs = {prices: read, NAMES: [Input(NAMES, None, newest + 1)]}
    ordered = tuple(one for name in hub.catalogue.inputs[extract] for one in inputs[name])
    return Change(extract, day.isoformat(), write_id, None, definition=definition_of(hub, extract).name, inputs=ordered)


def _catalogue(datasets: int) -> Iterator[tuple[str, str]]:
    yield (
        "names.yaml",
        _feed(NAMES, "bitemporal", "{name: valid_from, type: date}, {name: valid_to, type: date, nullable: true}"),
    )
    for number in range(datasets):
        name = f"bench/data_{number:03d}"
        yield f"data_{number:03d}.yaml", _feed(name, "snapshot", "{name: business_date, type: date}")
        yield (
            f"made_{number:03d}.yaml",
            f"""
kind: extract
dataset: {name.replace("data", "made")}
title: Made
owners: ["team:benchmarks"]
partitions: {{calendar: weekdays, start: {START}}}
windows: {{{name}: 1}}
sql: |
  SELECT p.business_date, p.id FROM {name.replace("/", ".")} p JOIN {NAMES.replace("/", ".")} n ON n.id = p.id
  WHERE p.business_date = CAST($business_date AS DATE)
key: [id]
""",
        )


def _feed(name: str, shape: str, columns: str) -> str:
    return f"""
kind: structured
dataset: {name}
title: Data
owners: ["team:benchmarks"]
source: {{name: benchmark, licence: none, synthetic: true}}
shape: {shape}
partitions: {{calendar: weekdays, start: {START}}}
feed: {{provider: {name.split("/")[1]}, pattern: "{{business_date:%Y%m%d}}.csv", format: {{type: csv}}}}
columns: [{{name: id, type: text}}, {columns}]
key: [id]
"""


if __name__ == "__main__":
    main()
