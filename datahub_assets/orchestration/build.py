"""Settings and catalogue → Dagster definitions."""

import warnings
from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from datahub_assets.operations.declared import catalogue_of
from datahub_assets.orchestration.assets import catalogue_assets
from datahub_assets.orchestration.io_managers import ExtractIOManager, HBaseIOManager, RawFileIOManager
from datahub_assets.orchestration.resource import HubResource
from datahub_assets.orchestration.sensors import JOBS, SENSORS, schedules
from datahub_assets.settings import Settings

# Code references are beta and partitioned checks preview in dagster 1.13: its versions are pinned, so their API stands still.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def build_definitions(settings: Settings, own: Sequence[dg.AssetsDefinition] = ()) -> dg.Definitions:
    """Assets, checks, IO managers, sensors and schedules of the hub that the settings describe.

    Args:
        settings: of the hub.
        own: assets of your own. One with the key of a dataset's asset takes its place, e.g.
            ``asset_key(STRUCTURED, "risk/var")`` with ``io_manager_key="tables"``: the frame that it returns is committed.

    Raises:
        DeclarationError: the catalogue is wrong; all problems are told.
    """
    catalogue = catalogue_of(settings)
    home = str(settings.home)
    return dg.Definitions(
        assets=[*_unless_replaced(catalogue_assets(catalogue, settings), own), *own],
        jobs=list(JOBS),
        sensors=list(SENSORS),
        schedules=schedules(catalogue),
        executor=dg.in_process_executor,
        resources={
            "hub": HubResource(home=home),
            "raw_files": RawFileIOManager(home=home),
            "tables": HBaseIOManager(home=home),
            "extracts": ExtractIOManager(home=home),
        },
    )


def _unless_replaced(
    assets: Iterable[dg.AssetsDefinition], own: Iterable[dg.AssetsDefinition]
) -> Iterator[dg.AssetsDefinition]:
    replaced = {key for asset in own for key in asset.keys}
    return (asset for asset in assets if asset.key not in replaced)
