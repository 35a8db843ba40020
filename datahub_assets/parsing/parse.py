"""A delivered file → typed rows and rejects, batch by batch: the entry of this room.

Most callers want ``parse_file``. ``parse`` is one pass; ``contained_dates`` only asks which days a file is about.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import BinaryIO

import polars as pl

from datahub_assets.parsing.casting import cast
from datahub_assets.parsing.conform import Conformed, conform, records
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.keys import KeyAudit, key_hashes
from datahub_assets.parsing.options import FormatOptions, TextFileOptions
from datahub_assets.parsing.plan import ParsePlan
from datahub_assets.parsing.raw import REJECTS, RawBatch
from datahub_assets.parsing.read import raw_batches
from datahub_assets.parsing.unpivot import to_long
from datahub_assets.schema.contract import LINE, Shape

__all__ = ["BATCH_ROWS", "KeyAudit", "ParsePlan", "ParsedBatch", "contained_dates", "parse", "parse_file"]

BATCH_ROWS = 50_000
"""Larger batches are not faster, and take more memory; so many go into a table in one transaction."""
_WIDE = 16
"""Wide records become many rows each: they are read in smaller batches."""


@dataclass(frozen=True)
class ParsedBatch:
    """Rows of one batch that keep the contract, and the rejects: always ``rows.height + rejected == rows_read``.

    ``rows``: the contract's columns in order and type, ``_line`` (UInt32: line or record number) and, where the plan
    says how deletions are told, ``_deleted``. ``rejects``: ``raw.REJECTS``; a row that fails several rules has several
    lines there and counts once in ``rejected``.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame
    rows_read: int
    rejected: int


def parse(
    stream: BinaryIO,
    plan: ParsePlan,
    *,
    batch_rows: int = BATCH_ROWS,
    audit: KeyAudit | None = None,
    suspects: pl.Series | None = None,
) -> Iterator[ParsedBatch]:
    """One pass over a file.

    Args:
        stream: the delivered file, from its start.
        plan: how it is read.
        batch_rows: rows a batch at most (the rows of one wide record stay together).
        audit: is told the hash of every row's key.
        suspects: hashes that an audit of the same file found twice. Their rows come in the last batch: those whose key
            is really there twice as rejects (every one of them: which is right cannot be known), the others as rows.

    Raises:
        DeliveryMalformed: the file as a whole is not as declared, perhaps found after batches were given.
    """
    held = _Held(plan)
    for raw in _batches(stream, plan, batch_rows):
        batch = conform(raw, plan)
        kept = batch.good
        if audit is not None or suspects is not None:
            keyed = batch.rows.select(pl.all_horizontal(pl.col(plan.identity).is_not_null())).to_series()
            hashes = key_hashes(batch.rows.select(plan.identity))
            if audit is not None:
                audit.add(hashes if keyed.all() else hashes.filter(keyed))
            if suspects is not None and suspects.len():
                kept = held.take(batch, keyed & hashes.is_in(suspects.implode()))
        moved = int(batch.good.sum()) - int(kept.sum())
        rows = batch.rows if kept.all() else batch.rows.filter(kept)
        yield ParsedBatch(rows, batch.rejects, batch.rows_read - moved, batch.rows_read - moved - rows.height)
    if held:
        yield held.settled()


def parse_file(
    open_delivery: Callable[[], BinaryIO], plan: ParsePlan, *, restart: Callable[[], None], batch_rows: int = BATCH_ROWS
) -> Iterator[ParsedBatch]:
    """The file's batches; after the last of them each key stands once among the rows that were given.

    Keys are known to be unique only at the end of a pass. If some are not (rare), ``restart`` is called, by which the
    caller forgets every batch it was given so far, and the batches of a second pass follow.

    Args:
        open_delivery: opens the file at its start; called once or twice, closed here.
        plan: how it is read.
        restart: forget what was given.
        batch_rows: rows a batch at most.

    Raises:
        DeliveryMalformed: as ``parse``; or too many keys are there twice.
    """
    audit = KeyAudit()
    with open_delivery() as stream:
        yield from parse(stream, plan, batch_rows=batch_rows, audit=audit)
    suspects = audit.suspects()
    if not suspects.len():
        return
    restart()
    with open_delivery() as stream:
        yield from parse(stream, plan, batch_rows=batch_rows, suspects=suspects)


def contained_dates(stream: BinaryIO, plan: ParsePlan) -> set[date]:
    """The business dates that the file's rows speak of; dates that cannot be read are left out.

    A file without a field for the date speaks of ``file_date``; so does one whose rows of other dates are rejects, and
    one of a bitemporal dataset whose name tells the date (of these the first batch is read, so that faults show).

    Raises:
        DeliveryMalformed: the file as a whole is not as declared.
    """
    named = {plan.file_date} if plan.file_date else set()
    is_fixed = plan.contract.shape is Shape.BITEMPORAL or plan.other_dates == "reject"
    dates: set[date] = set()
    for raw in raw_batches(stream, _without_control(plan.format), plan.archive, _date_only(plan), BATCH_ROWS):
        columns = [c for c in plan.columns_in(raw.fields.columns) if c.name == plan.date_column]
        if not columns or (named and is_fixed):
            return named
        days = raw.fields.select(pl.col(plan.sources[plan.date_column]).alias(plan.date_column)).unique()
        dates |= set(cast(days, columns, plan.format).frame.to_series().drop_nulls())
    return dates if plan.mode == "images" else named


def _date_only(plan: ParsePlan) -> FieldRules:
    source = plan.sources.get(plan.date_column)
    return replace(plan.field_rules(), only=(source,) if source else None)


def _without_control(options: FormatOptions) -> FormatOptions:
    return options.model_copy(update={"control": None}) if isinstance(options, TextFileOptions) else options


def _batches(stream: BinaryIO, plan: ParsePlan, batch_rows: int) -> Iterator[RawBatch]:
    rules, unpivot = plan.field_rules(), plan.unpivot
    if unpivot is None:
        yield from raw_batches(stream, plan.format, plan.archive, rules, batch_rows)
        return
    for wide in raw_batches(stream, plan.format, plan.archive, rules, max(batch_rows // _WIDE, 1)):
        for part in wide.sliced(max(batch_rows // max(wide.fields.width, 1), 1)):
            yield to_long(part, unpivot, plan.format)


class _Held:
    """Rows with a suspect key, until the end of the file."""

    def __init__(self, plan: ParsePlan) -> None:
        self._plan = plan
        self._parts: list[pl.DataFrame] = []

    def take(self, batch: Conformed, suspect: pl.Series) -> pl.Series:
        """Suspect rows are held; returns which rows of the batch are given now."""
        places = suspect.arg_true().cast(pl.UInt32)
        if places.len():
            part = batch.rows.filter(suspect).with_columns(
                batch.good.filter(suspect).alias("\0good"), records(batch.raw, places).alias("\0record")
            )
            self._parts.append(part)
        return batch.good & ~suspect

    def __bool__(self) -> bool:
        return bool(self._parts)

    def settled(self) -> ParsedBatch:
        """The held rows: those whose key is there once as rows, the others as rejects."""
        rows = pl.concat(self._parts).with_columns(pl.len().over(self._plan.identity).alias("\0times"))
        good = rows.filter(pl.col("\0good"))
        kept = good.filter(pl.col("\0times") == 1).drop("\0good", "\0record", "\0times")
        return ParsedBatch(
            kept, self._rejects(rows.filter(pl.col("\0times") > 1)), good.height, good.height - kept.height
        )

    def _rejects(self, double: pl.DataFrame) -> pl.DataFrame:
        key = list(self._plan.identity)
        value = pl.concat_str([pl.col(name).cast(pl.String) for name in key], separator=" | ")
        message = pl.format("got {} rows with this {}, expected one", pl.col("\0times"), pl.lit(" + ".join(key)))
        return double.select(
            pl.col(LINE).alias("line"), pl.lit(None, pl.String).alias("column"), value.str.slice(0, 1_000).alias("value"),
            pl.lit("duplicate_key").alias("rule"), message.alias("message"), pl.col("\0record").alias("record"),
        ).cast(REJECTS)  # fmt: skip
