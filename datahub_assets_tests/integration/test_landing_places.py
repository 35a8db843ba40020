"""Files that land in several places at once are picked up by one look, by the same rules; a place that fails stops no other."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from datahub_assets.errors import StoreRefused, StoreUnavailable
from datahub_assets.operations.receive import look, receive
from datahub_assets.stores.landing_places import open_place
from datahub_assets.stores.sftp.options import SftpOptions
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.hadoop.server import Hadoop
from datahub_assets_tests.hubs import PRICES, D, land, price_of, prices, small_hub, work
from datahub_assets_tests.sftp_server import SftpServer, sftp, sftp_server

__all__ = ["sftp"]
pytestmark = pytest.mark.timeout(600)
MIB = 1 << 20


def dropped(folder: Path, day: int, **told: object) -> None:
    """A provider's prices file of the day is in a landing folder."""
    target = folder / "px" / f"prices_{D[day]:%Y%m%d}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(prices(D[day], **told))


def test_files_of_all_places_become_deliveries(sftp: SftpServer, httpfs_folder: Hadoop, tmp_path: Path) -> None:
    """Own folder, another folder, SFTP, HttpFS: one look takes them all, and each is archived where it lay."""
    places = ["elsewhere", sftp.url(tmp_path / "by sftp"), httpfs_folder.url("httpfs", f"{tmp_path}/by-http")]
    also = ", ".join(f'"{place}"' for place in places)
    hub = small_hub(tmp_path / "hub", PRICES, settings=f"landing_also = [{also}]\n{sftp.settings()}")
    land(hub, PRICES, D[0], prices(D[0], A=1))
    folders = [tmp_path / "hub" / "elsewhere", tmp_path / "by sftp", tmp_path / "by-http"]
    for day, folder in enumerate(folders, 1):
        dropped(folder, day, A=day + 1)
    assert [step.error for step in work(hub) if step.error] == []
    assert [price_of(hub, "A", day) for day in D[:4]] == [1, 2, 3, 4]
    assert look(hub).ready == ()
    for folder in folders:
        assert len(list((folder / ".archive" / "px").iterdir())) == 1
    assert work(hub) == []


@pytest.mark.hdfs
def test_landing_may_be_on_the_root(hdfs: Hadoop, tmp_path: Path) -> None:
    """Where the vault is, wherever that is: providers drop into the same filesystem."""
    root = hdfs.url("httpfs", f"/tests{tmp_path}/files")
    hub = small_hub(tmp_path / "hub", PRICES, settings=f'root = "{root}"\nlanding_also = ["root:/landing"]\n')
    url = (
        f"http://127.0.0.1:{hdfs.ports['httpfs']}/webhdfs/v1/tests{tmp_path}/files/landing/px/prices_{D[0]:%Y%m%d}.csv"
    )
    params = {"op": "CREATE", "data": "true", "user.name": hdfs.superuser}
    content = prices(D[0], A=7).encode()
    requests.put(
        url, content, params=params, headers={"Content-Type": "application/octet-stream"}, timeout=30
    ).raise_for_status()
    assert [step.error for step in work(hub) if step.error] == []
    assert price_of(hub, "A", D[0]) == 7


@pytest.mark.hdfs
@pytest.mark.parametrize("door", ["webhdfs", "httpfs"])
def test_file_that_hdfs_is_still_writing_is_not_still(hdfs: Hadoop, tmp_path: Path, door: str) -> None:
    """Its size and time stand while it is written: only HDFS knows, and is asked."""
    folder, goes_on = f"/writing{tmp_path}", threading.Event()
    url = f"http://127.0.0.1:{hdfs.ports['httpfs']}/webhdfs/v1{folder}/px/prices.csv"

    def slowly() -> Iterator[bytes]:
        yield b"x" * MIB
        goes_on.wait(60)
        yield b"y"

    params = {"op": "CREATE", "data": "true", "user.name": hdfs.superuser}
    headers = {"Content-Type": "application/octet-stream"}
    writer = threading.Thread(
        target=lambda: requests.put(url, data=slowly(), params=params, headers=headers, timeout=60)
    )
    writer.start()
    try:
        place = open_place(hdfs.url(door, folder), WebHdfsOptions(), SftpOptions())  # type: ignore[arg-type]
        until = time.monotonic() + 30
        while not (found := list(place.files())) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(2)
        (file,) = place.files()
        assert file.still_seconds < 0
    finally:
        goes_on.set()
        writer.join()
    assert found
    time.sleep(2)
    (file,) = place.files()
    assert file.size == MIB + 1
    assert file.still_seconds > 0


# -- places that fail ------------------------------------------------------------------------------------------------------


def test_place_that_does_not_answer_is_told_and_stops_no_other(tmp_path: Path) -> None:
    """What landed elsewhere is taken; what is missing has a reason that says whose turn it is."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # not listening
        url = f"sftp://hub@127.0.0.1:{nobody.getsockname()[1]}/landing"
        settings = f'landing_also = ["{url}"]\n[sftp]\npatience_seconds = 1\n'
        hub = small_hub(tmp_path / "hub", PRICES, settings=settings)
        land(hub, PRICES, D[0], prices(D[0], A=1))
        (error,) = [step.error for step in work(hub) if step.error]
    assert isinstance(error, StoreUnavailable)
    assert error.what == "Cannot list"
    assert url.partition("@")[2] in str(error.where)
    assert error.turn == "the operator of the store"
    assert price_of(hub, "A", D[0]) == 1


def test_landing_that_cannot_be_looked_into_at_all_is_an_error(tmp_path: Path) -> None:
    """A mount that fails must not read as an empty folder."""
    hub = small_hub(tmp_path / "hub", PRICES)
    hub.settings.landing.write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable, match="Cannot look into landing"):
        look(hub)


def test_sftp_connection_that_broke_is_made_again(sftp: SftpServer, tmp_path: Path) -> None:
    """Between two looks, and in the middle of a file: reading goes on from where it was."""
    content = hashlib.shake_256(b"content").digest(12 * MIB)
    (tmp_path / "ecb").mkdir()
    (tmp_path / "ecb" / "a.csv").write_bytes(content)
    place = open_place(sftp.url(tmp_path), WebHdfsOptions(), sftp.options(patience_seconds=30))
    (file,) = place.files()
    assert sftp.hang_up() > 0
    assert [each.name for each in place.files()] == ["a.csv"]
    chunks = iter(file.chunks())
    found = next(chunks)
    assert sftp.hang_up() > 0
    assert found + b"".join(chunks) == content


def test_sftp_server_whose_key_is_not_known_is_refused(sftp: SftpServer, tmp_path: Path) -> None:
    """Whoever answers instead of the provider's server gets no file and gives none."""
    (tmp_path / "known_hosts").write_text("")
    unknown = open_place(sftp.url(tmp_path), WebHdfsOptions(), sftp.options(known_hosts=tmp_path / "known_hosts"))
    with pytest.raises(StoreRefused, match="known_hosts"):
        list(unknown.files())
    with sftp_server(tmp_path / "another") as other:
        other_key = (other.folder / "host.pub").read_text()
        (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{sftp.port} {other_key}")
    options = sftp.options(known_hosts=tmp_path / "known_hosts", patience_seconds=6)
    changed = open_place(sftp.url(tmp_path), WebHdfsOptions(), options)
    with pytest.raises(StoreRefused, match="known_hosts"):
        list(changed.files())


def test_sftp_user_whose_key_is_not_taken_is_refused(sftp: SftpServer, tmp_path: Path) -> None:
    """At once: trying again locks accounts."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    place = open_place(
        sftp.url(tmp_path), WebHdfsOptions(), sftp.options(key_file=tmp_path / "other", patience_seconds=600)
    )
    with pytest.raises(StoreRefused, match="key_file"):
        list(place.files())


# -- very many, very large --------------------------------------------------------------------------------------------------


def test_many_small_files_by_sftp(sftp: SftpServer, tmp_path: Path) -> None:
    """Hundreds of files in one look, each a delivery of its day, all archived."""
    hub = small_hub(tmp_path / "hub", PRICES, settings=f'landing_also = ["{sftp.url(tmp_path / "drop")}"]\n{sftp.settings()}',
                    declared={PRICES: {"feed": {"pattern": "prices_{business_date:%Y%m%d}_{sequence}.csv"}}})  # fmt: skip
    (tmp_path / "drop" / "px").mkdir(parents=True)
    for number in range(300):
        (tmp_path / "drop" / "px" / f"prices_{D[0]:%Y%m%d}_{number + 1}.csv").write_text(prices(D[0], A=number + 1))
    assert len(look(hub).ready) == 300
    began = time.monotonic()
    received = [receive(hub, arrival).outcome for arrival in look(hub).ready[:60]]
    assert received == ["received"] * 60
    assert time.monotonic() - began < 60
    assert len(look(hub).ready) == 240


_KEEP = """
import sys
from pathlib import Path
from datahub_assets.stores.landing_places import open_place
from datahub_assets.stores.roots import open_files
from datahub_assets.stores.sftp.options import SftpOptions
from datahub_assets.stores.vault import Vault
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.memory import peak_megabytes
landing, root, key, hosts = sys.argv[1:]
place = open_place(landing, WebHdfsOptions(), SftpOptions(key_file=Path(key), known_hosts=Path(hosts)))
vault = Vault(open_files(root, WebHdfsOptions()))
vault.keep("warm/up", [b"x"])
(file,) = place.files()
before = peak_megabytes()
facts = vault.keep("px/prices", file.chunks())
grown = peak_megabytes() - before
print(facts.size, facts.sha256, int(grown))
"""


@pytest.mark.hdfs
@pytest.mark.parametrize("size", [200 * MIB, pytest.param(20 << 30, marks=pytest.mark.soak)], ids=["200 MB", "20 GB"])
def test_one_very_large_file_by_sftp_goes_to_the_vault_on_hdfs_in_little_memory(
    sftp: SftpServer, hdfs: Hadoop, tmp_path: Path, size: int
) -> None:
    """From one server to the other without lying here: memory does not grow with the file."""
    (tmp_path / "px").mkdir()
    piece, digest = os.urandom(MIB), hashlib.sha256()
    with (tmp_path / "px" / "prices.csv").open("wb") as target:
        for number in range(size // MIB):
            target.write(piece[number % 1000 :] + piece[: number % 1000])
            digest.update(piece[number % 1000 :] + piece[: number % 1000])
    keys = [str(sftp.folder / "user"), str(sftp.folder / "known_hosts")]
    command = [sys.executable, "-c", _KEEP, sftp.url(tmp_path), hdfs.url("httpfs", f"/large{tmp_path}"), *keys]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kept, sha256, grown = done.stdout.split()
    assert (int(kept), sha256) == (size, digest.hexdigest())
    assert int(grown) < 64
