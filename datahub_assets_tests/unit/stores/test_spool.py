"""What is uploaded can be sent again from its start, whatever the source, and its errors are its own."""

import hashlib
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.stores.spool import MEMORY_BYTES, Spool

chunks = st.lists(st.binary(max_size=20), max_size=8)


class Counted:
    """A source that can be read again; counts how often it was."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces, self.times = pieces, 0

    def __iter__(self) -> Iterator[bytes]:
        self.times += 1
        yield from self.pieces


@given(chunks, st.lists(st.integers(0, 10), max_size=4), st.booleans())
def test_stream_begins_anew_each_time(pieces: list[bytes], cuts: list[int], once: bool) -> None:
    """Wherever the times before were cut, the next one gives all bytes, and digest and size are those of the whole."""
    with Spool(iter(pieces) if once else pieces) as spool:
        for cut in cuts:
            for number, _ in enumerate(spool.stream()):
                if number == cut:
                    break
        assert b"".join(spool.stream()) == b"".join(pieces)
        assert (spool.ended, spool.size) == (True, len(b"".join(pieces)))
    with Spool(pieces) as other:
        assert list(other.stream()) == pieces
        assert other.sha256 == spool.sha256


@pytest.mark.parametrize("extra", [0, 1])
def test_few_bytes_are_given_as_one_and_many_are_not(extra: int) -> None:
    """Small files go in one request; large ones stay a stream, which has all bytes still."""
    pieces = [bytes(1 << 20)] * (MEMORY_BYTES >> 20) + [b"x"] * extra
    for source in (pieces, iter(pieces)):
        with Spool(source) as spool:
            whole = spool.whole()
            assert (whole is None) == bool(extra)
            assert sum(map(len, spool.stream())) == MEMORY_BYTES + extra


def test_source_that_can_be_read_again_is_not_copied() -> None:
    """A delivery of 20 GB is read from landing again, not kept a second time."""
    source = Counted([b"a", b"b"])
    with Spool(source) as spool:
        for _ in range(3):
            assert list(spool.stream()) == [b"a", b"b"]
    assert source.times >= 3


def test_error_of_the_source_ends_the_stream_and_is_kept() -> None:
    """The server is told that the upload is over, and then the caller what was wrong: it is not the store's turn."""

    def failing() -> Iterable[bytes]:
        yield b"half"
        raise OSError("the landing file went away")

    with Spool(failing()) as spool:
        assert list(spool.stream()) == [b"half"]
        assert spool.error is not None
    with Spool(failing()) as spool, pytest.raises(OSError, match="landing"):
        spool.whole()


@given(st.lists(st.sampled_from([b"", b"x", b"y" * (100 << 10), b"z" * (5 << 20)]), max_size=6), st.booleans())
def test_what_was_read_ahead_is_not_read_again(pieces: list[bytes], once: bool) -> None:
    """Landing may be far away: whether a file is small is found out once, and the digest is that of all bytes all the same."""
    source = Counted(pieces)
    with Spool(iter(pieces) if once else source) as spool:
        small = spool.whole()
        times = source.times
        content = small if small is not None else b"".join(spool.stream())
        assert source.times == times
        assert content == b"".join(pieces)
        assert (spool.size, spool.sha256) == (len(content), hashlib.sha256(content).hexdigest())
