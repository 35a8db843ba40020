"""Rows as a table for people, as wide as their terminal: what does not fit is folded, or shown a row at a time.

On no terminal (a pipe, a file) nothing is folded: a row is a line.
"""

import textwrap
from collections.abc import Sequence

import pyarrow as pa
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

_GAP = 3
_FOLDED = 16
"""Text is folded to no less than this; narrower columns are not read but deciphered."""


def rendered(schema: pa.Schema, rows: Sequence[Sequence[str]], width: int | None) -> str:
    """The table.

    Args:
        schema: names and types of the columns.
        rows: their values as text.
        width: characters of the terminal; None: there is none.
    """
    sizes = [max(cell_len(text) for text in [name, *(row[i] for row in rows)]) for i, name in enumerate(schema.names)]
    if width is None or _fits(sizes, width):
        return _table(schema, rows, width, sizes)
    said = [i for i in range(len(schema)) if any(row[i] for row in rows)]  # a column without any value says nothing
    schema, rows = pa.schema([schema.field(i) for i in said]), [[row[i] for i in said] for row in rows]
    least = [_least(schema.field(at), sizes[i]) for at, i in enumerate(said)]
    return _table(schema, rows, width, least) if _fits(least, width) else _records(schema.names, rows, width)


def _fits(sizes: Sequence[int], width: int) -> bool:
    return sum(sizes) + _GAP * (len(sizes) - 1) <= width


def _least(field: pa.Field, size: int) -> int:
    return min(size, max(_FOLDED, len(field.name))) if pa.types.is_string(field.type) else size


def _table(schema: pa.Schema, rows: Sequence[Sequence[str]], width: int | None, least: Sequence[int]) -> str:
    table = Table(box=box.SIMPLE if width is None else box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for field, size in zip(schema, least, strict=True):
        right = any(kind(field.type) for kind in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))
        folds = width is not None and pa.types.is_string(field.type)
        table.add_column(
            field.name, justify="right" if right else "left", no_wrap=not folds, overflow="fold", min_width=size
        )
    for row in rows:
        table.add_row(*row)
    console = Console(width=width or 100_000, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _records(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """A row is a block: a line each for what it says."""
    margin = max(map(len, names)) + 2
    blocks = []
    for row in rows:
        lines: list[str] = []
        for name, text in zip(names, row, strict=True):
            if text:
                lines += textwrap.wrap(
                    text, max(width, margin + _FOLDED), initial_indent=name.ljust(margin), subsequent_indent=" " * margin,
                    break_on_hyphens=False,
                )  # fmt: skip
        blocks.append("".join(f"{line}\n" for line in lines))
    return "\n".join(blocks)
