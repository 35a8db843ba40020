"""The open hub of a process of Dagster: opened once, used by each run under its own id."""

from pathlib import Path

from datahub_assets.operations.declared import catalogue_of
from datahub_assets.operations.hub import Hub
from datahub_assets.settings import load


def opened(home: str, run_id: str) -> Hub:
    """The hub at ``home``, opened once a process, under a run's id."""
    if home not in _OPENED:
        settings = load(Path(home))
        _OPENED[home] = Hub.open(settings, actor="dagster", catalogue=catalogue_of(settings))
    return _OPENED[home].run(run_id)


def held_position(hub: Hub) -> int:
    """The position that the hub's run reads at: the newest when it first asked, the same ever after."""
    if len(_HELD) > MAX_HELD:
        _HELD.pop(next(iter(_HELD)))
    return _HELD.setdefault(hub.run_id, hub.log.last())


MAX_HELD = 1_000
_HELD: dict[str, int] = {}
_OPENED: dict[str, Hub] = {}
