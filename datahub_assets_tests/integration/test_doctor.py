"""The doctor with a hub whose parts are all on real servers: all well, and then one after the other gone."""

import json
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
    """Each gateway, a commit to a scratch table, and rows loaded as files; a gateway that is gone is told while the other one
    works, and so is a tool that is not there.
    """
    options = hbase.options_for_files(tmp_path / "staging")
    lines = {
        "gateways": [*options.gateways, "127.0.0.1:1"], "table_prefix": options.table_prefix, "connect_seconds": 1,
        "hfile_staging": options.hfile_staging, "hbase_command": options.hbase_command,
    }  # fmt: skip
    settings = "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
    small_hub(tmp_path / "hub", PRICES, settings=f'table_store = "hbase"\n[hbase]\n{settings}')
    found = list(examine(load(tmp_path / "hub")))
    gateways = {each.part: each.state for each in found if each.part.startswith("HBase gateway")}
    assert gateways == {f"HBase gateway {options.gateways[0]}": "ok", "HBase gateway 127.0.0.1:1": "failed"}
    tables = {each.check: each.state for each in found if each.part.startswith("tables")}
    assert tables == {"commit": "ok", "log": "ok", "HFiles": "ok"}
    wrong = settings.replace(json.dumps(options.hbase_command), '["no-such-program"]')
    small_hub(tmp_path / "other", PRICES, settings=f'table_store = "hbase"\n[hbase]\n{wrong}')
    (files,) = (each for each in examine(load(tmp_path / "other")) if each.check == "HFiles")
    assert (files.state, "hbase.hbase_command" in files.remedy) == ("failed", True)
