"""Data on stdout or in a file: as a table for people, JSON, CSV or Parquet; batch by batch.

JSON is one array, a row a line; decimals are numbers with all their digits, NaN and infinities are null, instants RFC 3339
in UTC. CSV is as in drops (``stores.drop_formats``). Lists stay lists in JSON and are text, joined by blanks, elsewhere.
"""

import json
import math
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datahub_assets.cli import human_table
from datahub_assets.cli.options import Format
from datahub_assets.cli.words import confirm, say
from datahub_assets.errors import QueryError
from datahub_assets.history.log import render_instant

TABLE_ROWS = 50
INSTANT = pa.timestamp("ms", "UTC")
TEXT, NUMBER, DAY, FLAG, TEXTS, DAYS = (
    pa.string(),
    pa.int64(),
    pa.date32(),
    pa.bool_(),
    pa.list_(pa.string()),
    pa.list_(pa.date32()),
)
"""Types of columns that commands make themselves."""


def emit(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], form: Format, output: Path | None = None, *,
    limit: int | None = None, yes: bool = False,
) -> int:  # fmt: skip
    """The rows are written; returns how many.

    Args:
        schema: of every batch.
        batches: taken one by one; no more than are needed for ``limit``.
        form: table shows ``TABLE_ROWS`` rows unless ``limit`` says otherwise, and says if there are more.
        output: a file, replaced (after asking) once all is written; None: stdout.
        limit: rows at most.
        yes: replace without asking.

    Raises:
        QueryError: Parquet to a terminal.
    """
    _require_target(form, output, yes)
    limit = limit if limit is not None or form is not Format.TABLE or output else TABLE_ROWS
    counted = _Limited(batches, limit)
    chunks = _chunks(schema, counted, form, sys.stdout.isatty() and output is None)
    if output is None:
        _to_stdout(chunks)
    else:
        _to_file(chunks, output)
    if counted.more:
        say(f"There are more rows than these {counted.rows}: see --limit, or another --format.")
    return counted.rows


def emit_records(
    columns: Mapping[str, pa.DataType], rows: Sequence[Mapping[str, Any]], form: Format, *, empty: str,
    short: Sequence[str] = (), limit: int | None = None,
) -> None:  # fmt: skip
    """Rows that a command made itself are written to stdout; ``empty`` is said when there are none.

    Args:
        columns: name → type.
        rows: values by name; absent ones are null.
        form: as asked for.
        empty: what to say, and what to do, when there are no rows.
        short: columns of which a table shows only the first 12 characters.
        limit: rows at most; None: all, in a table too.
    """
    if not rows:
        say(empty)
    if form is Format.TABLE:
        if not rows:
            return
        rows = [{**row, **{name: (row.get(name) or "")[:12] for name in short}} for row in rows]
    schema = pa.schema(list(columns.items()))
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    emit(schema, table.to_batches(), form, limit=limit or max(len(rows), 1))


def write_text(text: str) -> None:
    """Text that is data goes to stdout."""
    _to_stdout([text.encode()])


class _Limited:
    """Batches up to a number of rows, counted; ``more`` says whether some were left out."""

    def __init__(self, batches: Iterable[pa.RecordBatch], limit: int | None) -> None:
        self._batches, self._limit = batches, limit
        self.rows, self.more = 0, False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            room = batch.num_rows if self._limit is None else self._limit - self.rows
            taken = batch.slice(0, room) if room < batch.num_rows else batch
            self.rows += taken.num_rows
            if taken.num_rows:
                yield taken
            if taken.num_rows < batch.num_rows:
                self.more = True
                return


def _require_target(form: Format, output: Path | None, yes: bool) -> None:
    if output is not None and output.exists():
        confirm(f"{output} exists. Replace it?", yes)
    if form is Format.PARQUET and output is None and sys.stdout.isatty():
        raise QueryError("Parquet is not for a terminal", remedy="Name a file with --output, or send stdout to one")


def _chunks(schema: pa.Schema, batches: Iterable[pa.RecordBatch], form: Format, terminal: bool) -> Iterator[bytes]:
    if form is Format.JSON:
        return _json(schema, batches)
    from datahub_assets.stores import parquet

    flat = pa.schema([pa.field(f.name, pa.string() if pa.types.is_list(f.type) else f.type) for f in schema])
    stored = parquet.storable(flat)
    typed = (_flat(batch, stored) for batch in batches)
    if form is Format.PARQUET:
        return parquet.encoded(parquet.row_groups(typed, stored), stored)
    if form is Format.CSV:
        from datahub_assets.stores import drop_formats

        return drop_formats.csv(typed, stored)
    return _table(stored, typed, terminal)


def _flat(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pc.binary_join(column.cast(pa.list_(pa.string())), " ") if pa.types.is_list(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays([c.cast(f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _json(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    names, before = [json.dumps(name, ensure_ascii=False) for name in schema.names], "[\n"
    for batch in batches:
        lines = []
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            pairs = ", ".join(f"{name}: {_json_value(value)}" for name, value in zip(names, values, strict=True))
            lines.append(f"{before}{{{pairs}}}")
            before = ",\n"
        yield "".join(lines).encode()
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def _json_value(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else "null"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    if isinstance(value, list):
        return f"[{', '.join(map(_json_value, value))}]"
    if isinstance(value, datetime | date):
        return json.dumps(_text(value))
    return json.dumps(value, ensure_ascii=False)


def _table(schema: pa.Schema, batches: Iterable[pa.RecordBatch], terminal: bool) -> Iterator[bytes]:
    rows = [
        tuple(map(_text, values))
        for batch in batches
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    ]
    text = human_table.rendered(schema, rows, shutil.get_terminal_size().columns if terminal else None)
    yield text.encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return render_instant(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _to_stdout(chunks: Iterable[bytes]) -> None:
    """Nothing is written before the first rows are there: a command that fails has not said a header."""
    sys.stdout.flush()
    following = iter(chunks)
    for chunk in chain(list(islice(following, 2)), following):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _to_file(chunks: Iterable[bytes], path: Path) -> None:
    """The file is there whole, or as it was."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.writelines(chunks)
        temporary.replace(path)
    except OSError as error:
        raise QueryError("Cannot write the output", where=str(path), got=error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)
