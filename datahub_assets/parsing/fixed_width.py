"""Lines cut at fixed positions → batches of text fields."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import polars as pl

from datahub_assets.parsing.control import ControlTotals
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.lines import TextBlock
from datahub_assets.parsing.options import FixedWidthOptions
from datahub_assets.parsing.raw import RawBatch, Unreadable
from datahub_assets.parsing.text_file import TextFile


def read_fixed_width(
    stream: BinaryIO, options: FixedWidthOptions, rules: FieldRules, block_bytes: int
) -> Iterator[RawBatch]:
    """Batches of the file's records, every field as text; positions count characters, not bytes.

    A line that ends before the last declared position is ragged unless ``short_lines``; what is beyond is not read.

    Raises:
        DeliveryMalformed: declared fields are not those of the columns, encoding, over-long line, control totals.
    """
    names = [field.name for field in options.fields]
    rules.check(names, "format.fields")
    file, totals = TextFile(stream, options, block_bytes), ControlTotals(options)
    wanted = set(rules.read(names))
    for block in file.body():
        batch = _cut(block, options, wanted)
        totals.add(batch)
        yield batch
    totals.check(file.head, file.foot)


def _cut(block: TextBlock, options: FixedWidthOptions, wanted: set[str]) -> RawBatch:
    width = max(field.start + field.width - 1 for field in options.fields)
    texts = pl.Series("text", block.data.decode().split("\n")[:-1], dtype=pl.String)
    lines = pl.Series("line", np.arange(block.first_line, block.first_line + len(texts), dtype=np.uint32))
    frame = pl.DataFrame([texts, lines]).filter(pl.col("text").str.strip_chars() != "")
    unreadable: tuple[Unreadable, ...] = ()
    if not options.short_lines:
        length = pl.col("text").str.len_chars()
        short = frame.filter(length < width).iter_rows()
        unreadable = tuple(
            Unreadable(line, "ragged", f"got {len(text)} characters, expected {width}", text) for text, line in short
        )
        frame = frame.filter(length >= width)
    fields = frame.select(
        pl.col("text").str.slice(field.start - 1, field.width).alias(field.name)
        for field in options.fields
        if field.name in wanted
    )
    return RawBatch(fields, frame["line"], unreadable, b"\0" in block.data)
