"""What assets, jobs, sensors and IO managers do when Dagster asks them to; what Dagster is told of them is declared beside.

Every process of Dagster loads the declarations, and many do no more than that: the code server's, its reloads, each look at
the assets. So nothing here is imported before it is first asked for: modules that declare import this package alone and name
what they call, ``work.assets.publish_extract(…)``. Here every room below may be imported on top, as anywhere else.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["assets", "io_managers", "jobs", "opening", "sensors"]

if TYPE_CHECKING:
    from datahub_assets.orchestration.work import assets, io_managers, jobs, opening, sensors
else:

    def __getattr__(name: str) -> ModuleType:
        """A module of this package, imported when it is first asked for."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f"{__name__}.{name}")
