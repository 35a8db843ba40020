"""The Dagster code location: the hub that the settings describe."""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _kept() -> Iterator[None]:
    """Python does not look for garbage meanwhile, and never through what is there in the end: all of it stays.

    That would take a third of the time here, of what Dagster does next, and 0.8 s when the process ends. Where DuckDB was asked
    (the catalogue has changed), all is looked through in the end: what it has made must be given back, or it complains.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
        if "duckdb" in sys.modules:
            atexit.register(gc.unfreeze)
    finally:
        if was_enabled:
            gc.enable()


with _kept():
    from datahub_assets.orchestration.build import build_definitions
    from datahub_assets.settings import load

    defs = build_definitions(load())
