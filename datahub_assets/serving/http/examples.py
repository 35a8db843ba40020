"""What the OpenAPI document shows beside the routes: answers by format, problems, examples."""

from typing import Any

from datahub_assets.serving.http.problems import MEDIA_TYPE
from datahub_assets.serving.http.writing.formats import Form

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "detail": {"type": "string"}, "error": {"type": "string", "description": "Class of the error."},
        "what": {"type": "string"}, "where": {"type": "string"}, "got": {"type": "string"},
        "expected": {"type": "string"}, "remedy": {"type": "string"},
        "turn": {"type": "string", "description": "Whose turn it is to act."},
        "retry_helps": {"type": "boolean"}, "sqlstate": {"type": "string"}, "problems": {"type": "string"},
    },
}  # fmt: skip
_EXAMPLE = {
    "type": "about:blank", "title": "No such column", "status": 400, "error": "NoSuchColumn",
    "detail": "No such column in columns: got prise, expected price. [who acts: the person who asks]", "what": "No such column",
    "where": "columns", "got": "prise", "expected": "price", "turn": "the person who asks", "retry_helps": False,
    "sqlstate": "42703",
}  # fmt: skip
_TITLES = {
    400: "Not understood as asked", 401: "Nobody is signed in", 403: "Out of reach", 404: "Nothing there, or not for you",
    406: "No such format", 413: "Too large", 422: "Not as described here, or more work than a request gets",
    429: "Too many statements at once", 500: "The hub's own fault", 503: "A store does not answer, or the server stops",
}  # fmt: skip
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": title,
        "content": {MEDIA_TYPE: {"schema": PROBLEM, "example": {**_EXAMPLE, "status": status}}},
    }
    for status, title in _TITLES.items()
}
"""Problem documents of every route."""
_ROWS = {
    "dataset": "analytics/valuations", "position": 17, "known_at": "2024-02-01T06:00:00.000Z",
    "columns": [
        {"name": "business_date", "type": "date"}, {"name": "portfolio", "type": "text"},
        {"name": "market_value", "type": "decimal(18,2)", "unit": "EUR"},
    ],
    "rows": [{"business_date": "2024-01-31", "portfolio": "P000001", "market_value": "1250000.00"}],
    "next": "WyI5ZjBhIiwxNyxbIjIwMjQtMDEtMzEiLCJQMDAwMDAxIl0sMF0.c2lnbmF0dXJl",
}  # fmt: skip
_SCHEMA = {
    "type": "object", "required": ["position", "known_at", "columns", "rows", "next"],
    "properties": {
        "dataset": {"type": "string"}, "position": {"type": "integer"}, "known_at": {"type": ["string", "null"]},
        "columns": {"type": "array", "items": {"type": "object", "required": ["name", "type"]}},
        "rows": {"type": "array", "items": {"type": "object"}},
        "next": {"type": ["string", "null"], "description": "Cursor of the next page."},
    },
}  # fmt: skip
_FILES = {form.media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for form in Form}
ANY_ROWS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The rows, in the format that was asked for. In JSON decimals are texts.",
        "content": {**_FILES, "application/json": {"schema": _SCHEMA, "example": _ROWS}},
    }
}
"""Answers that are rows."""
ROWS: dict[int | str, dict[str, Any]] = {
    **ANY_ROWS,
    206: {
        "description": "Part of a Parquet file.",
        "content": {Form.PARQUET.media_type: _FILES[Form.PARQUET.media_type]},
    },
    304: {"description": "As the ETag says: nothing has changed."},
    416: {"description": "The file has no such part."},
}
"""Answers that are rows of a dataset."""
