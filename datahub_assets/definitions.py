"""The Dagster code location: the hub that the settings describe."""

from datahub_assets.orchestration.build import build_definitions
from datahub_assets.settings import load

defs = build_definitions(load())
