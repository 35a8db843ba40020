"""``pg_catalog`` and ``information_schema`` as a person sees them: what drivers and tools ask before they ask for data."""

from datahub_assets.serving.engine import System


def system() -> System:
    """What the ODBC door adds to every session."""
    return System()
