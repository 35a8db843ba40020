"""JSON → batches of text fields: the records of a document, streamed, or one document a line.

Numbers keep the digits of the file: they never pass through binary floats.
"""

import json
from collections.abc import Iterator
from typing import BinaryIO

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.formats import optional
from datahub_assets.parsing.lines import text_blocks
from datahub_assets.parsing.options import JsonOptions
from datahub_assets.parsing.raw import RawBatch, Unreadable
from datahub_assets.parsing.records import Record, flatten, record_batches


def read_json(
    stream: BinaryIO, options: JsonOptions, rules: FieldRules, batch_records: int, block_bytes: int
) -> Iterator[RawBatch]:
    """Batches of the file's records; nested objects are dotted fields (``price.amount``).

    A line that is no JSON object is a reject; a document that breaks off is an error of the file.

    Raises:
        DeliveryMalformed: no JSON, encoding, over-long line, unknown or missing field.
    """
    named = frozenset(rules.named)
    records = _lines(stream, named, block_bytes) if options.lines else _items(stream, options.path, named)
    return record_batches(records, rules, batch_records)


def _lines(stream: BinaryIO, named: frozenset[str], block_bytes: int) -> Iterator[Record]:
    for block in text_blocks(stream, "utf-8", min(block_bytes, 4 * 1024 * 1024)):
        for number, line in enumerate(block.lines(), start=block.first_line):
            if line.strip():
                yield number, _document(line, number, named)


def _document(line: bytes, number: int, named: frozenset[str]) -> dict[str, str | None] | Unreadable:
    try:
        value = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        return Unreadable(number, "json", f"got no JSON ({error}), expected an object", line.decode())
    if not isinstance(value, dict):
        return Unreadable(number, "json", f"got {type(value).__name__}, expected an object", line.decode())
    return flatten(value, named)


def _items(stream: BinaryIO, path: str, named: frozenset[str]) -> Iterator[Record]:
    ijson = optional("ijson", "json")
    number = 0
    try:
        for number, value in enumerate(ijson.items(stream, f"{path}.item" if path else "item"), start=1):
            if isinstance(value, dict):
                yield number, flatten(value, named)
            else:
                message = f"got {type(value).__name__}, expected an object"
                yield number, Unreadable(number, "json", message, json.dumps(value, default=str))
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise DeliveryMalformed(
            "JSON cannot be read", where=f"the document after record {number}", got=str(error).strip().splitlines()[0],
            expected="a whole JSON document in UTF-8", remedy="Ask for the file again: it may have been cut off",
        ) from error  # fmt: skip
