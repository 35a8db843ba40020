"""Dated rows from images: each delivery says what holds on one day. The merge writes only the rows that change.

A row holds for its key on the days valid_from ≤ d < valid_to (null: open end). An image at d says what holds from d
until the next *observed* date, the next day that an image has been seen for; observed dates are therefore part of the
state. Deliveries that say from and to themselves are in ``intervals``; which stored versions stand, in ``versions``.

**Canonical form.** Let I(d) be the newest image of each observed date d. Then on every day x, a key has what
I(max{d observed, d ≤ x}) says of it, and nothing where that image lacks it or no date is observed. The standing rows are
the *maximal* intervals of equal values: rows of one key never overlap, and no two that adjoin say the same. So key,
valid_from, valid_to and values depend on the newest image of each date alone, not on the order in which dates came.

**Provenance** is not part of that form. A row names a line that says exactly its values: that of the image at its
valid_from when that image opened the row; a piece that is cut off behind a late image keeps the line of the row it was
cut from (the image there confirmed the values, but the state does not hold its line); joined rows keep the earliest
one's. It follows from the commits and their order alone, so a rebuild gives it again. A change of provenance alone is
not written.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import polars as pl

from datahub_assets.history.comparison import BEFORE, any_differs, data_columns
from datahub_assets.history.provenance import NOT_A_LINE, said_by
from datahub_assets.schema.contract import DELIVERY, LINE, VALID_FROM, VALID_TO, WITHDRAWN, Contract

_WAS = "§was"


@dataclass(frozen=True)
class Merge:
    """What a commit has to write, and how it differs from what stood.

    Attributes:
        rows: new versions by (key, valid_from), in that order: stored columns, with ``_withdrawn``. A withdrawn row has
            the values that stood, the delivery that took them back, and line 0 (no line of a file).
        added: rows at a (key, valid_from) at which nothing stood.
        changed: rows that say something else than what stood there (other values or another end).
        removed: rows withdrawn.
        affects: first day and end (None: open) of the days on which what holds may differ from before; None: no rows.
    """

    rows: pl.DataFrame
    added: int
    changed: int
    removed: int
    affects: tuple[date, date | None] | None = None


def merge_image(
    standing: pl.DataFrame, image: pl.DataFrame, contract: Contract, *,
    day: date, observed: Collection[date], delivery: int,
) -> Merge:  # fmt: skip
    """What is to be written so that the image holds from its day until the next observed date, and all else as before.

    Args:
        standing: the rows that stand (``versions.standing``): stored columns; ``_delivery`` indexes the same list of
            deliveries as ``delivery`` (``provenance.share``). Rows in any order.
        image: what the file says: key and values, ``_line``. Keys are distinct. Dates of validity are not read.
        contract: names the columns and the key.
        day: the business date of the image.
        observed: dates for which an image has been merged; whether ``day`` is among them does not matter.
        delivery: index of the image's delivery.

    Returns:
        The rows to write. Merging the same image again gives none. Merging never touches what holds outside
        [day, next observed date) but for joining it with what is equal and adjoins.

    Cost: O(rows that touch the interval), sorting included.
    """
    until = min((seen for seen in observed if seen > day), default=None)
    touched = standing.filter(_touches(day, until))
    names = list(contract.stored_schema.names)
    pieces = [touched.filter(pl.col(VALID_FROM) < day).with_columns(_earlier(VALID_TO, day))]
    pieces.append(_dated(said_by(image, delivery), day, until))
    if until is not None:
        behind = touched.filter(_ends_after(until))
        pieces.append(behind.with_columns(pl.max_horizontal(VALID_FROM, pl.lit(until)).alias(VALID_FROM)))
    after = join_equal(pl.concat([piece.select(names) for piece in pieces]), contract)
    return written(touched, after, contract, delivery, within=(day, until))


def join_equal(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Rows of a key that adjoin and say the same are one row, with the provenance of the earliest; in key order.

    Args:
        rows: stored columns; rows of one key do not overlap.
        contract: names the columns and the key.
    """
    key, data = list(contract.key), data_columns(contract)
    rows = rows.sort(*key, VALID_FROM)
    same = [pl.col(name).eq_missing(pl.col(name).shift(1)) for name in [*key, *data]]
    adjoins = (pl.col(VALID_TO).shift(1) == pl.col(VALID_FROM)).fill_null(False)
    joins = rows.select(pl.all_horizontal(adjoins, *same).alias(_WAS))[_WAS]
    last = ~joins.shift(-1, fill_value=False)
    return rows.filter(~joins).with_columns(rows.filter(last)[VALID_TO])


def written(
    before: pl.DataFrame,
    after: pl.DataFrame,
    contract: Contract,
    delivery: int,
    within: tuple[date, date | None] | None = None,
) -> Merge:
    """The versions to write so that ``after`` stands where ``before`` stood: all rows of the same part of the state.

    ``within``: the only days on which what holds may differ, where the caller knows.
    """
    by, said = [*contract.key, VALID_FROM], [VALID_TO, *data_columns(contract)]
    beside = before.select(*by, *said, pl.lit(True).alias(_WAS))
    beside = after.join(beside, on=by, how="left", suffix=BEFORE, maintain_order="left")
    new = beside.filter(pl.col(_WAS).is_null() | any_differs(said)).select(*after.columns, _WAS)
    gone = before.join(after, on=by, how="anti")
    changed, names = int(new[_WAS].fill_null(False).sum()), list(contract.stored_schema.names)
    kept = new.with_columns(pl.lit(False).alias(WITHDRAWN))
    rows = pl.concat([kept.select(names), _withdrawn(gone, delivery).select(names)]).sort(by)
    days = _days(rows.select(VALID_FROM, VALID_TO), before.join(rows, on=by, how="semi").select(VALID_FROM, VALID_TO))
    return Merge(rows, new.height - changed, changed, gone.height, _clipped(days, within))


def apply(standing: pl.DataFrame, rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The rows that stand once ``rows`` are committed on top of those that stood, in key order."""
    by = [*contract.key, VALID_FROM]
    kept = standing.join(rows, on=by, how="anti")
    return pl.concat([kept, rows.filter(~pl.col(WITHDRAWN)).select(kept.columns)]).sort(by)


def _withdrawn(rows: pl.DataFrame, delivery: int) -> pl.DataFrame:
    line = pl.lit(NOT_A_LINE, pl.UInt32).alias(LINE)
    return rows.with_columns(pl.lit(delivery, pl.UInt32).alias(DELIVERY), line, pl.lit(True).alias(WITHDRAWN))


def _days(*frames: pl.DataFrame) -> tuple[date, date | None] | None:
    """First day and end of the days that rows hold on."""
    rows = pl.concat(frames)
    if rows.is_empty():
        return None
    start, end, is_open = rows.select(
        pl.col(VALID_FROM).min(), pl.col(VALID_TO).max(), pl.col(VALID_TO).is_null().any().alias(_WAS)
    ).row(0)
    return start, None if is_open else end


def _clipped(
    days: tuple[date, date | None] | None, within: tuple[date, date | None] | None
) -> tuple[date, date | None] | None:
    if days is None or within is None:
        return days
    ends = [end for end in (days[1], within[1]) if end is not None]
    return max(days[0], within[0]), min(ends, default=None)


def _dated(image: pl.DataFrame, day: date, until: date | None) -> pl.DataFrame:
    """The image's rows as rows that hold from the day until the next observed date."""
    return image.with_columns(
        pl.lit(day, pl.Date).alias(VALID_FROM), pl.lit(until, pl.Date).alias(VALID_TO), pl.lit(False).alias(WITHDRAWN)
    )


def _touches(day: date, until: date | None) -> pl.Expr:
    """Overlaps [day, until) or adjoins it."""
    starts = pl.col(VALID_FROM) <= until if until is not None else pl.lit(True)
    return starts & (pl.col(VALID_TO).is_null() | (pl.col(VALID_TO) >= day))


def _ends_after(day: date) -> pl.Expr:
    return pl.col(VALID_TO).is_null() | (pl.col(VALID_TO) > day)


def _earlier(name: str, day: date) -> pl.Expr:
    """The column, but not after the day; null counts as after."""
    return pl.min_horizontal(pl.col(name), pl.lit(day)).alias(name)
