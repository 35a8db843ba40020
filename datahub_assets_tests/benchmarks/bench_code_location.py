"""How long Dagster takes to load the code location of 300 datasets, against as many bare assets of plain Dagster.

The catalogue is 600 generated files: 300 datasets of 15 columns and 300 extracts, so 900 assets, each with five years of
partitions on its calendar (TARGET, XNYS, weekdays or daily). The bare assets have the same keys, dependencies and as many
years of daily partitions, and nothing else: no description, schema, lineage, owners, checks, sensors or schedules.

Each load is a process of its own, which does what a code server does: import, make the definitions, build the repository
and every job of it. Imports are timed in both. ``--sizes`` shows how the time grows.

Usage: ``make bench-code_location`` (``ARGS=--quick``: three pairs).
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from datahub_assets_tests.benchmarks.figures import Figure, interleaved, paired, save
from datahub_assets_tests.memory import peak_megabytes

if TYPE_CHECKING:
    import dagster as dg

DATASETS = 300
AIM = 1.5
_CALENDARS = ("TARGET", "XNYS", "weekdays", "daily")
_START, _END = "2019-01-02", "2023-12-29"
_PER_DOMAIN = 20
_VALUES = (
    ("decimal(18,4)", "{ge: 0}"), ("float64", "{}"), ("int64", "{}"), ("text", "{max_length: 40}"), ("timestamp", "{}"),
)  # fmt: skip


def write_catalogue(folder: Path, datasets: int) -> None:
    """So many structured datasets and as many extracts are declared in the folder, one file each."""
    for number in range(datasets):
        (folder / f"structured_{number:04d}.yaml").write_text(_structured(number))
        (folder / f"extract_{number:04d}.yaml").write_text(_extract(number, datasets))


def load_hub(home: Path) -> int:
    """The hub's own way, its code location: catalogue → definitions → repository. Returns the number of assets."""
    os.environ["DATAHUB_HOME"] = str(home)
    from datahub_assets.definitions import defs

    return _repository(defs)


def load_bare(datasets: int) -> int:
    """The same graph in plain Dagster. Returns the number of assets."""
    import dagster as dg

    days = dg.DailyPartitionsDefinition(_START, end_date=_END)

    def bare(key: dg.AssetKey, deps: list[dg.AssetKey]) -> dg.AssetsDefinition:
        @dg.asset(key=key, deps=deps, partitions_def=days)
        def made() -> None: ...

        return made

    assets = []
    for number in range(datasets):
        name = _name(number).split("/")
        raw, structured = dg.AssetKey(["raw", *name]), dg.AssetKey(["structured", *name])
        inputs = [dg.AssetKey(["structured", *_name(each).split("/")]) for each in _inputs(number, datasets)]
        published = dg.AssetKey(["published", "reports", f"extract_{number:04d}"])
        assets += [bare(raw, []), bare(structured, [raw]), bare(published, inputs)]
    return _repository(dg.Definitions(assets=assets))


def _repository(definitions: "dg.Definitions") -> int:
    """What Dagster's code server does with definitions before it answers (``dagster._grpc.server``)."""
    repository = definitions.get_repository_def()
    repository.load_all_definitions()
    return len(repository.asset_graph.get_all_asset_keys())


def main() -> None:
    """Loads in turn, prints and saves the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three pairs instead of seven")
    parser.add_argument("--datasets", type=int, default=DATASETS)
    parser.add_argument("--load", nargs=2, metavar=("WAY", "HOME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        _loaded_here(options.load[0], Path(options.load[1]), options.datasets)
        return
    with tempfile.TemporaryDirectory() as folder:
        (home := Path(folder)).joinpath("catalogue").mkdir()
        write_catalogue(home / "catalogue", options.datasets)
        pairs = interleaved(
            3 if options.quick else 7,
            lambda: _loaded("hub", home, options.datasets),
            lambda: _loaded("bare", home, options.datasets),
        )
    assets = options.datasets * 3
    results = [
        paired(f"load {assets} assets, imports included", "s", [(hub["all"], bare["all"]) for hub, bare in pairs],
               f"{assets} bare Dagster assets", at_most=AIM),
        paired(f"load {assets} assets, without imports", "s",
               [(hub["all"] - hub["imports"], bare["all"] - bare["imports"]) for hub, bare in pairs],
               f"{assets} bare Dagster assets", at_most=AIM),
        Figure.limit("hub: peak memory of the process", max(hub["mb"] for hub, _ in pairs), "MB"),
    ]  # fmt: skip
    save("code_location", results)


def _loaded(way: str, home: Path, datasets: int) -> dict[str, float]:
    """One load in a fresh process: seconds in all (interpreter start included, its end not), seconds of imports, megabytes."""
    command = [sys.executable, "-m", "datahub_assets_tests.benchmarks.bench_code_location", "--load", way, str(home)]
    begun = time.time()
    done = subprocess.run(
        [*command, "--datasets", str(datasets)], check=True, capture_output=True, text=True,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    facts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    assert facts["assets"] == datasets * 3, facts
    return {**facts, "all": facts["end"] - begun}


def _loaded_here(way: str, home: Path, datasets: int) -> None:
    begun = time.perf_counter()
    import dagster  # noqa: F401

    if way == "hub":  # what the code location imports, and as it does: no looking for garbage meanwhile
        gc.disable()
        import datahub_assets.orchestration.build  # noqa: F401

        gc.enable()
    imports = time.perf_counter() - begun
    assets = load_hub(home) if way == "hub" else load_bare(datasets)
    end = time.time()
    print(json.dumps({"imports": imports, "assets": assets, "end": end, "mb": peak_megabytes()}))


def _name(number: int) -> str:
    return f"provider_{number // _PER_DOMAIN:02d}/dataset_{number:04d}"


def _inputs(number: int, datasets: int) -> list[int]:
    """Each extract reads two datasets: its own and the next."""
    return sorted({number, (number + 1) % datasets})


def _structured(number: int) -> str:
    values = "".join(
        f"  - {{name: value_{i:02d}, type: '{kind}', nullable: true, unit: EUR, description: Value {i}., checks: {checks}}}\n"
        for i, (kind, checks) in enumerate([*_VALUES, *_VALUES, ("text", "{pattern: '[A-Z]{3}'}")])
    )  # fmt: skip
    return f"""\
kind: structured
dataset: {_name(number)}
title: Dataset {number}
description: Generated by a benchmark.
owners: ["team:benchmarks"]
classification: internal
groups: [research]
tags: {{frequency: daily}}
source: {{name: benchmark (synthetic), licence: Apache-2.0, synthetic: true}}
shape: snapshot
partitions:
  calendar: {_CALENDARS[number % len(_CALENDARS)]}
  start: {_START}
  end: {_END}
  expected: {{time: "19:00", timezone: Europe/Berlin, grace_minutes: 60}}
freshness_hours: 126
feed:
  provider: provider_{number // _PER_DOMAIN:02d}
  pattern: "dataset_{number:04d}_{{business_date:%Y%m%d}}.csv"
  format: {{type: csv}}
columns:
  - {{name: business_date, type: date, description: Day of the row.}}
  - {{name: portfolio, type: text, description: Portfolio., checks: {{pattern: 'P[0-9]+'}}}}
  - {{name: instrument, type: text, description: Instrument.}}
  - {{name: isin, type: text, nullable: true, description: ISIN of the instrument., checks: {{identifier: isin}}}}
{values}key: [portfolio, instrument]
tolerance: {{rows: 10, share: 0.005}}
checks:
  row_count: {{min_ratio: 0.9, max_ratio: 1.1}}
"""


def _extract(number: int, datasets: int) -> str:
    one, other = (_name(each).replace("/", ".") for each in (_inputs(number, datasets) * 2)[:2])
    return f"""\
kind: extract
dataset: reports/extract_{number:04d}
title: Extract {number}
description: Generated by a benchmark.
owners: ["team:benchmarks"]
classification: internal
groups: [research]
partitions:
  calendar: {_CALENDARS[number % len(_CALENDARS)]}
  start: {_START}
  end: {_END}
freshness_hours: 126
sql: |
  WITH other AS (
    SELECT portfolio, sum(value_00) AS total FROM {other} WHERE business_date = CAST($business_date AS DATE) GROUP BY portfolio
  )
  SELECT
    CAST($business_date AS DATE) AS business_date, one.portfolio, one.instrument, one.isin,
    one.value_00 AS amount, one.value_01 * 2 AS doubled, one.value_02 AS lots, one.value_03 AS label,
    one.value_00 + coalesce(one.value_05, 0) AS amount_and_more, other.total
  FROM {one} AS one
  LEFT JOIN other ON other.portfolio = one.portfolio
  WHERE one.business_date = CAST($business_date AS DATE)
key: [portfolio, instrument]
columns: {{business_date: Day of the row., portfolio: Portfolio., total: Total of the other dataset.}}
units: {{amount: EUR, total: EUR}}
"""


if __name__ == "__main__":
    main()
