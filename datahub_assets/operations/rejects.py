"""The rejects of one commit: gathered, counted by business date, kept in the vault, held against the tolerance."""

from collections import Counter
from collections.abc import Iterable
from datetime import date

import polars as pl

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.errors import DeliveryMalformed
from datahub_assets.history.log import Delivery
from datahub_assets.operations.hub import Hub

SAMPLE = 5


class Rejects:
    """Rejects of the deliveries that one commit is made from.

    A reject whose business date cannot be told counts for the first day of the commit.
    """

    def __init__(self, declared: StructuredDataset, days: Iterable[date]) -> None:
        self._declared, self._days = declared, list(days)
        self._frames: list[pl.DataFrame] = []
        self._counts: Counter[date] = Counter()
        self.rows_read = 0

    def add(self, rejects: pl.DataFrame, rows: int, delivery: Delivery) -> None:
        """These rejects are counted in: ``rows`` rows of the delivery, some perhaps with several rejects."""
        if not rows:
            return
        day = delivery.file_date if delivery.file_date in self._days else self._days[0]
        self._counts[day or self._days[0]] += rows
        receipt = f"{delivery.receipt[0]}.{delivery.receipt[1]}"
        self._frames.append(rejects.with_columns(delivery=pl.lit(delivery.name), receipt=pl.lit(receipt)))

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

    def check_tolerance(self, delivery: Delivery, path: str | None) -> None:
        """Nothing happens within the declared tolerance.

        Raises:
            DeliveryMalformed: more rows, or a larger share of them, were rejected; a sample of the reasons is told.
        """
        rejected, tolerance = self._counts.total(), self._declared.tolerance
        share = rejected / max(self.rows_read, 1)
        if rejected <= tolerance.rows and share <= tolerance.share:
            return
        found = self.frame.head(SAMPLE).select("line", "column", "value", "rule", "message").iter_rows()
        raise DeliveryMalformed(
            "Too many rejects", where=f"{self._declared.dataset}, {delivery.name}",
            got=f"{rejected} of {self.rows_read} rows ({share:.1%})",
            expected=f"at most {tolerance.rows} rows and {tolerance.share:.1%}",
            remedy=f"See them: datahub rejects show {path}; then ask for a corrected file, or relax the contract and run again",
            problems=[
                f"line {line}, {column or 'row'}: {rule}, {message or value!r}" for line, column, value, rule, message in found
            ],
        )  # fmt: skip
