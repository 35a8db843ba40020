"""Compressed files and archives as streams in bounded memory; dangerous ones are refused.

A zip is refused as a whole if any member is an absolute path, climbs out by ``..`` or is a link, although only one
member is ever read and nothing is written under its name: such a file was not made by an honest hand.
"""

import bz2
import gzip
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO, cast

import pyarrow as pa

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.options import Archive

MAX_EXPANDED_BYTES = 50 * 1024**3
"""The largest file that is read out of an archive."""
MAX_RATIO = 200
RATIO_FREE_BYTES = 100 * 1024**2
"""Up to this size any ratio is let through: small files of zeros are no bomb."""
_ENCRYPTED = 0x1
_BROKEN = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, OSError)


def open_archive(stream: BinaryIO, archive: Archive | None, max_bytes: int = MAX_EXPANDED_BYTES) -> BinaryIO:
    """The file inside the archive as a stream; the stream itself where there is no archive.

    Args:
        stream: the delivered file, from its start; seekable for a zip.
        archive: how it is packed.
        max_bytes: limit of the expanded size.

    Raises:
        DeliveryMalformed: a dangerous archive, no member or several that match; later, while reading: bytes that are
            cut off or broken, or more of them than the limits allow.
    """
    if archive is None:
        return stream
    source = _Counted(stream)
    try:
        opened, packed = (
            _member(stream, archive.member, max_bytes)
            if archive.type == "zip"
            else (_opened(source, archive.type), None)
        )
    except _BROKEN as error:
        raise _broken(archive.type, str(error), 0) from error
    return cast(BinaryIO, io.BufferedReader(_Expanded(opened, source, packed, archive.type, max_bytes), 1024 * 1024))


def check_archive(stream: BinaryIO, archive: Archive | None) -> None:
    """Nothing happens for an archive that can be opened; the stream is at its start again. Contents are not read.

    Raises:
        DeliveryMalformed: as ``open_archive``.
    """
    if archive is not None:
        open_archive(stream, archive).read(1)
        stream.seek(0)


def check_zip_size(members: Iterable[zipfile.ZipInfo], max_bytes: int) -> None:
    """Nothing happens when what the members say of their sizes is within the limits.

    Raises:
        DeliveryMalformed: too large, or too much larger than packed.
    """
    members = list(members)
    expanded, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    _check_size(expanded, packed, "zip", max_bytes)


def _opened(source: "_Counted", kind: str) -> IO[bytes]:
    match kind:
        case "gzip":
            return cast(IO[bytes], gzip.GzipFile(fileobj=source, mode="rb"))
        case "bz2":
            return cast(IO[bytes], bz2.BZ2File(source, "rb"))
        case "xz":
            return cast(IO[bytes], lzma.LZMAFile(cast(IO[bytes], source), "rb"))
        case _:
            return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "zstd"))


def _member(stream: BinaryIO, pattern: str, max_bytes: int) -> tuple[IO[bytes], int]:
    archive = zipfile.ZipFile(stream)
    members = archive.infolist()
    dangers = [f"{m.filename!r} {why}" for m in members if (why := _danger(m))]
    if dangers:
        raise DeliveryMalformed(
            "Archive is dangerous", got=f"{len(dangers)} dangerous members", expected="plain files with relative names",
            remedy="Do not unpack it; ask the provider what it is", problems=dangers[:20],
        )  # fmt: skip
    files = [m for m in members if not m.is_dir()]
    matching = [
        m for m in files if fnmatchcase(m.filename, pattern) or fnmatchcase(PurePosixPath(m.filename).name, pattern)
    ]
    if len(matching) != 1:
        shown = ", ".join(repr(m.filename) for m in files[:20]) or "no members"
        raise DeliveryMalformed(
            "Archive does not hold one file", got=f"{len(matching)} members that match, of {shown}",
            expected=f"one member like {pattern!r}", remedy="Ask for a corrected file, or correct archive.member",
        )  # fmt: skip
    if matching[0].flag_bits & _ENCRYPTED:
        raise _broken("zip", "an encrypted member", 0)
    check_zip_size(matching, max_bytes)
    return archive.open(matching[0]), matching[0].compress_size


def _danger(member: zipfile.ZipInfo) -> str | None:
    name = member.orig_filename.replace("\\", "/")
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if name.startswith("/") or name[1:2] == ":":
        return "is an absolute path"
    return "climbs out of its folder" if ".." in name.split("/") else None


def _check_size(expanded: int, packed: int, kind: str, max_bytes: int) -> None:
    if expanded > max_bytes:
        got, expected = f"more than {max_bytes:,} bytes expanded", f"at most {max_bytes:,}"
    elif expanded > RATIO_FREE_BYTES and expanded > MAX_RATIO * packed:
        got, expected = f"{expanded:,} bytes from {packed:,}", f"at most {MAX_RATIO} times the size"
    else:
        return
    raise DeliveryMalformed(
        "Archive is a bomb", where=kind, got=got, expected=expected, remedy="Ask the provider what it is"
    )


def _broken(kind: str, got: str, offset: int) -> DeliveryMalformed:
    return DeliveryMalformed(
        "Archive cannot be read", where=f"{kind}, after {offset:,} bytes of its content", got=got or "broken bytes",
        expected=f"a whole {kind} file", remedy="Ask for the file again: it may have been cut off",
    )  # fmt: skip


class _Counted(io.RawIOBase):
    """A stream that knows how many bytes were read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.count = stream, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.count += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Expanded(io.RawIOBase):
    """The expanded bytes, held against the limits; every fault of the archive is a DeliveryMalformed."""

    def __init__(self, opened: IO[bytes], source: _Counted, packed: int | None, kind: str, max_bytes: int) -> None:
        self._opened, self._source, self._packed, self._kind, self._max = opened, source, packed, kind, max_bytes
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._opened.read(len(buffer))
        except _BROKEN as error:
            raise _broken(self._kind, str(error), self._count) from error
        self._count += len(data)
        _check_size(self._count, self._source.count if self._packed is None else self._packed, self._kind, self._max)
        buffer[: len(data)] = data
        return len(data)
