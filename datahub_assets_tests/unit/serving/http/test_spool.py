"""Files that are asked for in parts: made once, kept while there is room, readable to their end by whoever has one open."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from datahub_assets.serving.http.spool import Spool
from datahub_assets.serving.refusals import TooLong


def _size(spool: Spool, name: str, pieces: Iterable[bytes]) -> int:
    file, size = spool.opened(name, lambda: pieces)
    with file:
        assert len(file.read()) == size
    return size


def test_file_is_made_once_by_whoever_comes_first() -> None:
    """Sixteen who ask at once wait for one making of it."""
    spool, made = Spool(1_000), []

    def pieces() -> Iterator[bytes]:
        made.append(1)
        yield b"x" * 100

    def read(_: int) -> int:
        file, size = spool.opened("a", pieces)
        with file:
            return len(file.read()) if size == 100 else -1

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(read, range(16))) == {100}
    assert made == [1]


def test_longest_unused_file_goes_when_there_is_no_room() -> None:
    """Who has it open reads it to its end."""
    spool = Spool(250)
    opened, _ = spool.opened("a", lambda: [b"a" * 100])
    for name in "bc":
        assert _size(spool, name, [b"x" * 100]) == 100
    assert _size(spool, "b", []) == 100  # still there
    assert _size(spool, "a", [b"again"]) == 5  # gone, made anew
    with opened:
        assert opened.read() == b"a" * 100


def test_making_that_fails_leaves_nothing() -> None:
    """The next who asks makes it."""
    spool = Spool(50)
    with pytest.raises(TooLong):
        spool.opened("a", lambda: [b"x" * 30, b"x" * 30])
    assert _size(spool, "a", [b"small"]) == 5
