"""Dated rows from deliveries that say from and to themselves. Kept as the file says them: nothing is joined or cut.

A row is known by (key, valid_from). Two ways a feed may deliver: each file is all there is (``replace_intervals``), or a
file has rows to put and rows to delete (``amend_intervals``). Deliveries are merged in the order of deliveries; that order
matters, as it does for the provider: the latest full file stands, and of amendments the latest of each (key, valid_from).
Rows of one key that overlap break the contract: ``violations`` finds them before a merge, so that what stands never
overlaps. Images are in ``bitemporal``.
"""

import polars as pl

from datahub_assets.history.bitemporal import Merge, written
from datahub_assets.history.provenance import said_by
from datahub_assets.history.snapshot import DELETED
from datahub_assets.schema.contract import VALID_FROM, VALID_TO, WITHDRAWN, Contract

EMPTY, OVERLAP = "interval is empty", "interval overlaps another of its key"
RULE = "_rule"
"""Column of ``violations`` (text): the rule that the row breaks, ``EMPTY`` or ``OVERLAP``."""
_REACH, _OFFENDS, _FROM_FILE = "§reach", "§offends", "§file"


def replace_intervals(standing: pl.DataFrame, rows: pl.DataFrame, contract: Contract, *, delivery: int) -> Merge:
    """What is to be written so that the delivery's rows stand and no others: keys that it lacks are withdrawn.

    Args:
        standing: the rows that stand: stored columns.
        rows: the delivery's rows: contract's columns and ``_line``, without violations.
        contract: names the columns and the key.
        delivery: index of the delivery, in the list that ``standing`` uses as well.
    """
    return written(standing, _stored(rows, contract, delivery), contract, delivery)


def amend_intervals(standing: pl.DataFrame, rows: pl.DataFrame, contract: Contract, *, delivery: int) -> Merge:
    """What is to be written so that the delivery's rows stand at their (key, valid_from), and its deleted ones do not.

    Args:
        standing: the rows that stand: stored columns.
        rows: the delivery's rows: contract's columns, ``_line``, perhaps ``_deleted`` (such a row needs only key and
            valid_from). For one (key, valid_from) the last row counts.
        contract: names the columns and the key.
        delivery: index of the delivery, in the list that ``standing`` uses as well.
    """
    puts, named = _amendments(rows, contract)
    touched = standing.join(named, on=[*contract.key, VALID_FROM], how="semi")
    return written(touched, _stored(puts, contract, delivery), contract, delivery)


def violations(rows: pl.DataFrame, contract: Contract, standing: pl.DataFrame | None = None) -> pl.DataFrame:
    """The rows of a delivery that cannot stand, with the rule each breaks in ``_rule``; rejecting them leaves no overlap.

    Empty rows (valid_to ≤ valid_from) first, then the rows of one key that overlap one another: all of them, since
    nothing says which is right.

    Args:
        rows: the delivery's rows.
        contract: names the columns and the key.
        standing: for an amendment: the rows that stand. Then a key that overlaps once the delivery is applied has
            *all* its rows rejected, deletions too: half of an amendment could overlap again.

    Returns:
        Offending rows, columns and order as in ``rows``.
    """
    nothing = pl.col(VALID_TO).is_not_null() & (pl.col(VALID_TO) <= pl.col(VALID_FROM))
    if DELETED in rows.columns:
        nothing = nothing & ~pl.col(DELETED).fill_null(False)
    numbered = rows.with_row_index(_FROM_FILE)
    empty = numbered.filter(nothing)
    rest = numbered.filter(~nothing.fill_null(False))
    overlapping = _overlapping(rest, contract) if standing is None else _clashing(rest, standing, contract)
    found = [empty.with_columns(pl.lit(EMPTY).alias(RULE)), overlapping.with_columns(pl.lit(OVERLAP).alias(RULE))]
    return pl.concat(found).sort(_FROM_FILE).drop(_FROM_FILE)


def _overlapping(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Rows that overlap another of their key: one before reaches beyond their start, or the next starts before their end."""
    key = list(contract.key)
    end = pl.col(VALID_TO).fill_null(pl.date(9999, 12, 31))
    rows = rows.sort(*key, VALID_FROM).with_columns(end.alias(_REACH))
    reached = (pl.col(_REACH).cum_max().shift(1).over(key) > pl.col(VALID_FROM)).fill_null(False)
    reaches = (pl.col(VALID_FROM).shift(-1).over(key) < pl.col(_REACH)).fill_null(False)
    return rows.filter(reached | reaches).drop(_REACH)


def _clashing(rows: pl.DataFrame, standing: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    key = list(contract.key)
    puts, named = _amendments(rows, contract)
    same_keys = standing.join(rows, on=key, how="semi").join(named, on=[*key, VALID_FROM], how="anti")
    needed = [*key, VALID_FROM, VALID_TO]
    clashes = _overlapping(pl.concat([same_keys.select(needed), puts.select(needed)]), contract)
    return rows.join(clashes, on=key, how="semi")


def _amendments(rows: pl.DataFrame, contract: Contract) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows to put, and every (key, valid_from) that the delivery names."""
    last = rows.unique([*contract.key, VALID_FROM], keep="last", maintain_order=True)
    puts = last.filter(~pl.col(DELETED).fill_null(False)) if DELETED in rows.columns else last
    return puts, last.select(*contract.key, VALID_FROM)


def _stored(rows: pl.DataFrame, contract: Contract, delivery: int) -> pl.DataFrame:
    dated = said_by(rows, delivery).with_columns(pl.lit(False).alias(WITHDRAWN))
    return dated.select(contract.stored_schema.names)
