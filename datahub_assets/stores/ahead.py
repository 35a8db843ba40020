"""Work that is one step ahead: while a batch is being used, the next one is made in a thread beside.

For stages that spend their time outside of Python (Arrow, polars, SQLite): on two cores such a chain takes as long as its
slowest stage, not as long as all of them. What the stages do is their own business; nothing here knows tables or files.
"""

from collections.abc import Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import TypeVar, cast

T = TypeVar("T")
_END = object()


def ahead(items: Iterator[T], threads: Executor | None = None) -> Generator[T, None, None]:
    """The same items in the same order; the next one is in the making while one is used. At most two are there at a time.

    ``items`` runs in a thread of its own, one item at a time: what it raises is raised here, in its place. A consumer that
    stops early (or is stopped by an error of its own) waits for the item in the making, and ``items`` is closed in its
    thread; it is closed too when this iterator is closed or forgotten. With ``threads`` each item is made in one of these.

    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with nullcontext(threads) if threads else ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(next, items, _END)
        try:
            while (item := coming.result()) is not _END:
                coming = thread.submit(next, items, _END)
                yield cast(T, item)
                del item  # or it would be there together with the two after it
        finally:
            coming.cancel()
            if isinstance(items, Generator):
                with suppress(BaseException):  # the consumer has its own error, or wants no more
                    thread.submit(items.close).result()
