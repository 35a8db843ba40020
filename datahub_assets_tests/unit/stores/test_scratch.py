"""Folders for work go with it; what killed processes left goes with the next work of the kind, and nobody's who lives."""

import gc
import os
from contextlib import suppress
from pathlib import Path

from datahub_assets.stores.scratch import Scratch
from datahub_assets_tests.contracts.processes import child, in_processes
from datahub_assets_tests.contracts.workers import keep_scratch, use_scratch_often


def test_folder_is_gone_with_its_work(tmp_path: Path) -> None:
    """Closed, left with an error, or forgotten."""
    with suppress(OSError), Scratch("drop", tmp_path) as folder:
        (folder / "half").write_bytes(b"half")
        raise OSError("disk full")
    assert list(tmp_path.iterdir()) == []
    closed, forgotten = Scratch("http", tmp_path), Scratch("http", tmp_path)
    closed.close()
    closed.close()
    assert list(tmp_path.iterdir()) == [forgotten.path]
    del forgotten
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_of_its_purpose(tmp_path: Path) -> None:
    """Not what a living one has, in this process or another, nor what has another purpose or is another user's."""
    others = tmp_path / "datahub-serving-of-somebody"
    others.mkdir()
    if os.getuid() == 0:
        os.chown(others, 65534, 65534)
    with (
        child(keep_scratch, tmp_path) as killed,
        child(keep_scratch, tmp_path) as lives,
        Scratch("serving", tmp_path) as mine,
    ):
        left, in_use = killed.receive(), lives.receive()
        killed.kill()
        assert (left / "spilled").exists()
        with Scratch("extract", tmp_path):
            assert left.exists()
        with Scratch("serving", tmp_path):
            assert not left.exists()
        assert (in_use / "spilled").exists()
        assert mine.exists()
    assert others.exists() == (os.getuid() == 0)


def test_processes_that_begin_at_once_take_nothing_from_each_other(tmp_path: Path) -> None:
    """One looks for what is left over between the moments when another has made its folder and has locked it."""
    assert in_processes(use_scratch_often, [(tmp_path, 200)] * 6) == [200] * 6
    assert list(tmp_path.iterdir()) == []


def test_link_under_such_a_name_is_not_followed(tmp_path: Path) -> None:
    """Whoever may write there cannot have another folder removed."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "datahub-serving-trap").symlink_to(precious)
    Scratch("serving", tmp_path).close()
    assert precious.exists()
