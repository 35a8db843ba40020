"""What every place where files land promises (``stores.landing``): folders, mounts, WebHDFS, HttpFS, SFTP.

Providers' files are put there by another hand than the one that takes them: by the mount where there is one, else by the
plain REST call.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from datahub_assets.stores.landing import LandingFile, LandingPlace
from datahub_assets.stores.landing_places import open_place
from datahub_assets.stores.sftp.options import SftpOptions
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.hadoop.server import Hadoop
from datahub_assets_tests.sftp_server import SftpServer, sftp

__all__ = ["sftp"]
OLD = datetime(2013, 1, 2, 17, 0, tzinfo=UTC)
Put = Callable[[str, bytes, datetime], None]


@dataclass(frozen=True)
class Landed:
    """A place, and the provider's hand."""

    place: LandingPlace
    put: Put

    def files(self, provider: str | None = None) -> list[LandingFile]:
        """What a look finds."""
        return list(self.place.files(provider))

    def names(self, provider: str | None = None) -> list[str]:
        """The same by name."""
        return [f"{file.provider}/{file.name}" for file in self.files(provider)]


def by_mount(folder: Path) -> Put:
    """A provider that writes into a folder."""

    def put(path: str, content: bytes, at: datetime) -> None:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        os.utime(target, (at.timestamp(), at.timestamp()))

    return put


def by_rest(server: Hadoop, folder: str) -> Put:
    """A provider that writes into HDFS."""
    user = {"user.name": server.superuser}

    def put(path: str, content: bytes, at: datetime) -> None:
        url = f"http://127.0.0.1:{server.ports['httpfs']}/webhdfs/v1{quote(f'{folder}/{path}')}"
        created = {"op": "CREATE", "data": "true", "overwrite": "true", **user}
        headers = {"Content-Type": "application/octet-stream"}
        requests.put(url, content, params=created, headers=headers, timeout=30).raise_for_status()
        millis = str(int(at.timestamp() * 1000))
        times = {"op": "SETTIMES", "modificationtime": millis, "accesstime": millis, **user}
        requests.put(url, params=times, timeout=30).raise_for_status()

    return put


PLACES = ["folder", "sftp", pytest.param("webhdfs", marks=pytest.mark.hdfs), pytest.param("httpfs", marks=pytest.mark.hdfs),
          pytest.param("httpfs over a folder", marks=pytest.mark.hdfs)]  # fmt: skip


@pytest.fixture(params=PLACES)
def landed(request: pytest.FixtureRequest, tmp_path: Path) -> Landed:
    """An empty place of each kind."""
    folder, sftp_options, webhdfs_options = tmp_path / "landing", SftpOptions(), WebHdfsOptions(patience_seconds=30)
    put = by_mount(folder)
    if request.param == "folder":
        url = folder.as_uri()
    elif request.param == "sftp":
        ssh: SftpServer = request.getfixturevalue("sftp")
        url, sftp_options = ssh.url(folder), ssh.options()
    elif request.param == "httpfs over a folder":
        over: Hadoop = request.getfixturevalue("httpfs_folder")
        url = over.url("httpfs", str(folder))
    else:
        server: Hadoop = request.getfixturevalue("hdfs")
        url, put = server.url(request.param, f"/landing{folder}"), by_rest(server, f"/landing{folder}")
    return Landed(open_place(url, webhdfs_options, sftp_options), put)


def test_place_without_files_is_empty(landed: Landed) -> None:
    """A new hub has no landing folder yet, and a mount that is not mounted has none: whether there is one can be asked."""
    assert not landed.place.is_there()
    assert landed.names() == []
    assert landed.names("ecb") == []
    assert not landed.place.archived("ecb", "a.csv", "3-0")


def test_files_are_those_of_providers_folders_by_name(landed: Landed) -> None:
    """Files beside the folders, folders in them, the archive and what is under way belong to no provider."""
    for path in ("iso/b.xml", "ecb/2.csv", "ecb/10.csv", "ecb/deep/x.csv", "stray.csv", ".archive/ecb/0-0-old.csv",
                 "ecb/.hidden", "ecb/a.csv.part", "ecb/a.csv._COPYING_"):  # fmt: skip
        landed.put(path, b"content", OLD)
    assert landed.place.is_there()
    assert landed.names() == ["ecb/10.csv", "ecb/2.csv", "iso/b.xml"]
    assert landed.names("ecb") == ["ecb/10.csv", "ecb/2.csv"]
    assert landed.names("nobody") == []


@pytest.mark.parametrize("size", [0, 7, 10_000_001])
def test_file_has_its_bytes_size_and_time(landed: Landed, size: int) -> None:
    """Exactly, however often it is read: an upload may have to begin anew."""
    content = os.urandom(size)
    landed.put("ecb/a.csv", content, OLD)
    (file,) = landed.files()
    assert (file.size, file.modified_at) == (size, OLD)
    assert file.unchanged()
    chunks = file.chunks()
    for _ in range(2):
        assert b"".join(chunks) == content


def test_file_is_still_for_as_long_as_it_was_not_written(landed: Landed) -> None:
    """By the clock of who keeps it: a young file is young, though clocks may differ by a little."""
    landed.put("ecb/young.csv", b"content", datetime.now(UTC))
    (file,) = landed.files()
    assert file.still_seconds < 60
    time.sleep(2.5)
    (later,) = landed.files()
    assert later.still_seconds > file.still_seconds + 1


@pytest.mark.parametrize("change", ["longer", "newer"])
def test_file_is_unchanged_until_it_is_written_again(landed: Landed, change: str) -> None:
    """Size or time differ: what was read of it may be half of one and half of another."""
    landed.put("ecb/a.csv", b"content", OLD)
    (file,) = landed.files()
    landed.put(
        "ecb/a.csv", b"content" + b" and more" * (change == "longer"), OLD if change == "longer" else datetime.now(UTC)
    )
    assert not file.unchanged()
    landed.place.archive(file, "3-0")
    assert landed.names() == ["ecb/a.csv"]
    assert not landed.place.archived("ecb", "a.csv", "3-0")


def test_archived_file_is_out_of_landing_under_its_receipt(landed: Landed) -> None:
    """The bytes are kept as they came; doing it again changes nothing, and a file that is gone is unchanged no more."""
    landed.put("ecb/a.csv", b"content", OLD)
    (file,) = landed.files()
    for _ in range(2):
        landed.place.archive(file, "3-0")
        assert landed.names() == []
        assert landed.place.archived("ecb", "a.csv", "3-0")
    assert not file.unchanged()
    with pytest.raises(FileNotFoundError):
        b"".join(file.chunks())


def test_control_file_is_removed_beside_its_file(landed: Landed) -> None:
    """It says that a file is whole, which has been taken."""
    landed.put("ecb/a.csv", b"content", OLD)
    landed.put("ecb/a.csv.done", b"", OLD)
    file, _ = landed.files()
    for _ in range(2):
        landed.place.remove_beside(file, ".done")
    assert landed.names() == ["ecb/a.csv"]


@pytest.mark.parametrize("name", ["with space.csv", "ümlaut-日本.csv", "a%20b+c&d?e#f.csv", "x" * 180])
def test_name_may_have_any_characters(landed: Landed, name: str) -> None:
    """Providers' names are kept as they are."""
    landed.put(f"ecb/{name}", b"content", OLD)
    (file,) = landed.files()
    assert file.name == name
    assert b"".join(file.chunks()) == b"content"
    landed.place.archive(file, "3-0")
    assert landed.place.archived("ecb", name, "3-0")
