"""The open hub as a Dagster resource."""

from pathlib import Path

import dagster as dg

from datahub_assets.operations.hub import Hub
from datahub_assets.settings import load


class HubResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the hub at ``home`` once a process; runs use it under their own run id."""

    home: str

    def open(self, run_id: str) -> Hub:
        """The hub under a run's id."""
        return opened(self.home, run_id)


def opened(home: str, run_id: str) -> Hub:
    """The hub at ``home``, opened once a process, under a run's id."""
    if home not in _OPENED:
        _OPENED[home] = Hub.open(load(Path(home)), actor="dagster")
    return _OPENED[home].run(run_id)


def held_position(hub: Hub) -> int:
    """The position that the hub's run reads at: the newest when it first asked, the same ever after."""
    if len(_HELD) > MAX_HELD:
        _HELD.pop(next(iter(_HELD)))
    return _HELD.setdefault(hub.run_id, hub.log.last())


MAX_HELD = 1_000
_HELD: dict[str, int] = {}
_OPENED: dict[str, Hub] = {}
