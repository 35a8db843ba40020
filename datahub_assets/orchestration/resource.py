"""The open hub as a Dagster resource."""

from typing import TYPE_CHECKING

import dagster as dg

from datahub_assets.orchestration import work

if TYPE_CHECKING:
    from datahub_assets.operations.hub import Hub


class HubResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the hub at ``home`` once a process; runs use it under their own run id."""

    home: str

    def open(self, run_id: str) -> "Hub":
        """The hub under a run's id."""
        return work.opening.opened(self.home, run_id)
