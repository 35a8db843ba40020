"""The Dagster code location: the hub that the settings describe."""

import gc

from datahub_assets.orchestration.build import build_definitions
from datahub_assets.settings import load

defs = build_definitions(load())
gc.freeze()  # what is defined stays: looking through it for garbage would take a third of what Dagster does next
