"""Streams read side by side: the order is that of reading them one by one, memory is bounded, nothing hangs."""

import threading
import time
from collections.abc import Callable, Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.stores.side_by_side import side_by_side

Stream = Callable[[], Generator[bytes, None, None]]


def stream(items: list[bytes]) -> Stream:
    """A stream of these items."""
    return lambda: (item for item in items)


@given(st.lists(st.lists(st.binary(max_size=9), max_size=6), max_size=9), st.integers(1, 5), st.integers(0, 20))
def test_items_come_stream_by_stream(items: list[list[bytes]], at_once: int, room: int) -> None:
    """However many run at once and however little room there is."""
    assert list(side_by_side(list(map(stream, items)), at_once, len, room)) == [item for each in items for item in each]


def test_streams_run_at_the_same_time() -> None:
    """Four streams that wait for one another: none could end alone."""
    together = threading.Barrier(4, timeout=30)

    def waiting() -> Generator[bytes, None, None]:
        together.wait()
        yield b"x"

    assert list(side_by_side([waiting] * 4, 4, len, 10)) == [b"x"] * 4


def test_no_more_is_read_than_there_is_room_for() -> None:
    """A slow reader: what waits for its turn stays below the room and an item a stream."""
    made = taken = most = 0

    def large() -> Generator[bytes, None, None]:
        nonlocal made
        for _ in range(50):
            made += 1
            yield bytes(100)

    for _ in side_by_side([large] * 6, 3, len, 1_000):
        most, taken = max(most, made - taken), taken + 1
        time.sleep(0.0005)
    assert taken == 300
    assert most <= 10 + 2 * 3 + 1


def test_error_of_a_stream_is_raised_by_the_reader() -> None:
    """Also that of a stream whose turn has not come; threads end."""

    def failing() -> Generator[bytes, None, None]:
        yield b"x"
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        list(side_by_side([stream([b"a"] * 3), failing], 2, len, 10))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-")]


def test_reader_that_stops_early_closes_every_stream() -> None:
    """Each stream that was begun is closed, in the thread that ran it; none is begun any more."""
    begun, closed = list[str](), list[str]()

    def noted() -> Generator[bytes, None, None]:
        name = threading.current_thread().name
        begun.append(name)
        try:
            while True:
                yield bytes(10)
        finally:
            assert threading.current_thread().name == name
            closed.append(name)

    reading = side_by_side([noted] * 10, 3, len, 100)
    assert next(reading) == bytes(10)
    reading.close()
    assert sorted(begun) == sorted(closed)
    assert len(begun) <= 3
