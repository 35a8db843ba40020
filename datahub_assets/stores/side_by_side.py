"""Several streams read side by side, given one after the other: for ranges of a salted table on several connections.

Each stream runs in a thread while there is room for what nobody has taken yet; the one whose turn it is always may. So the
order is that of reading them one by one, and memory is bounded by the room and an item a stream.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from threading import Condition, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


def side_by_side(
    streams: Sequence[Callable[[], Generator[T, None, None]]], at_once: int, size: Callable[[T], int], room: int
) -> Generator[T, None, None]:
    """The items of all streams, stream by stream.

    Args:
        streams: each is begun when its turn comes near, and closed in the thread that runs it.
        at_once: how many run side by side; 1: none has a thread of its own.
        size: of an item.
        room: items that nobody has taken yet together have this size at most, but for one of each stream.

    >>> list(side_by_side([lambda: (n for n in "ab"), lambda: (n for n in "c")], 2, len, 1))
    ['a', 'b', 'c']
    """
    if at_once == 1 or len(streams) == 1:
        for stream in streams:
            with closing(stream()) as items:
                yield from items
        return
    reading = _Reading(streams, size, room)
    threads = [Thread(target=reading.run, name=f"read-{n}", daemon=True) for n in range(min(at_once, len(streams)))]
    for thread in threads:
        thread.start()
    try:
        for number in range(len(streams)):
            yield from reading.items(number)
    finally:
        reading.stop()
        for thread in threads:
            thread.join()


class _Reading(Generic[T]):
    """What the threads and the one who takes share."""

    def __init__(
        self, streams: Sequence[Callable[[], Generator[T, None, None]]], size: Callable[[T], int], room: int
    ) -> None:
        self._streams, self._size, self._room = streams, size, room
        self._read: list[deque[T]] = [deque() for _ in streams]
        self._ended = [False] * len(streams)
        self._next = self._turn = 0
        self._stopped = False
        self._problem: BaseException | None = None
        self._changed = Condition()

    def items(self, number: int) -> Generator[T, None, None]:
        """The items of one stream, as they are read."""
        with self._changed:
            self._turn = number
            self._changed.notify_all()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._read[number] or self._ended[number] or self._problem)
                if self._read[number]:
                    item = self._read[number].popleft()
                    self._room += self._size(item)
                    self._changed.notify_all()
                elif self._problem:
                    raise self._problem
                else:
                    return
            yield item
            del item  # or it would be there together with the next

    def run(self) -> None:
        """Streams are read, one after the other, until there are no more."""
        try:
            while (number := self._begin()) is not None:
                with closing(self._streams[number]()) as items:
                    for item in items:
                        if not self._put(number, item):
                            return
                with self._changed:
                    self._ended[number] = True
                    self._changed.notify_all()
        except BaseException as problem:  # raised by the one who takes
            with self._changed:
                self._problem = self._problem or problem
                self._changed.notify_all()

    def stop(self) -> None:
        """Nobody takes any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _begin(self) -> int | None:
        with self._changed:
            if self._stopped or self._next == len(self._streams):
                return None
            self._next += 1
            return self._next - 1

    def _put(self, number: int, item: T) -> bool:
        """The item waits to be taken; False when nobody will."""
        with self._changed:
            self._read[number].append(item)
            self._room -= self._size(item)
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._stopped or self._room > 0 or (number == self._turn and not self._read[number])
            )
            return not self._stopped
