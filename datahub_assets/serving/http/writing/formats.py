"""The formats of answers: their names, media types and file names, and which one a request asks for."""

from collections.abc import Iterable
from enum import StrEnum

import pyarrow as pa

from datahub_assets.errors import QueryError


class Form(StrEnum):
    """A format, by the name it has in ``?format=``."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    CSV_EXCEL = "csv-excel"
    XLSX = "xlsx"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def media_type(self) -> str:
        """What it is called in ``Content-Type``."""
        return _MEDIA_TYPES[self]

    @property
    def suffix(self) -> str:
        """Of a file's name."""
        return "csv" if self is Form.CSV_EXCEL else self.value

    @property
    def is_text(self) -> bool:
        """Whether it is compressed on its way; the others are compressed themselves."""
        return self in (Form.JSON, Form.NDJSON, Form.CSV, Form.CSV_EXCEL)


class NotAcceptable(QueryError):
    """No format of the hub's is one that the request accepts."""


_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MEDIA_TYPES = {
    Form.JSON: "application/json", Form.NDJSON: "application/x-ndjson", Form.CSV: "text/csv; charset=utf-8",
    Form.CSV_EXCEL: "text/csv; charset=utf-8", Form.XLSX: _XLSX, Form.PARQUET: "application/vnd.apache.parquet",
    Form.ARROW: "application/vnd.apache.arrow.stream",
}  # fmt: skip
_ACCEPTED = {
    "application/json": Form.JSON, "application/x-ndjson": Form.NDJSON, "application/jsonl": Form.NDJSON,
    "text/csv": Form.CSV, _XLSX: Form.XLSX, "application/vnd.apache.parquet": Form.PARQUET,
    "application/vnd.apache.arrow.stream": Form.ARROW, "application/*": Form.JSON, "text/*": Form.CSV, "*/*": Form.JSON,
}  # fmt: skip
COMPRESSIONS = {Form.PARQUET: ("snappy", "zstd", "none"), Form.ARROW: ("lz4", "zstd", "none")}
"""Of the files themselves; the first is what they have when nothing is asked for."""


def form_of(named: Form | None, accept: Iterable[str]) -> Form:
    """The format that a request asks for: by name, else the one it likes best (RFC 9110, section 12.5.1).

    >>> form_of(None, ["text/html, application/vnd.apache.parquet;q=0.9, */*;q=0.1"]).value
    'parquet'

    Raises:
        NotAcceptable: none that there is.
    """
    if named is not None:
        return named
    ranges = [_range(part) for header in accept for part in header.split(",") if part.strip()] or [("*/*", 1.0)]
    refused = {name for name, quality in ranges if not quality}
    for name, quality in sorted(ranges, key=lambda one: -one[1]):
        form = _ACCEPTED.get(name)
        if form is not None and quality and form.media_type.partition(";")[0] not in refused:
            return form
    kinds = ", ".join(name for name in _ACCEPTED if "*" not in name)
    raise NotAcceptable("No such format", where="Accept", got=", ".join(name for name, _ in ranges), expected=kinds)


def compression_of(form: Form, asked: str | None) -> str:
    """The compression that a file of the format gets.

    Raises:
        QueryError: the format has no such one.
    """
    offered = COMPRESSIONS.get(form, ())
    if asked is None:
        return offered[0] if offered else "none"
    if asked not in offered:
        expected = ", ".join(offered) or f"none asked for: {form} is compressed by Accept-Encoding, or by itself"
        raise QueryError("No such compression", where=form.value, got=asked, expected=expected)
    return asked


def encoding_of(form: Form, accept_encoding: Iterable[str]) -> str | None:
    """How a text is compressed on its way: zstd, gzip, or None."""
    if not form.is_text:
        return None
    offered = dict(_range(part) for header in accept_encoding for part in header.split(",") if part.strip())
    return next((name for name in ("zstd", "gzip") if offered.get(name, 0.0) and pa.Codec.is_available(name)), None)


def _range(text: str) -> tuple[str, float]:
    """``text/csv;q=0.5`` → its name and how much it is liked; what cannot be read is not liked at all."""
    name, *parameters = [part.strip() for part in text.split(";")]
    quality = next((p[2:] for p in parameters if p[:2].lower() == "q="), "1")
    try:
        return name.lower(), min(max(float(quality), 0.0), 1.0)
    except ValueError:
        return name.lower(), 0.0
