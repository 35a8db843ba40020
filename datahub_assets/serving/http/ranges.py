"""Parts of a file by bytes (RFC 9110, section 14): one range a request, as readers of Parquet ask for them."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class Part:
    """The bytes from ``start`` to before ``stop``."""

    start: int
    stop: int


class NotSatisfiable(Exception):
    """A range that the file has nothing of."""


def part_of(header: str | None, size: int) -> Part | None:
    """The part that a Range header asks for; None: the whole, also for what is not understood, as the RFC wants it.

    >>> part_of("bytes=0-3", 10), part_of("bytes=-4", 10), part_of("bytes=8-99", 10), part_of("lines=1-2", 10)
    (Part(start=0, stop=4), Part(start=6, stop=10), Part(start=8, stop=10), None)

    Raises:
        NotSatisfiable: it begins behind the end.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if not match or match[1] == match[2] == "":
        return None
    if match[1] == "":
        length = min(int(match[2]), size)
        if not length:
            raise NotSatisfiable
        return Part(size - length, size)
    start, stop = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise NotSatisfiable
    return Part(start, stop)
