"""Provenance of rows: which delivery, which line. ``_delivery`` is an index into a list of deliveries; here lists change.

Rows in a table under T index the deliveries that the commit of T names. Rows of several commits that meet in one frame
need one list (``share``); rows on their way to a commit need a list with nothing in it that is not used (``compact``).
Receipts are the vault's: (position of the log entry that received it, index in it), and their order is the order of
deliveries.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl

from datahub_assets.schema.contract import DELIVERY, LINE

Receipt: TypeAlias = tuple[int, int]

WRITE_ID = "_write_id"
"""The write id T that a row stands under (uint64), where rows of several Ts are read together."""
NOT_A_LINE = 0
"""``_line`` of a row that no line of the delivery says: a key that its image lacks."""


def said_by(rows: pl.DataFrame, delivery: int) -> pl.DataFrame:
    """The rows as lines of one delivery: ``_delivery`` is set, ``_line`` is kept (0 where there is none).

    >>> said_by(pl.DataFrame({"isin": ["FR01"], "_line": [7]}), 3).select("_delivery", "_line").row(0)
    (3, 7)
    """
    line = pl.col(LINE).cast(pl.UInt32) if LINE in rows.columns else pl.lit(NOT_A_LINE, pl.UInt32)
    return rows.drop(DELIVERY, strict=False).with_columns(pl.lit(delivery, pl.UInt32).alias(DELIVERY), line.alias(LINE))


def share(
    rows: pl.DataFrame, commits: Mapping[int, Sequence[Receipt]], more: Iterable[Receipt] = ()
) -> tuple[pl.DataFrame, tuple[Receipt, ...]]:
    """The rows, their ``_delivery`` an index into one list for all, and that list, in receipt order.

    Args:
        rows: with ``_write_id``, which is dropped; ``_delivery`` indexes the deliveries of that write id's commit.
        commits: write id → the deliveries its commit names.
        more: deliveries that the list must hold as well, e.g. the one about to be merged.

    Raises:
        KeyError: a row of a write id that is not in ``commits``, or a delivery that its commit does not name.

    >>> rows = pl.DataFrame({"_delivery": [0, 0, 1], "_write_id": [1, 2, 2]})
    >>> shared, deliveries = share(rows, {1: [(5, 0)], 2: [(9, 0), (3, 0)]})
    >>> shared["_delivery"].to_list(), deliveries
    ([1, 2, 0], ((3, 0), (5, 0), (9, 0)))
    """
    used = rows.select(WRITE_ID, DELIVERY).unique().rows()
    named = {(write_id, index): _named(commits, write_id, index) for write_id, index in used}
    deliveries = tuple(sorted({*named.values(), *more}))
    places = {old: deliveries.index(receipt) for old, receipt in named.items()}
    return _reindexed(rows, [WRITE_ID, DELIVERY], places), deliveries


def compact(
    rows: pl.DataFrame, deliveries: Sequence[Receipt], always: Iterable[int] = ()
) -> tuple[pl.DataFrame, tuple[Receipt, ...]]:
    """The rows, their ``_delivery`` an index into the list of deliveries that they use, and that list, in receipt order.

    Args:
        rows: with ``_delivery``.
        deliveries: the list that it indexes.
        always: indexes into ``deliveries`` that stay although no row may use them: what the commit was made from.

    >>> compacted, used = compact(pl.DataFrame({"_delivery": [2, 2]}), [(3, 0), (5, 0), (9, 0)], always=[1])
    >>> compacted["_delivery"].to_list(), used
    ([1, 1], ((5, 0), (9, 0)))
    """
    kept = sorted({*rows[DELIVERY].unique().to_list(), *always}, key=lambda index: deliveries[index])
    places = {(old,): new for new, old in enumerate(kept)}
    return _reindexed(rows, [DELIVERY], places), tuple(deliveries[index] for index in kept)


def _named(commits: Mapping[int, Sequence[Receipt]], write_id: int, index: int) -> Receipt:
    try:
        return commits[write_id][index]
    except IndexError as error:
        raise KeyError(f"delivery {index} of T{write_id}, whose commit names {len(commits[write_id])}") from error


def _reindexed(rows: pl.DataFrame, by: list[str], places: Mapping[Any, int]) -> pl.DataFrame:
    schema = {name: rows.schema[name] for name in by} | {"§place": pl.UInt32()}
    table = pl.DataFrame([(*old, new) for old, new in places.items()], schema=schema, orient="row")
    joined = rows.join(table, on=by, how="left", maintain_order="left")
    return joined.with_columns(pl.col("§place").alias(DELIVERY)).drop("§place", WRITE_ID, strict=False)
