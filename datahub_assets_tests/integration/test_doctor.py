"""The doctor with a hub whose parts are all on real servers: all well, and then one after the other gone."""

from pathlib import Path

import pytest

from datahub_assets.operations.doctor import Finding, examine
from datahub_assets.settings import load
from datahub_assets_tests.hadoop.server import Hadoop, start
from datahub_assets_tests.hbase.shared import HBaseServer
from datahub_assets_tests.hubs import PRICES, D, done, land, prices, small_hub
from datahub_assets_tests.sftp_server import SftpServer, sftp

__all__ = ["sftp"]
pytestmark = pytest.mark.timeout(600)


def failed(home: Path) -> dict[str, Finding]:
    """The parts that failed, by the first word of their name."""
    return {each.part.split(" ")[0]: each for each in examine(load(home)) if each.state == "failed"}


@pytest.mark.hdfs
def test_doctor_tells_a_server_that_went_away_from_those_that_are_there(sftp: SftpServer, tmp_path: Path) -> None:
    """Each by its address and with what to do; once it is back all is well."""
    server: Hadoop = start("folder", tmp_path / "server")
    try:
        root = server.url("httpfs", f"{tmp_path}/files")
        (tmp_path / "drop").mkdir()
        settings = f'root = "{root}"\nlanding_also = ["{sftp.url(tmp_path / "drop")}"]\n{sftp.settings()}'
        hub = small_hub(tmp_path / "hub", PRICES, settings=settings)
        land(hub, PRICES, D[0], prices(D[0], A=1))
        done(hub)
        assert failed(tmp_path / "hub") == {}

        server.kill()
        found = failed(tmp_path / "hub")
        assert set(found) == {"root"}
        assert str(server.ports["httpfs"]) in found["root"].said
        assert "Look at the server" in found["root"].remedy
        server = server.started_again()

        sftp.stop()
        found = failed(tmp_path / "hub")
        assert set(found) == {"landing"}
        assert str(sftp.port) in found["landing"].said
        sftp.start()
        assert failed(tmp_path / "hub") == {}
    finally:
        server.stop()


@pytest.mark.hbase
def test_doctor_examines_hbase(hbase: HBaseServer, tmp_path: Path) -> None:
    """Each gateway, and a commit to a scratch table; a gateway that is gone is told while the other one works."""
    options = hbase.options()
    gateways = [*options.gateways, "127.0.0.1:1"]
    lines = f"gateways = {gateways!r}\ntable_prefix = {options.table_prefix!r}\nconnect_seconds = 1\n"
    small_hub(tmp_path / "hub", PRICES, settings=f'table_store = "hbase"\n[hbase]\n{lines}'.replace("'", '"'))
    found = {each.part: each for each in examine(load(tmp_path / "hub"))}
    assert found[f"HBase gateway {options.gateways[0]}"].state == "ok"
    assert found["HBase gateway 127.0.0.1:1"].state == "failed"
    assert [each.state for part, each in found.items() if part.startswith("tables")] == ["ok"]
