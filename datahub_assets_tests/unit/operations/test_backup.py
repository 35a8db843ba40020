"""A backup is a hub that says what its source said, taken while others write."""

import json
import threading
from pathlib import Path

import pytest

from datahub_assets.errors import DeclarationError
from datahub_assets.operations.backup import back_up
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.reconcile import reconcile
from datahub_assets.settings import SETTINGS_FILE, load
from datahub_assets.stores.vault import log_path
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, open_hub
from datahub_assets_tests.unit.operations.story import REPORT, answers, arrives, stored_bytes


@pytest.mark.parametrize("link", [True, False])
def test_backup_answers_as_its_source(story: Hub, tmp_path: Path, link: bool) -> None:
    """Every dataset at every position is the same in the copy, whether its files are links or copies."""
    made = back_up(story, tmp_path / "copy", link=link)
    assert made.position == 15
    assert answers(open_hub(tmp_path / "copy")) == answers(story)


def test_backup_lives_on_by_itself(story: Hub, tmp_path: Path) -> None:
    """The copy takes deliveries of its own, and neither hub sees the other's."""
    back_up(story, tmp_path / "copy")
    said, copy = answers(story), open_hub(tmp_path / "copy")
    arrives(copy, PRICES, "2024-01-09", A=3)
    assert copy.log.last() == 18
    assert story.log.last() == 15
    assert answers(open_hub(story.settings.home)) == said


def test_backup_again_copies_only_what_is_new(story: Hub, tmp_path: Path) -> None:
    """A backup is brought up to date: files that are there are not copied, and it answers for the new positions."""
    first = back_up(story, tmp_path / "copy")
    assert back_up(story, tmp_path / "copy").new_files == 0
    arrives(story, PRICES, "2024-01-09", A=3)
    second = back_up(story, tmp_path / "copy")
    assert 0 < second.new_files == second.files - first.files
    assert answers(open_hub(tmp_path / "copy")) == answers(story)


def test_copy_has_no_entry_in_its_vault_that_its_log_lacks(story: Hub, tmp_path: Path) -> None:
    """What was committed after the log was copied is in the next backup; in this one it would contradict the copy's log."""
    story.files.publish(log_path(16), [b"of a commit that came while files were copied"])
    assert back_up(story, tmp_path / "copy").position == 15
    copy = open_hub(tmp_path / "copy")
    arrives(copy, PRICES, "2024-01-09", A=3)
    assert copy.log.last() == 18


def test_backup_draws_no_write_id_again(story: Hub, tmp_path: Path) -> None:
    """Rows of a writer that had not committed are in the copy under their write id: it is not drawn again there."""
    contract, drawn = story.contract(PRICES), story.log.draw(f"write_id {PRICES}")
    table = next(story.structured.read(contract, "2024-01-03", 2))
    story.structured.write(contract, [("2024-01-03", table)], drawn)
    back_up(story, tmp_path / "copy")
    assert open_hub(tmp_path / "copy").log.draw(f"write_id {PRICES}") > drawn


def test_backup_while_deliveries_arrive_is_whole(story: Hub, tmp_path: Path) -> None:
    """Whatever moment each table was copied at, all that the copied log names is there."""
    stop = threading.Event()

    def deliver() -> None:
        hub = open_hub(story.settings.home)
        for number in range(200):
            if stop.is_set():
                break
            arrives(hub, PRICES, "2024-01-09", A=number + 1)

    writer = threading.Thread(target=deliver)
    writer.start()
    try:
        positions = []
        for number in range(4):
            positions.append(back_up(story, tmp_path / f"copy{number}").position)
            copy = open_hub(tmp_path / f"copy{number}")
            assert copy.log.last() == positions[-1]
            found = [
                one for dataset in (PRICES, INSTRUMENTS, REPORT) for one in reconcile(copy, dataset, positions[-1])
            ]
            assert [one.finding for one in found if not one.equal] == []
    finally:
        stop.set()
        writer.join()
    assert positions == sorted(positions)


def test_backup_says_when_it_is_whole(story: Hub, tmp_path: Path) -> None:
    """The manifest is written last: a copy without it was not finished."""
    made = back_up(story, tmp_path / "copy")
    told = json.loads((tmp_path / "copy" / "backup.json").read_text())
    assert (told["position"], told["files"]) == (made.position, made.files)


def test_backup_does_not_lead_back_to_its_source(story: Hub, tmp_path: Path) -> None:
    """Folders that the source's settings name are not the copy's: they are left in as comments."""
    root = story.settings.root_url
    (story.settings.home / SETTINGS_FILE).write_text(f'root = "{root}"\ntimezone = "Europe/Paris"\n')
    back_up(story, tmp_path / "copy")
    settings = load(tmp_path / "copy")
    assert settings.root_url == (tmp_path / "copy" / "root").as_uri()
    assert settings.timezone == "Europe/Paris"


def test_backup_refuses_a_folder_that_is_something_else(story: Hub, tmp_path: Path) -> None:
    """Nothing is written among other files, into the hub itself, or over another hub."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    before = stored_bytes(story)
    for folder in (tmp_path / "other", story.settings.home / "copy", story.settings.home):
        with pytest.raises(DeclarationError):
            back_up(story, folder)
    assert stored_bytes(story) == before
