"""What the workers of one test run share: the first that asks starts it, the last that leaves ends it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def shared(users: Path, begin: Callable[[int], T], end: Callable[[T], None]) -> Iterator[T]:
    """Something that all workers of the test run share.

    Args:
        users: a file of the test run, the same for all workers; counts those that use it.
        begin: finds what another worker has started, or starts it; is given the process that it belongs to.
        end: ends it.
    """
    with _locked(users):
        # with workers, it belongs to the process that started them all
        one = begin(os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid())
        _count(users, +1)
    try:
        yield one
    finally:
        with _locked(users):
            if not _count(users, -1):
                end(one)


@contextmanager
def _locked(users: Path) -> Iterator[None]:
    with users.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _count(users: Path, change: int) -> int:
    """Users after the change."""
    count = int(users.read_text() if users.exists() else "0") + change
    users.write_text(str(count))
    return count
