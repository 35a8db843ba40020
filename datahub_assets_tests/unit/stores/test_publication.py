"""Publishing by claims, on the worst filesystem there may be, in every order that hypothesis thinks of.

Its renames replace what is there, and each step of one publisher may come between any two steps of another, which may also
stop for good anywhere. Real servers are in ``contracts/test_file_store.py``; they cannot be made to take turns.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import StoreConflict
from datahub_assets.stores.publication import TEMPORARY, claims_folder, settle

T = TypeVar("T")
TARGET = "folder/name"


class Stopped(BaseException):
    """A publisher that died."""


class Worst:
    """Names and what they hold, as several publishers see them. A rename replaces what is there; history is kept."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.published: list[str] = []
        """What the target ever held, one after the other."""

    def names(self, folder: str) -> Sequence[str]:
        return [path.removeprefix(f"{folder}/") for path in self.files if path.startswith(f"{folder}/")]

    def is_there(self, path: str) -> bool:
        return path in self.files

    def move(self, source: str, target: str) -> bool:
        if source not in self.files:
            return False
        self.files[target] = self.files.pop(source)
        if target == TARGET:
            self.published.append(self.files[target])
        return True

    def sha256(self, path: str) -> str:
        return self.files[path]


class Turns:
    """Threads that take turns: each waits before a step until it is its turn, in the order that is given."""

    def __init__(self, order: Sequence[int], count: int) -> None:
        self._order, self._waiting = list(order), set(range(count))
        self._changed = threading.Condition()
        self._turn = self._next()

    def wait(self, number: int) -> None:
        """Returns when it is the thread's turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._turn == number)

    def done(self, number: int, *, ended: bool = False) -> None:
        """The thread has made its step, or will make none any more."""
        with self._changed:
            if ended:
                self._waiting.discard(number)
            self._turn = self._next()
            self._changed.notify_all()

    def _next(self) -> int | None:
        while self._order:
            number = self._order.pop(0)
            if number in self._waiting:
                return number
        return min(self._waiting, default=None)


class Seen:
    """The filesystem as one publisher sees it: each call waits for its turn. Dies at the step that is given."""

    def __init__(self, worst: Worst, turns: Turns, number: int, dies_at: int | None) -> None:
        self._worst, self._turns, self._number, self._left = worst, turns, number, dies_at

    def names(self, folder: str) -> Sequence[str]:
        return self._step(lambda: self._worst.names(folder))

    def is_there(self, path: str) -> bool:
        return self._step(lambda: self._worst.is_there(path))

    def move(self, source: str, target: str) -> bool:
        return self._step(lambda: self._worst.move(source, target))

    def sha256(self, path: str) -> str:
        return self._step(lambda: self._worst.sha256(path))

    def _step(self, call: Callable[[], T]) -> T:
        self._turns.wait(self._number)
        try:
            if self._left == 0:
                raise Stopped
            self._left = None if self._left is None else self._left - 1
            return call()
        finally:
            self._turns.done(self._number)


def publish_all(digests: Sequence[str], order: Sequence[int], deaths: dict[int, int]) -> tuple[Worst, list[str]]:
    """Publishers of these bytes, in this order of steps: the filesystem afterwards, and what each was told."""
    worst, turns, told = Worst(), Turns(order, len(digests)), [""] * len(digests)
    for number, digest in enumerate(digests):
        worst.files[f"{claims_folder(TARGET)}/{TEMPORARY}{number}"] = digest

    def publish(number: int) -> None:
        names = Seen(worst, turns, number, deaths.get(number))
        try:
            settle(names, f"{claims_folder(TARGET)}/{TEMPORARY}{number}", TARGET, digests[number], str(number))
            told[number] = "published"
        except StoreConflict:
            told[number] = "conflict"
        except Stopped:
            told[number] = "died"
        finally:
            turns.done(number, ended=True)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(len(digests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return worst, told


publishers = st.lists(st.sampled_from("abc"), min_size=2, max_size=3)
orders = st.lists(st.integers(0, 2), max_size=60)


@given(publishers, orders)
def test_published_name_never_holds_other_bytes(digests: list[str], order: list[int]) -> None:
    """However the steps fall: the name gets its bytes once (the same bytes may come twice), and who is told so is right."""
    worst, told = publish_all(digests, order, {})
    assert len(set(worst.published)) == 1
    for digest, outcome in zip(digests, told, strict=True):
        assert (outcome == "published") == (digest == worst.published[0])


@given(publishers, orders, st.dictionaries(st.integers(0, 1), st.integers(0, 12), min_size=1))
def test_publisher_that_dies_stops_nobody(digests: list[str], order: list[int], deaths: dict[int, int]) -> None:
    """Anywhere: what it left is no lock. Who lives publishes, or is told that other bytes are there."""
    worst, told = publish_all([*digests, "d"], order, deaths)
    assert len(set(worst.published)) == 1
    for digest, outcome in zip([*digests, "d"], told, strict=True):
        assert outcome == "died" or (outcome == "published") == (digest == worst.published[0])
