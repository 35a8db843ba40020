"""``datahub init``: a folder that is a hub, with one example feed of its own and files to land."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from datahub_assets.cli.words import say
from datahub_assets.errors import DeclarationError

SETTINGS_FILE = "datahub.toml"  # as in settings, which takes a second to import
TUTORIAL = 'the project\'s README.md, "A first own feed in five minutes"'


def init(ctx: typer.Context, folder: Annotated[Path, typer.Argument(help="A new or empty folder.")]) -> None:
    """Make a hub: settings, a catalogue with one example feed, sample files, a Dagster home. One that is there is left as it is.

    For example:

        datahub init my-hub

        datahub --home my-hub land my-hub/samples/*
    """
    if (folder / SETTINGS_FILE).exists():
        say(f"{folder} is a hub already: nothing was changed.")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DeclarationError("Folder is not empty", where=str(folder), expected="a new or empty folder, or a hub")
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name != SETTINGS_FILE:
            path.write_text(text, newline="")
    for name in ("landing/example", "root", "tables"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    dagster_home = folder / "dagster"
    dagster_home.mkdir(exist_ok=True)
    (dagster_home / "dagster.yaml").write_text(
        files("datahub_assets.orchestration").joinpath("dagster.yaml").read_text()
    )
    (folder / SETTINGS_FILE).write_text(_FILES[SETTINGS_FILE])  # last: a folder that has it is a whole hub
    home = folder.absolute()
    say(f"{folder} is a hub. Next: datahub --home {folder} land {folder}/samples/*")
    say(f"With Dagster: DATAHUB_HOME={home} DAGSTER_HOME={home}/dagster dagster dev -w {home}/dagster/workspace.yaml")


_SETTINGS = """# Settings of this hub. Each may also be a variable DATAHUB_<NAME>, which then wins.
# Folders are below this one unless they are absolute.

# timezone = "Europe/Paris"                    # the day of a date without a time; UTC when left out
# catalogue_folder = "catalogue"               # one YAML file a dataset
# landing_folder = "/data/landing"             # where providers drop files: one folder a provider
# root = "/mapr/cluster/datahub"               # vault, extracts and drops; or webhdfs://user@gateway:14000/datahub
# tables_folder = "/data/datahub-tables"       # embedded tables: a local disk, never a network filesystem
# table_store = "hbase"                        # tables and log in HBase; how it is reached: group [hbase], docs/hbase.md
# iceberg_uri = "postgresql+psycopg2://…"      # the Iceberg catalogue; SQLite in this folder when left out
# dagster_url = "http://127.0.0.1:3000"        # for links in notifications

# [hbase]
# gateways = ["thrift1.example:9090"]
# table_prefix = "datahub:"                    # an HBase namespace

# [notifications]
# webhook_url = "https://hooks.example.com/…"  # receives one JSON document a notification
# email_to = ["data-team@example.com"]
# email_from = "datahub@example.com"
# smtp_host = "localhost"
"""

_FEED = """# One file declares a whole dataset. All fields: datahub catalogue schema. Check it: datahub catalogue check
kind: structured
dataset: example/fund_prices
title: Prices of the example funds
description: Made up. One net asset value a share class and business day, as a fund administrator sends it.
owners: ["team:data"]
classification: internal
source:
  name: Example fund administrator
  licence: made up for this example
  synthetic: true
shape: snapshot  # each file is the whole image of its business date
partitions:
  calendar: weekdays
  start: 2024-01-02
feed:
  provider: example  # files are dropped into landing/example/
  pattern: "fund_prices_{business_date:%Y%m%d}.csv"
  format: {type: csv}
columns:
  - name: business_date
    type: date
    source: Date
    description: Day of the valuation.
  - name: isin
    type: text
    source: ISIN
    description: Share class.
    checks: {identifier: isin}
  - name: currency
    type: text
    source: Currency
    description: Currency of the price, ISO 4217.
    checks: {pattern: "[A-Z]{3}"}
  - name: nav
    type: decimal(18,6)
    source: NAV
    unit: currency units per share
    description: Net asset value.
    checks: {gt: 0}
key: [isin]
tolerance: {rows: 10, share: 0.5}  # so many rejected rows a delivery may have and still be committed
"""

_EXTRACT = """# An extract is SQL over structured datasets, one partition a business date.
kind: extract
dataset: example/prices_eur
title: Prices of the example funds in EUR
owners: ["team:data"]
partitions:
  calendar: weekdays
  start: 2024-01-02
sql: |
  SELECT business_date, isin, nav AS price_eur
  FROM example.fund_prices
  WHERE business_date = CAST($business_date AS DATE) AND currency = 'EUR'
key: [isin]
columns:
  price_eur: Net asset value of a share class that is priced in EUR.
units:
  price_eur: EUR per share
"""

_README = f"""# A hub

Made by `datahub init`. What is where:

| path | what |
|---|---|
| `datahub.toml` | settings, all commented out |
| `catalogue/` | one YAML file a dataset: the example's feed and an extract of it |
| `samples/` | files to land: one is clean, one has a row that breaks the contract |
| `landing/` | where providers drop files, one folder a provider |
| `dagster/` | settings of its Dagster, and where that keeps its records |
| `root/`, `tables/` | what the hub keeps: vault, extracts, drops; tables. Leave them to the hub |

```
datahub --home . catalogue check
datahub --home . land samples/*
datahub --home . tables read example/fund_prices
datahub --home . rejects show example/fund_prices
datahub --home . status
```

`export DATAHUB_HOME=$PWD` saves the `--home`. With Dagster, whose sensors take what is dropped into `landing/`:

```
DATAHUB_HOME=$PWD DAGSTER_HOME=$PWD/dagster dagster dev -w dagster/workspace.yaml
```

Then declare a feed of your own: see {TUTORIAL}.
"""

_WORKSPACE = """# This hub, for dagster dev, dagster-webserver and dagster-daemon; they need DATAHUB_HOME and DAGSTER_HOME.
load_from:
  - python_module:
      module_name: datahub_assets.definitions
      location_name: datahub
"""

_FILES = {
    "dagster/workspace.yaml": _WORKSPACE,
    SETTINGS_FILE: _SETTINGS,
    "README.md": _README,
    "catalogue/example_fund_prices.yaml": _FEED,
    "catalogue/example_prices_eur.yaml": _EXTRACT,
    "samples/fund_prices_20240102.csv": (
        "Date,ISIN,Currency,NAV\n"
        "2024-01-02,LU0000000017,EUR,101.250000\n2024-01-02,IE0000000004,USD,87.110000\n2024-01-02,FR0000000010,EUR,54.900000\n"
    ),
    "samples/fund_prices_20240103.csv": (
        "Date,ISIN,Currency,NAV\n"
        "2024-01-03,LU0000000017,EUR,101.380000\n2024-01-03,IE0000000004,USD,-1\n2024-01-03,FR0000000010,EUR,55.020000\n"
    ),
}
