"""IO managers: raw files on the hub's filesystem, structured rows in tables, extracts in Parquet.

The assets of the catalogue commit in their bodies (a commit is more than a write); for them ``handle_output`` makes sure that
what they say is really there. Assets of your own can hand over frames and take them: an asset that returns rows of a
declared dataset has them committed, and one that takes a dataset's asset as input gets its rows at the run's position.

How is ``work.io_managers``'s.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from datahub_assets.orchestration import work

if TYPE_CHECKING:
    from datahub_assets.history.log import Delivery
    from datahub_assets.operations.structure import Commit
    from datahub_assets.orchestration.work.io_managers import Frame


class RawFileIOManager(dg.ConfigurableIOManager):
    """Deliveries of a feed: their bytes are in the vault, on the MapR filesystem or a local folder."""

    home: str

    def handle_output(self, context: dg.OutputContext, obj: "Sequence[Delivery]") -> None:
        """Each delivery's bytes are in the vault, whole.

        Raises:
            StoreCorrupt: the vault lacks one.
        """
        work.io_managers.require_deliveries(self.home, context, obj)

    def load_input(self, context: dg.InputContext) -> "list[Delivery]":
        """The deliveries that the wanted business dates are made from, in the order of deliveries."""
        return work.io_managers.deliveries_of(self.home, context)


class _DatasetIOManager(dg.ConfigurableIOManager):
    """What tables and extracts have in common: inputs are read at the run's position."""

    home: str

    def load_input(self, context: dg.InputContext) -> Any:
        """The rows of the wanted business dates: a pyarrow table, or polars or pandas where the parameter's type says so.

        Of a bitemporal dataset those that hold on one of the days from the first to the last of the wanted dates.
        """
        return work.io_managers.rows_of(self.home, context)


class HBaseIOManager(_DatasetIOManager):
    """Rows of structured datasets in the hub's tables: HBase or MapR-DB, or the embedded store."""

    def handle_output(self, context: dg.OutputContext, obj: "Commit | Frame") -> None:
        """A commit is really in the log; a frame is held to the contract and committed as the partition's image.

        The frame of a run over several partitions tells the day of each row in ``business_date``.
        """
        work.io_managers.keep_rows(self.home, context, obj)


class ExtractIOManager(_DatasetIOManager):
    """Extracts: immutable Parquet under an Iceberg table."""

    def handle_output(self, context: dg.OutputContext, obj: "Commit") -> None:
        """The commit is in the log and its files are there."""
        work.io_managers.require_extract(self.home, context, obj)
