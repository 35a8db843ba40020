"""Extracts as declared now, and as the committed partitions were made: their columns, and whether the two make the same."""

from datahub_assets.catalogue.definition import Definition
from datahub_assets.history.log import Change
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import BUSINESS_DATE, Column, Contract, Shape
from datahub_assets.stores.parquet import logical_type, storable


def extract_contract(hub: Hub, extract: str) -> Contract:
    """The extract's result as a contract: its columns as stored, key as declared. Version 1, made from the SQL alone."""
    declared = hub.catalogue.extract(extract)
    schema = storable(hub.catalogue.derived(extract).schema, extract)
    columns = []
    for i, field in enumerate(schema, start=1):
        kind = logical_type(field.type)
        assert kind is not None  # storable said so
        nullable = field.name not in (*declared.key, BUSINESS_DATE)
        columns.append(
            Column(i, field.name, kind, nullable, declared.units.get(field.name), declared.columns.get(field.name, ""))
        )
    key = tuple(name for name in declared.key if name != BUSINESS_DATE)
    return Contract(extract, 1, Shape.SNAPSHOT, tuple(columns), key)


def definition_of(hub: Hub, extract: str) -> Definition:
    """By what the extract's next partitions are made."""
    declared = hub.catalogue.extract(extract)
    reads = tuple(hub.contract(name) for name in hub.catalogue.inputs[extract])
    return Definition(extract, declared.sql, declared.key, reads, extract_contract(hub, extract))


def made_by(hub: Hub, change: Change) -> Definition | None:
    """By what a partition of an extract was made; None where the log does not say (it was not kept at first)."""
    return hub.definitions.read(change.dataset, change.definition) if change.definition else None


def is_made_by(hub: Hub, change: Change, definition: Definition) -> bool:
    """Whether a partition was made by what makes the same as the definition; also where the log does not say."""
    if change.definition is None or change.definition == definition.name:
        return True
    return hub.definitions.read(change.dataset, change.definition).makes_what(definition)


def result_contract(hub: Hub, change: Change) -> Contract:
    """The columns that a committed partition of an extract was made with."""
    made = made_by(hub, change)
    return made.result if made else extract_contract(hub, change.dataset)
