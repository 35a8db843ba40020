"""A whole hub whose tables and log are in a real HBase: it says, and keeps, exactly what one with embedded tables does."""

import json
from pathlib import Path

import pytest

from datahub_assets.demo.run import run_once
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.project import project
from datahub_assets.operations.rebuild import rebuild
from datahub_assets.settings import load
from datahub_assets.stores.tables.hbase import HBaseTableStore
from datahub_assets_tests.hbase.shared import HBaseServer
from datahub_assets_tests.hubs import done, open_hub
from datahub_assets_tests.integration.conftest import Demo
from datahub_assets_tests.integration.killed import hub_with_deliveries
from datahub_assets_tests.integration.test_hub_on_servers import beginning, dropped, kept, maintained, published
from datahub_assets_tests.unit.cli.conftest import Cli

pytestmark = [pytest.mark.hbase, pytest.mark.timeout(1800)]


TABLES = ("hub.log", "hub.index", "px.prices", "ref.instruments", "idx.members")


def lines(hbase: HBaseServer) -> str:
    """Settings of a hub with tables of its own in HBase."""
    options = hbase.options().model_dump(mode="json", include={"gateways", "table_prefix"})
    return "\n".join(
        ['table_store = "hbase"', *(f"hbase.{name} = {json.dumps(value)}" for name, value in options.items()), ""]
    )


def worked(home: Path, settings: str = "") -> Hub:
    """A hub that has taken its thirteen deliveries."""
    hub = hub_with_deliveries(home, settings)
    done(hub)
    project(hub)
    return hub


@pytest.fixture
def hub(hbase: HBaseServer, tmp_path: Path) -> Hub:
    """Such a hub with its tables in HBase."""
    hub = worked(tmp_path / "hbase", lines(hbase))
    assert isinstance(hub.tables, HBaseTableStore)
    return hub


def test_hub_on_hbase_keeps_what_one_with_embedded_tables_keeps(hub: Hub, tmp_path: Path) -> None:
    """Log, vault, extracts byte by byte, Iceberg tables; and working again changes nothing."""
    local = worked(tmp_path / "local")
    before = kept(hub)
    assert before == kept(local)
    assert hub.tables.tables() == local.tables.tables()
    done(hub)
    project(hub)
    assert kept(hub) == before


def test_hub_on_hbase_is_maintained_and_rebuilt_from_its_vault(hub: Hub) -> None:
    """Orphans and superseded rows go; with all tables lost, the same log and digests come back out of the vault."""
    assert maintained(hub) == []
    before = kept(hub)
    for table in hub.tables.tables():
        hub.tables.drop(table)
    verdicts = [verdict for rebuilt in rebuild(open_hub(hub.settings.home)) for verdict in rebuilt.verdicts]
    assert verdicts
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    assert kept(open_hub(hub.settings.home)) == before


def test_tables_are_planned_and_applied_by_command(hbase: HBaseServer, tmp_path: Path) -> None:
    """The plan changes nothing; applying makes what is absent, and leaves what Thrift cannot do to hbase shell."""
    home = tmp_path / "hub"
    hub_with_deliveries(home, lines(hbase))
    feed = home / "catalogue" / "px_prices.yaml"
    feed.write_text(feed.read_text() + "table: {salt_buckets: 2, compression: gz}\n")
    cli = Cli(home)
    for _ in range(2):
        planned = json.loads(cli.ok("tables", "plan", "--format", "json").stdout)
        told = {(step["table"], step["actual"], step["remedy"]) for step in planned}
        assert told == {(table, "absent", "datahub tables apply") for table in TABLES}
    left = json.loads(cli.ok("tables", "apply", "--yes", "--format", "json").stdout)
    assert [(step["table"], step["what"]) for step in left] == [("px.prices", "split at \\x01")]
    assert json.loads(cli.ok("tables", "plan", "--format", "json").stdout) == left
    assert len(open_hub(home).tables.tables()) == 5
    assert cli.ok("tables", "apply").exit_code == 0


def test_beginning_of_the_demo_on_hbase_publishes_what_it_does_embedded(
    hbase: HBaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real provider files, every feed and extract: the same rows in the same bytes."""
    monkeypatch.setenv("DATAHUB_HBASE__GATEWAYS", json.dumps(hbase.gateways))
    remote, local = beginning(tmp_path / "remote", None, "hbase"), beginning(tmp_path / "local", None)
    assert isinstance(remote.tables, HBaseTableStore)
    assert published(remote) == published(local)
    assert dropped(remote) == dropped(local)
    assert {name for name, _ in published(remote)} == set(remote.catalogue.extracts)


@pytest.mark.soak
def test_demo_on_hbase_publishes_what_it_does_embedded(
    hbase: HBaseServer, tmp_path: Path, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``datahub demo --once --tables hbase`` from start to end, Dagster and all; run again, it changes nothing."""
    monkeypatch.setenv("DATAHUB_HBASE__GATEWAYS", json.dumps(hbase.gateways))
    for _ in range(2):
        assert run_once(tmp_path / "demo", None, "hbase") == 0
    hub = Hub.open(load(tmp_path / "demo"), actor="reader")
    assert published(hub) == published(demo.hub())
    assert dropped(hub) == dropped(demo.hub())
    assert hub.log.last() == demo.hub().log.last()
