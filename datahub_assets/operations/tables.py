"""Tables of the hub as they are declared and as they are in HBase; embedded tables have nothing to declare."""

from collections.abc import Iterator
from dataclasses import dataclass

from datahub_assets.operations.hub import Hub
from datahub_assets.stores.commit_log import INDEX, LOG
from datahub_assets.stores.structured import table_name


@dataclass(frozen=True)
class Step:
    """What is not as declared, and who puts it right: ``datahub tables apply``, or a statement of ``hbase shell``."""

    table: str
    what: str
    actual: str
    declared: str
    remedy: str


def plan(hub: Hub) -> list[Step]:
    """Everything about the hub's tables that is not as declared; nothing is changed.

    Raises:
        StoreUnavailable: HBase does not answer.
        DeclarationError: a table has rows with another number of salt buckets than is declared.
    """
    _require_salts(hub)
    return [step for table in _tables(hub) for step in _steps(hub, table)]


def apply(hub: Hub) -> tuple[list[str], list[Step]]:
    """Tables that were not there are; returns these, and what the plan still says: that is for ``hbase shell``.

    Raises:
        StoreUnavailable: HBase does not answer.
        DeclarationError: the namespace is not there; or as ``plan``, before anything is changed.
    """
    _require_salts(hub)
    from datahub_assets.stores.tables.hbase import HBaseTableStore

    store = hub.tables
    made = [table for table in _tables(hub) if isinstance(store, HBaseTableStore) and store.make(table)]
    return made, plan(hub)


def _require_salts(hub: Hub) -> None:
    for dataset in hub.catalogue.structured:
        hub.require_salt(dataset)


def _tables(hub: Hub) -> list[str]:
    return [LOG, INDEX, *(table_name(dataset) for dataset in hub.catalogue.structured)]


def _steps(hub: Hub, table: str) -> Iterator[Step]:
    from datahub_assets.stores.tables.hbase import HBaseTableStore

    store = hub.tables
    if not isinstance(store, HBaseTableStore):
        return
    found = store.differences(table)
    if found is None:
        yield Step(table, "table", "absent", "there", "datahub tables apply")
        return
    yield from (Step(table, each.what, each.actual, each.declared, each.shell) for each in found)
    yield from (Step(table, each.what, each.actual, each.declared, each.shell) for each in store.unseen(table))
