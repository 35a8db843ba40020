"""Which stored versions stand: at a position, on a day, and for one key at all known times.

A bitemporal table holds versions by (key, valid_from), newest T first. A position names the write ids committed up to it;
of each (key, valid_from) the newest committed version stands, unless it is withdrawn. Everything here is column-wise, and
``standing_batches`` needs no more memory than its largest batch.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Any

import polars as pl

from datahub_assets.history.comparison import BEFORE, any_differs, data_columns
from datahub_assets.history.provenance import WRITE_ID
from datahub_assets.schema.contract import VALID_FROM, VALID_TO, WITHDRAWN, Contract

KNOWN_FROM, KNOWN_TO = "known_from", "known_to"
"""Known times between which a version stood: half-open, ``known_to`` null = it still stands."""
POSITION = "position"


def standing(versions: pl.DataFrame, committed: Collection[int], contract: Contract) -> pl.DataFrame:
    """The rows that stand once the given write ids are committed, and no others.

    Args:
        versions: all stored versions in table order (key, valid_from, newest T first): stored columns, ``_write_id``.
        committed: write ids of the dataset at the position. Rows of others (later or orphans) are passed over.
        contract: names the columns and the key.

    Returns:
        Rows in table order, columns as given.
    """
    return pl.concat([versions.clear(), *standing_batches([versions], committed, contract)])


def standing_batches(
    batches: Iterable[pl.DataFrame], committed: Collection[int], contract: Contract
) -> Iterator[pl.DataFrame]:
    """As ``standing``, batch by batch; a batch may end between two versions of one (key, valid_from)."""
    by = [*contract.key, VALID_FROM]
    seen: pl.DataFrame | None = None
    ids = pl.Series(sorted(committed), dtype=pl.UInt64)
    for batch in batches:
        known = batch.filter(pl.col(WRITE_ID).cast(pl.UInt64).is_in(ids.implode()))
        if known.is_empty():
            continue
        names = known.select(by)
        first = _starts(names if seen is None else pl.concat([seen, names]))
        yield known.filter((first if seen is None else first[1:]) & ~known[WITHDRAWN])
        seen = names.tail(1)


def holding_on(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """The rows that hold on the day: valid_from ≤ day < valid_to.

    >>> rows = pl.DataFrame({"valid_from": [date(2013, 1, 1), date(2013, 1, 3)], "valid_to": [date(2013, 1, 3), None]})
    >>> holding_on(rows, date(2013, 1, 3))["valid_from"].to_list()
    [datetime.date(2013, 1, 3)]
    """
    return rows.filter((pl.col(VALID_FROM) <= day) & (pl.col(VALID_TO).is_null() | (pl.col(VALID_TO) > day)))


def bitemporal_history(versions: pl.DataFrame, commits: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Every version that ever stood, with the known times between which it did. A withdrawal ends one, and is no row.

    Args:
        versions: stored versions, e.g. of one key: stored columns and ``_write_id``, in any order.
        commits: the dataset's commits up to the position asked at: ``_write_id``, ``position`` and ``known_at``.
        contract: names the columns and the key.

    Returns:
        By key, valid_from and known time: stored columns without ``_withdrawn``, ``_write_id``, ``position``,
        ``known_from``, ``known_to`` (null: it stands at the position).
    """
    by = [*contract.key, VALID_FROM]
    rows = versions.join(_commits(commits), on=WRITE_ID, how="inner").sort(*by, POSITION)
    rows = rows.with_columns(pl.col(KNOWN_FROM).shift(-1).over(by).alias(KNOWN_TO))
    return rows.filter(~pl.col(WITHDRAWN)).drop(WITHDRAWN)


def snapshot_history(versions: pl.DataFrame, commits: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Every version that a partition held of its keys, with the known times between which it did.

    Each commit of a partition writes the whole image, so a key that it lacks is gone with it. Commits that say the same
    of a key one after the other are one version, with the provenance of the first; A, then B, then A again are three.

    Args:
        versions: stored rows of the partition under its write ids, e.g. of one key: stored columns and ``_write_id``.
        commits: the partition's commits up to the position asked at: ``_write_id``, ``position`` and ``known_at``.
        contract: names the columns and the key.

    Returns:
        By key and known time: stored columns, ``_write_id``, ``position``, ``known_from``, ``known_to`` (null: stands).
    """
    key, data = list(contract.key), data_columns(contract)
    ends = pl.col(KNOWN_FROM).shift(-1).alias(KNOWN_TO)
    images = _commits(commits).sort(POSITION).with_columns(ends)
    rows = versions.join(images, on=WRITE_ID, how="inner").sort(*key, POSITION)
    before = rows.select(pl.col(*key, *data, KNOWN_TO).shift(1).name.suffix(BEFORE))
    goes_on = (pl.col(KNOWN_TO + BEFORE) == pl.col(KNOWN_FROM)).fill_null(False) & ~any_differs([*key, *data])
    joins = rows.hstack(before).select(goes_on)[KNOWN_TO + BEFORE]
    last = ~joins.shift(-1, fill_value=False)
    return rows.filter(~joins).with_columns(rows.filter(last)[KNOWN_TO])


def snapshot_history_batches(
    images: Sequence[Iterator[pl.DataFrame]], commits: pl.DataFrame, contract: Contract
) -> Iterator[pl.DataFrame]:
    """As ``snapshot_history``, over images that are read side by side: memory is bounded by a batch of each image.

    Args:
        images: of each write id the rows in key order, batch by batch, with ``_write_id``.
        commits: as there.
        contract: as there.

    Returns:
        Batches by key; the versions of a key are all in one.
    """
    key = list(contract.key)
    pages: list[pl.DataFrame | None] = [None] * len(images)
    while True:
        for i, image in enumerate(images):
            page = pages[i]
            while page is None or page.is_empty():
                if (page := next(image, None)) is None:
                    break
            pages[i] = page
        waiting = [page for page in pages if page is not None]
        if not waiting:
            return
        # every row up to the least last key is here: the batches that come have higher keys
        least = pl.concat([page.select(key).tail(1) for page in waiting]).sort(key).row(0)
        upto = _not_above(key, least)
        rows = pl.concat([page.filter(upto) for page in waiting])
        pages = [None if page is None else page.filter(~upto) for page in pages]
        yield snapshot_history(rows, commits, contract)


def bitemporal_history_batches(
    batches: Iterable[pl.DataFrame], commits: pl.DataFrame, contract: Contract
) -> Iterator[pl.DataFrame]:
    """As ``bitemporal_history``, batch by batch in table order (newest first); a batch may end between two versions."""
    by = [*contract.key, VALID_FROM]
    known = _commits(commits)
    before: pl.DataFrame | None = None
    for batch in batches:
        rows = batch.join(known, on=WRITE_ID, how="inner", maintain_order="left")
        if rows.is_empty():
            continue
        names = rows.select(*by, KNOWN_FROM)
        joined = names if before is None else pl.concat([before, names])
        newer = pl.when(_is_as_before(by)).then(pl.col(KNOWN_FROM).shift(1)).alias(KNOWN_TO)
        ends = joined.select(newer)[KNOWN_TO][-len(rows) :]
        before = names.tail(1)
        yield rows.with_columns(ends).filter(~pl.col(WITHDRAWN)).drop(WITHDRAWN)


def _is_as_before(names: Sequence[str]) -> pl.Expr:
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in names)


def _not_above(key: Sequence[str], bound: Sequence[Any]) -> pl.Expr:
    """True where the key is not above the bound, column by column."""
    found = pl.lit(True)
    for name, value in reversed(list(zip(key, bound, strict=True))):
        found = (pl.col(name) < value) | ((pl.col(name) == value) & found)
    return found


def _commits(commits: pl.DataFrame) -> pl.DataFrame:
    return commits.select(pl.col(WRITE_ID).cast(pl.UInt64), POSITION, pl.col("known_at").alias(KNOWN_FROM))


def _starts(names: pl.DataFrame) -> pl.Series:
    """True at the first of rows that stand together with equal values."""
    return names.select(pl.any_horizontal(pl.all().ne_missing(pl.all().shift(1))).alias("starts"))["starts"]
