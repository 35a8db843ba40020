"""What Dagster shows of a dataset: schema, lineage, the file that declares it. Of a materialisation: ``work.metadata``."""

from pathlib import Path

import dagster as dg

from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.orchestration.names import RAW, STRUCTURED, asset_key


def structured_schema(declared: StructuredDataset) -> dg.TableSchema:
    """The contract as Dagster shows it: types, units, checks, key."""
    columns = [
        dg.TableColumn(
            column.name, column.type, column.description,
            dg.TableColumnConstraints(
                nullable=column.nullable, unique=declared.key == (column.name,),
                other=[f"{name} {value}" for name, value in column.checks.declared().items()],
            ),
            {"unit": column.unit} if column.unit else None,
        )
        for column in declared.columns
    ]  # fmt: skip
    return dg.TableSchema(columns, dg.TableConstraints([f"key: {', '.join(declared.key)}"]))


def extract_schema(declared: ExtractDataset, catalogue: Catalogue) -> dg.TableSchema:
    """The columns of an extract's SQL, with the descriptions and units that are declared."""
    columns = [
        dg.TableColumn(
            name, type_name, declared.columns.get(name),
            dg.TableColumnConstraints(nullable=name not in declared.key),
            {"unit": declared.units[name]} if name in declared.units else None,
        )
        for name, type_name in catalogue.derived(declared.dataset).columns
    ]  # fmt: skip
    return dg.TableSchema(columns, dg.TableConstraints([f"key: {', '.join(declared.key)}"]))


def structured_lineage(declared: StructuredDataset) -> dg.TableColumnLineage:
    """Each column and the field of the file it comes from."""
    raw, feed = asset_key(RAW, declared.dataset), declared.feed
    unpivoted = {feed.unpivot.name, feed.unpivot.value} if feed.unpivot else set()
    deps = {}
    for column in declared.columns:
        if column.constant is None:
            field = column.source or column.name
            deps[column.name] = [
                dg.TableColumnDep(raw, f"(every other field as {field})" if field in unpivoted else field)
            ]
    return dg.TableColumnLineage(deps)


def extract_lineage(declared: ExtractDataset, catalogue: Catalogue) -> dg.TableColumnLineage:
    """Each column and the columns of the inputs that its value comes from."""
    origins = catalogue.derived(declared.dataset).lineage
    return dg.TableColumnLineage({
        column: [dg.TableColumnDep(asset_key(STRUCTURED, dataset), name) for dataset, name in found]
        for column, found in origins.items() if found
    })  # fmt: skip


def code_reference(file: Path, label: str) -> dg.CodeReferencesMetadataValue:
    """A link from the asset to the file that declares it."""
    return dg.CodeReferencesMetadataValue(
        code_references=[dg.LocalFileCodeReference(file_path=str(file), line_number=1, label=label)]
    )
