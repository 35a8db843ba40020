"""Images of one snapshot partition: folding deliveries into an image, and the difference of two images.

Frames have the contract's columns and provenance. For images too large for two frames there is ``count_differences``,
over hashes of keys and rows (``digest`` makes them). Dated rows are in ``bitemporal`` and ``intervals``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from datahub_assets.history.comparison import BEFORE, any_differs, data_columns, differing
from datahub_assets.history.provenance import Receipt, said_by
from datahub_assets.schema.contract import Contract

DELETED = "_deleted"
"""Column of a delivery's rows (bool): the row deletes its key. Never stored."""
CHANGED_COLUMNS = "_changed"
"""Column of ``Difference.changed`` (list of text): names of the columns whose values differ."""


@dataclass(frozen=True)
class Delivered:
    """What one delivery says of one partition.

    Args:
        receipt: the delivery's place in the order of deliveries.
        rows: its accepted rows for the partition: contract's columns, ``_line``, perhaps ``_deleted``.
        amends: False: the rows are the whole image (none: the partition is empty). True: they amend the image by key.
    """

    receipt: Receipt
    rows: pl.DataFrame
    amends: bool = False


@dataclass(frozen=True)
class Counts:
    """Rows of an image that the one before lacked, that differ from it, and that it no longer has."""

    added: int
    changed: int
    removed: int


@dataclass(frozen=True)
class Difference:
    """Two images compared by key.

    ``added`` and ``removed`` are rows of the later and the earlier image. ``changed`` has the later rows, the earlier
    values in columns ``<name>§before`` and ``_changed``, the list of the columns that differ.
    """

    added: pl.DataFrame
    changed: pl.DataFrame
    removed: pl.DataFrame

    @property
    def counts(self) -> Counts:
        """The three counts."""
        return Counts(self.added.height, self.changed.height, self.removed.height)


def fold(deliveries: Sequence[Delivered], contract: Contract) -> tuple[pl.DataFrame, tuple[Receipt, ...]]:
    """The image that the deliveries make, and the deliveries that made it: the list that ``_delivery`` indexes.

    The latest delivery that replaces is the image; those after it amend it by key, the later (and in one delivery the
    lower) row winning; a row with ``_deleted`` deletes its key. What came before the latest replacement has no say and
    is not in the list. A delivery that only touches the date, without rows of it, must not be given as a replacement,
    unless it is the date's own file: then it empties the image.

    Args:
        deliveries: in the order of deliveries, at least one.
        contract: names the columns and the key.

    Returns:
        Rows in the order of their lines (those amended last), with ``_delivery`` and ``_line``; the list of receipts.

    >>> from datahub_assets.schema.contract import Column, Shape
    >>> from datahub_assets.schema.types import LogicalType
    >>> contract = Contract("d/t", 1, Shape.SNAPSHOT, (Column(1, "k", LogicalType.parse("text")),), ("k",))
    >>> whole = Delivered((4, 0), pl.DataFrame({"k": ["a", "b"], "_line": [2, 3]}))
    >>> late = Delivered((6, 0), pl.DataFrame({"k": ["a"], "_line": [2], "_deleted": [True]}), amends=True)
    >>> image, receipts = fold([whole, late], contract)
    >>> image.rows(), receipts
    ([('b', 0, 3)], ((4, 0), (6, 0)))
    """
    start = max((i for i, delivered in enumerate(deliveries) if not delivered.amends), default=0)
    standing = deliveries[start:]
    told = [_told(delivered, index, contract) for index, delivered in enumerate(standing)]
    rows = pl.concat(told)
    if len(told) > 1:
        rows = rows.unique(list(contract.key), keep="last", maintain_order=True)
    return rows.filter(~pl.col(DELETED)).drop(DELETED), tuple(delivered.receipt for delivered in standing)


def difference(before: pl.DataFrame, after: pl.DataFrame, contract: Contract) -> Difference:
    """What the later image adds, changes and removes, by key. Provenance is not compared; rows may be in any order.

    >>> from datahub_assets.schema.contract import Column, Shape
    >>> from datahub_assets.schema.types import LogicalType
    >>> columns = (Column(1, "k", LogicalType.parse("text")), Column(2, "v", LogicalType.parse("int32")))
    >>> contract = Contract("d/t", 1, Shape.SNAPSHOT, columns, ("k",))
    >>> one, two = pl.DataFrame({"k": ["a", "b"], "v": [1, 2]}), pl.DataFrame({"k": ["b", "c"], "v": [3, 4]})
    >>> found = difference(one, two, contract)
    >>> found.counts, found.changed.row(0)
    (Counts(added=1, changed=1, removed=1), ('b', 3, 2, ['v']))
    """
    key, data = list(contract.key), data_columns(contract)
    both = after.join(before.select(*key, *data), on=key, how="inner", suffix=BEFORE, maintain_order="left")
    return Difference(
        added=after.join(before, on=key, how="anti", maintain_order="left"),
        changed=both.filter(any_differs(data)).with_columns(differing(data).alias(CHANGED_COLUMNS)),
        removed=before.join(after, on=key, how="anti", maintain_order="left"),
    )


def count_differences(
    before_keys: npt.NDArray[np.uint64], before_rows: npt.NDArray[np.uint64],
    after_keys: npt.NDArray[np.uint64], after_rows: npt.NDArray[np.uint64],
) -> Counts:  # fmt: skip
    """The counts of ``difference`` from hashes alone: for images that do not fit twice.

    Args:
        before_keys: hash of each row's key in the earlier image, shape (n,) for 64 bits or (n, 2) for 128; distinct.
        before_rows: hash of each row's values (or of the whole row), in the same row order.
        after_keys: as ``before_keys``, of the later image.
        after_rows: as ``before_rows``, of the later image.

    Returns:
        Exact but for collisions: with 64 bits 1 in a million for images of 5 million rows, with 128 none to speak of.

    Cost: O(n log n); at the peak 25 bytes a row of both images beside the arguments (33 with 128-bit keys).

    >>> h = lambda *values: np.array(values, np.uint64)
    >>> count_differences(h(1, 2), h(10, 20), h(3, 2), h(30, 21))
    Counts(added=1, changed=1, removed=1)
    """
    keys = np.concatenate([before_keys, after_keys])
    order = np.argsort(keys, kind="stable") if keys.ndim == 1 else np.lexsort((keys[:, 1], keys[:, 0]))
    keys = keys[order]
    pairs = keys[1:] == keys[:-1] if keys.ndim == 1 else (keys[1:] == keys[:-1]).all(axis=1)
    del keys
    first = np.flatnonzero(pairs)  # a key of both images: stable sorting has the earlier image's row first
    before, after = order[first], order[first + 1] - len(before_keys)
    del order
    same = before_rows[before] == after_rows[after]
    changed = len(first) - int((same if same.ndim == 1 else same.all(axis=1)).sum())
    return Counts(len(after_keys) - len(first), changed, len(before_keys) - len(first))


def _told(delivered: Delivered, index: int, contract: Contract) -> pl.DataFrame:
    deleted = pl.col(DELETED).fill_null(False) if DELETED in delivered.rows.columns else pl.lit(False)
    names = [column.name for column in contract.columns]
    return said_by(delivered.rows, index).select(*names, "_delivery", "_line", deleted.alias(DELETED))
