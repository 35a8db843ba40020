"""Extracts → their Iceberg tables, caught up to the log: after a publication, by maintenance, and at any time."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from datahub_assets.operations.definitions import extract_contract
from datahub_assets.operations.hub import Hub

if TYPE_CHECKING:
    from datahub_assets.stores.iceberg import Projected


def project(hub: Hub, extracts: Iterable[str] | None = None) -> "list[Projected]":
    """The Iceberg tables of these extracts (None: of all) hold exactly the log's newest state. Idempotent.

    Raises:
        StoreConflict: others kept on changing a table.
        StoreUnavailable: the Iceberg catalogue does not answer.
    """
    position, done = hub.log.last(), []
    with hub.iceberg() as iceberg:
        for extract in extracts if extracts is not None else hub.catalogue.extracts:
            changes = {str(p): change for p, (_, change) in hub.log.changes(extract, position).items()}
            if changes:
                done.append(iceberg.project(extract, extract_contract(hub, extract).arrow_schema, changes, position))
    return done
