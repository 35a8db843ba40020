"""Settings and catalogue → Dagster definitions."""

import warnings

import dagster as dg

from datahub_assets.catalogue.loading import load
from datahub_assets.orchestration.assets import catalogue_assets
from datahub_assets.orchestration.io_managers import ExtractIOManager, HBaseIOManager, RawFileIOManager
from datahub_assets.orchestration.resource import HubResource
from datahub_assets.orchestration.sensors import JOBS, SENSORS, schedules
from datahub_assets.settings import Settings

# Code references are beta and partitioned checks preview in dagster 1.13: its versions are pinned, so their API stands still.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def build_definitions(settings: Settings) -> dg.Definitions:
    """Assets, checks, IO managers, sensors and schedules of the hub that the settings describe.

    Raises:
        DeclarationError: the catalogue is wrong; all problems are told.
    """
    catalogue = load(settings.catalogue)
    hub = HubResource(home=str(settings.home))
    return dg.Definitions(
        assets=catalogue_assets(catalogue, settings.now().date()),
        jobs=list(JOBS),
        sensors=list(SENSORS),
        schedules=schedules(catalogue),
        executor=dg.in_process_executor,
        resources={
            "hub": hub,
            "raw_files": RawFileIOManager(hub=hub),
            "tables": HBaseIOManager(hub=hub),
            "extracts": ExtractIOManager(hub=hub),
        },
    )
