"""A file, or the part of it that a request asks for."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import BinaryIO

from fastapi import Request

from datahub_assets.serving.http.ranges import NotSatisfiable, Part, part_of
from datahub_assets.serving.http.sending import Begun

_PIECE = 1 << 20


def part(file: BinaryIO, size: int, headers: Mapping[str, str], request: Request, tag: str) -> Begun:
    """The part that ``Range`` asks for; the whole when ``If-Range`` names another version. The file is closed at the end."""
    asked = request.headers.get("range") if request.headers.get("if-range", tag) == tag else None
    try:
        found = part_of(asked, size)
    except NotSatisfiable:
        said = {**headers, "Content-Range": f"bytes */{size}", "Content-Length": "0"}
        return Begun(iter(()), said, 416, file.close)
    whole = found or Part(0, size)
    said = {**headers, "Content-Length": str(whole.stop - whole.start)}
    if found is not None:
        said["Content-Range"] = f"bytes {found.start}-{found.stop - 1}/{size}"
    sent = iter(()) if request.method == "HEAD" else _read(file, whole)
    return Begun(sent, said, 206 if found else 200, file.close)


def _read(file: BinaryIO, part: Part) -> Iterator[bytes]:
    file.seek(part.start)
    left = part.stop - part.start
    for piece in iter(partial(file.read, _PIECE), b""):
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
