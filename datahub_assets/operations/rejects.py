"""The rejects of one commit: gathered, counted by business date, kept in the vault, held against the tolerance."""

from collections import Counter
from collections.abc import Iterable
from datetime import date

import polars as pl

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.errors import DeliveryMalformed
from datahub_assets.history.log import Delivery
from datahub_assets.history.provenance import Receipt
from datahub_assets.operations.hub import Hub

SAMPLE = 5
ENOUGH = 10_000
"""Rejected rows of one delivery that tell a provider what is wrong: a delivery beyond tolerance is not read on after these."""


class BeyondTolerance(Exception):
    """So many rows of a delivery were rejected that the rest of it need not be read: it cannot be committed any more."""

    def __init__(self, rejects: "Rejects") -> None:
        self.rejects = rejects
        super().__init__("too many rejects")


class Rejects:
    """Rejects of the deliveries that one commit is made from; the tolerance is each delivery's own.

    A reject whose business date cannot be told counts for the first day of the commit.
    """

    def __init__(self, declared: StructuredDataset, days: Iterable[date], *, stops: bool = False) -> None:
        """``stops``: reading ends by ``BeyondTolerance`` when ``ENOUGH`` is told of a delivery that cannot be committed."""
        self._declared, self._days, self._stops = declared, list(days), stops
        self._frames: list[pl.DataFrame] = []
        self._counts: Counter[date] = Counter()
        self._read: Counter[Receipt] = Counter()
        self._rejected: Counter[Receipt] = Counter()
        self._stopped = False

    @property
    def rows_read(self) -> int:
        """Rows read of all deliveries."""
        return self._read.total()

    def add(self, rejects: pl.DataFrame, rejected: int, delivery: Delivery, *, read: int = 0) -> None:
        """These rejects are counted in: ``rejected`` rows of the delivery, some perhaps with several rejects.

        Args:
            read: rows that were read to find them, where they were not counted before.

        Raises:
            BeyondTolerance: enough is told.
        """
        self._read[delivery.receipt] += read
        if not rejected:
            return
        day = delivery.file_date if delivery.file_date in self._days else self._days[0]
        self._counts[day or self._days[0]] += rejected
        self._rejected[delivery.receipt] += rejected
        receipt = f"{delivery.receipt[0]}.{delivery.receipt[1]}"
        self._frames.append(rejects.with_columns(delivery=pl.lit(delivery.name), receipt=pl.lit(receipt)))
        if self._stops and self._rejected[delivery.receipt] > max(self._declared.tolerance.rows, ENOUGH):
            self._stopped = True
            raise BeyondTolerance(self)

    def of(self, day: date) -> int:
        """Rows rejected that count for a day."""
        return self._counts[day]

    @property
    def frame(self) -> pl.DataFrame:
        """All rejects: delivery, receipt, line, column, value, rule, message, record."""
        return pl.concat(self._frames) if self._frames else pl.DataFrame()

    def keep(self, hub: Hub, write_id: int) -> str | None:
        """The rejects are in the vault; returns where, None when there are none."""
        if not self._frames:
            return None
        return hub.vault.keep_rejects(self._declared.dataset, self._days[0].isoformat(), write_id, self.frame)

    def check_tolerance(self, deliveries: Iterable[Delivery], path: str | None) -> None:
        """Nothing happens when each delivery is within the declared tolerance.

        Raises:
            DeliveryMalformed: of one, more rows, or a larger share of them, were rejected; a sample of the reasons is told.
        """
        for delivery in deliveries:
            rejected, read, tolerance = (
                self._rejected[delivery.receipt],
                self._read[delivery.receipt],
                self._declared.tolerance,
            )
            if rejected > tolerance.rows or rejected / max(read, 1) > tolerance.share:
                raise self._malformed(delivery, rejected, read, path)

    def _malformed(self, delivery: Delivery, rejected: int, read: int, path: str | None) -> DeliveryMalformed:
        tolerance, mine = self._declared.tolerance, f"{delivery.receipt[0]}.{delivery.receipt[1]}"
        sample = self.frame.filter(pl.col("receipt") == mine).head(SAMPLE)
        found = sample.select("line", "column", "value", "rule", "message").iter_rows()
        stopped = ", and reading stopped there" if self._stopped else ""
        return DeliveryMalformed(
            "Too many rejects", where=f"{self._declared.dataset}, {delivery.name}",
            got=f"{rejected} of {read} rows ({rejected / max(read, 1):.1%}){stopped}",
            expected=f"at most {tolerance.rows} rows and {tolerance.share:.1%}",
            remedy=f"See them: datahub rejects show {path}; then ask for a corrected file, or relax the contract and run again",
            problems=[
                f"line {line}, {column or 'row'}: {rule}, {message or repr(value)}"
                for line, column, value, rule, message in found
            ],
        )  # fmt: skip
