"""The catalogue kept beside the hub: the same as read anew, and never older than its files."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from datahub_assets.catalogue import calendars
from datahub_assets.catalogue.loading import DEMO_FOLDER, load
from datahub_assets.errors import DeclarationError
from datahub_assets.operations.declared import catalogue_of
from datahub_assets.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a hub with the demo's catalogue, copied so that it can be changed."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    for file in DEMO_FOLDER.glob("*.yaml"):
        (folder / file.name).write_bytes(file.read_bytes())
    return Settings(home=tmp_path)


def test_catalogue_that_was_kept_is_the_one_that_was_read(settings: Settings) -> None:
    """What is kept saves time and changes nothing: declarations, inputs, columns and lineage are equal."""
    fresh = load(settings.catalogue)
    catalogue_of(settings)
    kept = catalogue_of(settings)
    assert set(kept.known) == set(fresh.extracts)
    assert (kept.datasets, kept.files, kept.inputs) == (fresh.datasets, fresh.files, fresh.inputs)
    assert all(kept.derived(name) == fresh.derived(name) for name in fresh.extracts)


def test_catalogue_that_was_kept_needs_no_sql_and_no_calendar(settings: Settings) -> None:
    """A run of Dagster loads the catalogue in a new process: what took long there is not even imported."""
    catalogue_of(settings)
    code = (
        "import sys; from pathlib import Path; from datetime import date;"
        "from datahub_assets.settings import Settings;"
        "from datahub_assets.catalogue.calendars import business_days;"
        "from datahub_assets.operations.declared import catalogue_of;"
        "found = catalogue_of(Settings(home=Path(sys.argv[1])));"
        "[found.derived(name).lineage for name in found.extracts];"
        "[business_days(d.partitions.calendar, d.partitions.start, date(2013, 3, 28)) for d in found.datasets.values()];"
        "print(*(m for m in ('duckdb', 'exchange_calendars', 'holidays', 'pandas', 'sqlglot') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, settings.home], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_change_of_a_file_is_seen_at_once(settings: Settings) -> None:
    """Also one that leaves size and modification time as they were: the bytes decide."""
    catalogue_of(settings)
    file = settings.catalogue / "synthetic_positions.yaml"
    before = file.stat()
    file.write_text(file.read_text().replace("max_ratio: 1", "max_ratio: 7"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert catalogue_of(settings).datasets == load(settings.catalogue).datasets
    assert catalogue_of(settings).datasets["synthetic/positions"].checks.row_count.max_ratio >= 7  # type: ignore[union-attr]


def test_file_that_went_or_came_is_seen_at_once(settings: Settings) -> None:
    """A dataset that is no longer declared is gone, and is back when its file is."""
    whole = set(catalogue_of(settings).datasets)
    file = settings.catalogue / "analytics_fx_latest.yaml"
    text = file.read_text()
    file.unlink()
    assert whole - set(catalogue_of(settings).datasets) == {"analytics/fx_latest"}
    file.write_text(text)
    assert set(catalogue_of(settings).datasets) == whole


def test_mistake_is_told_also_where_a_catalogue_was_kept(settings: Settings) -> None:
    """A catalogue with a problem is refused, whatever was right before."""
    catalogue_of(settings)
    (settings.catalogue / "analytics_fx_latest.yaml").write_text("kind: extract\n")
    with pytest.raises(DeclarationError, match="problem"):
        catalogue_of(settings)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"key": 1}', "\0"])
def test_kept_file_that_says_nothing_is_made_anew(settings: Settings, content: str) -> None:
    """What can be worked out again is never a reason to fail."""
    catalogue_of(settings)
    kept = settings.cache / "catalogue.json"
    right = json.loads(kept.read_text())
    kept.write_text(content)
    assert catalogue_of(settings).datasets == load(settings.catalogue).datasets
    assert json.loads(kept.read_text()) == right


def test_kept_file_of_the_right_key_that_is_damaged_is_made_anew(settings: Settings) -> None:
    """Half a document under the right key is no catalogue."""
    catalogue_of(settings)
    kept = settings.cache / "catalogue.json"
    right = json.loads(kept.read_text())
    kept.write_text(json.dumps({**right, "documents": {"a.yaml": {"kind": "extract"}}}))
    assert catalogue_of(settings).datasets == load(settings.catalogue).datasets
    assert json.loads(kept.read_text()) == right


def test_nothing_is_written_where_no_hub_is(tmp_path: Path) -> None:
    """Looking at the demo's catalogue makes no folder."""
    catalogue_of(Settings(home=tmp_path / "nowhere"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_known_of_calendars_can_be_told_to_another_process() -> None:
    """Known days are days of whole years, for calendars that take long, and remembering them changes no answer."""
    days = calendars.business_days("XNYS", date(2013, 1, 1), date(2013, 12, 31))
    known = calendars.known()
    assert {name for name, _, _ in known}.isdisjoint({"weekdays", "daily", "irregular"})
    assert set(days) <= set(known["XNYS", 2010, 10] or ())
    calendars.remember(known)
    assert calendars.business_days("XNYS", date(2013, 1, 1), date(2013, 12, 31)) == days
