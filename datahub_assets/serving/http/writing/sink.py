"""A file that is only written, and taken away piece by piece while it grows."""

import io
from typing import Any


class Sink(io.RawIOBase):
    """See the module. Not for threads."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """How much was written so far."""
        return self._written

    def write(self, data: Any) -> int:
        """The data are its end."""
        piece = bytes(data)
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        """What was written since it was last taken."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
