"""Which checks a dataset has, by name. What they look at is ``operations.checks``'s."""

from datahub_assets.catalogue.models import OWN_CHECKS, ExtractDataset, StructuredDataset
from datahub_assets.schema.contract import Shape

CONTRACT, ROW_COUNT, RECONCILIATION, COMPLETENESS, FRESHNESS = OWN_CHECKS


def check_names(declared: StructuredDataset | ExtractDataset) -> tuple[str, ...]:
    """Names of the checks that a dataset has, partition checks first."""
    custom = tuple(custom_name(reference) for reference in declared.checks.custom)
    own = (RECONCILIATION, *custom, COMPLETENESS, FRESHNESS)
    if isinstance(declared, ExtractDataset):
        return (ROW_COUNT, *own)
    return (CONTRACT, ROW_COUNT, *own) if declared.shape is Shape.SNAPSHOT else (CONTRACT, *own)


def custom_name(reference: str) -> str:
    """The name of a check by reference: that of the function or schema."""
    return reference.rpartition(":")[2]
