"""A text compressed on its way, piece by piece."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from datahub_assets.serving.http.writing.sink import Sink


def compressed(pieces: Iterable[bytes], encoding: str | None) -> Iterator[bytes]:
    """The pieces under the content encoding; each can be read as soon as it is there."""
    if encoding is None:
        yield from pieces
        return
    sink = Sink()
    with pa.CompressedOutputStream(pa.PythonFile(sink, "w"), encoding) as stream:
        for piece in pieces:
            stream.write(piece)
            stream.flush()
            yield sink.taken()
    yield sink.taken()
