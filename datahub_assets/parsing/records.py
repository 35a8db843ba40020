"""Records with named fields (JSON, XML) → batches: fields differ from record to record."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.raw import RawBatch, Unreadable

BATCH = 20_000
"""Records a batch: as Python objects they are many times the size of their text."""

Record = tuple[int, dict[str, str | None] | Unreadable]
"""Line or number of a record, and its fields as text."""


def record_batches(records: Iterable[Record], rules: FieldRules, batch_records: int) -> Iterator[RawBatch]:
    """Batches of the records, a field that a record lacks being null.

    Raises:
        DeliveryMalformed: an unknown field, or a required one that no record has.
    """
    seen: dict[str, None] = {}
    held: list[tuple[int, dict[str, str | None]]] = []
    broken: list[Unreadable] = []
    for line, record in records:
        if isinstance(record, Unreadable):
            broken.append(record)
        else:
            held.append((line, record))
        if len(held) + len(broken) >= min(batch_records, BATCH):
            yield _batch(held, broken, seen, rules)
            held, broken = [], []
    if held or broken:
        yield _batch(held, broken, seen, rules)
    if seen:
        rules.check_absent(seen, "the file's records")


def _batch(
    held: list[tuple[int, dict[str, str | None]]], broken: list[Unreadable], seen: dict[str, None], rules: FieldRules
) -> RawBatch:
    names: dict[str, None] = {}
    for _, record in held:
        names.update(dict.fromkeys(record))
    if any(rules.is_unknown(name) for name in names):
        rules.check([*names, *(name for name in rules.required if name not in names)], f"records from {held[0][0]} on")
    seen.update(names)
    read = dict.fromkeys((*rules.required, *(name for name in rules.optional if name in seen), *rules.read(names)))
    columns = {name: [record.get(name) for _, record in held] for name in read}
    fields = pl.DataFrame(columns, schema=dict.fromkeys(read, pl.String))
    return RawBatch(fields, pl.Series("line", [line for line, _ in held], dtype=pl.UInt32), tuple(broken))


def flatten(record: dict[str, Any], named: frozenset[str], prefix: str = "") -> dict[str, str | None]:
    """Nested objects as dotted fields, lists and objects that a column takes whole as JSON; scalars as text.

    >>> flatten({"a": "1", "b": {"c": True, "d": None}, "e": ["x"]}, frozenset())
    {'a': '1', 'b.c': 'true', 'b.d': None, 'e': '["x"]'}
    """
    fields: dict[str, str | None] = {}
    for key, value in record.items():
        name = prefix + key
        if isinstance(value, dict) and name not in named:
            fields |= flatten(value, named, f"{name}.")
        elif value is None or isinstance(value, str):
            fields[name] = value
        elif isinstance(value, bool):
            fields[name] = "true" if value else "false"
        elif isinstance(value, dict | list):
            fields[name] = json.dumps(value, ensure_ascii=False, default=str)
        else:
            fields[name] = str(value)
    return fields
