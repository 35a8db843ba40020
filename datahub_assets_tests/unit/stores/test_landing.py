"""Landing folders: what is there, whether it is still, and where it goes."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datahub_assets.errors import StoreUnavailable
from datahub_assets.history.log import Delivery
from datahub_assets.stores.landing import Landing
from datahub_assets_tests.strategies import EPOCH


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """A landing folder without providers."""
    (tmp_path / "landing").mkdir()
    return Landing(tmp_path / "landing")


def drop(landing: Landing, path: str, content: bytes = b"content") -> Path:
    """A provider's file is there."""
    target = landing.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def names(landing: Landing, provider: str | None = None) -> list[str]:
    """What a look finds."""
    return [f"{file.provider}/{file.name}" for file in landing.files(provider)]


def test_files_are_those_of_providers_folders_by_name(landing: Landing) -> None:
    """Files beside the folders, folders in them and the archive belong to no provider."""
    for path in ("iso/b.xml", "ecb/2.csv", "ecb/10.csv", "ecb/deep/x.csv", "stray.csv", ".archive/ecb/0-0-old.csv"):
        drop(landing, path)
    assert names(landing) == ["ecb/10.csv", "ecb/2.csv", "iso/b.xml"]
    assert names(landing, "ecb") == ["ecb/10.csv", "ecb/2.csv"]
    assert names(landing, "nobody") == []


@pytest.mark.parametrize(
    "name", [".hidden", "a.part", "a.PARTIAL", "a.tmp", "a.filepart", "a.crdownload", ".a.swp", "a.csv~"]
)
def test_file_that_names_itself_partial_is_left_out(landing: Landing, name: str) -> None:
    """Transfer programs name what is under way so; it is no file until it is renamed."""
    drop(landing, f"ecb/{name}")
    drop(landing, "ecb/partial.csv")
    assert names(landing) == ["ecb/partial.csv"]


def test_look_at_a_landing_folder_that_is_absent_finds_nothing(tmp_path: Path) -> None:
    """A new hub has none yet."""
    assert list(Landing(tmp_path / "absent").files()) == []


def test_look_says_when_landing_cannot_be_looked_into(tmp_path: Path) -> None:
    """A mount that fails must not read as an empty folder."""
    drop(Landing(tmp_path), "landing", b"a file where the folder should be")
    with pytest.raises(StoreUnavailable):
        list(Landing(tmp_path / "landing").files())


def test_file_has_its_own_time_in_whole_milliseconds(landing: Landing) -> None:
    """The log keeps milliseconds; an instant that it cannot keep would differ after reading it back."""
    path = drop(landing, "ecb/a.csv")
    os.utime(path, ns=(0, 1_357_146_000_123_999_999))
    (file,) = landing.files()
    assert file.modified_at == datetime(2013, 1, 2, 17, 0, 0, 123_000, UTC)
    assert file.size == 7


def test_file_that_keeps_an_old_time_is_young_when_it_was_just_copied(landing: Landing) -> None:
    """``cp -p`` and SFTP keep the modification time: stillness counts from the change of the inode."""
    path = drop(landing, "ecb/a.csv")
    os.utime(path, (0, 0))
    (file,) = landing.files()
    assert file.still_seconds < 60


@pytest.mark.parametrize("change", ["longer", "newer", "gone"])
def test_file_is_unchanged_until_it_is_written_again(landing: Landing, change: str) -> None:
    """Size or time differ, or it is gone: what was read of it may be half of one and half of another."""
    path = drop(landing, "ecb/a.csv")
    (file,) = landing.files()
    assert file.unchanged()
    if change == "longer":
        modified = path.stat().st_mtime_ns
        drop(landing, "ecb/a.csv", b"content and more")
        os.utime(path, ns=(modified, modified))
    elif change == "newer":
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 1))
    else:
        path.unlink()
    assert not file.unchanged()


def test_archived_file_is_out_of_landing_under_its_receipt(landing: Landing) -> None:
    """The bytes are kept as they came; doing it again changes nothing."""
    drop(landing, "ecb/a.csv")
    (file,) = landing.files()
    assert not landing.archived("ecb", "a.csv", "3-0")
    for _ in range(2):
        landing.archive(file, "3-0")
    assert names(landing) == []
    assert landing.archived("ecb", "a.csv", "3-0")
    assert (landing.folder / ".archive/ecb/3-0-a.csv").read_bytes() == b"content"


def test_file_that_was_replaced_since_the_look_is_not_archived(landing: Landing) -> None:
    """The provider corrected it while the first was parsed: archived with that one's receipt, it would never be read."""
    drop(landing, "ecb/a.csv")
    (file,) = landing.files()
    drop(landing, "ecb/a.csv", b"correction")
    landing.archive(file, "3-0")
    assert names(landing) == ["ecb/a.csv"]
    assert not landing.archived("ecb", "a.csv", "3-0")
    (correction,) = landing.files()
    landing.archive(correction, "4-0")
    assert (landing.folder / ".archive/ecb/4-0-a.csv").read_bytes() == b"correction"


def test_look_goes_on_when_another_process_archives_a_file_meanwhile(landing: Landing) -> None:
    """Two sensors look at once: one that finds a file gone still tells of those behind it."""
    for name in ("a", "b", "c"):
        drop(landing, f"ecb/{name}")
    drop(landing, "iso/d")
    look = landing.files()
    found = [next(look).name]
    (landing.folder / "ecb/b").unlink()
    assert found + [file.name for file in look] == ["a", "c", "d"]


def test_name_that_is_not_utf8_can_be_written_down(landing: Landing) -> None:
    """Providers' names are bytes: one in Latin-1 must not stop the log, in which a name is text."""
    folder = os.fsencode(landing.folder / "ecb")
    os.mkdir(folder)
    with open(folder + b"/caf\xe9.csv", "wb") as target:
        target.write(b"content")
    (file,) = landing.files()
    assert file.name == "caf\\xe9.csv"
    assert b"".join(file.chunks()) == b"content"
    assert Delivery("ecb/fx", file.name, "00", 7, EPOCH, ()).to_json().encode()
    landing.archive(file, "3-0")
    assert landing.archived("ecb", file.name, "3-0")
