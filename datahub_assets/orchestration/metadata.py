"""What Dagster shows of a dataset and of a materialisation: schema, lineage, counts, preview, chart, addresses."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.history.log import Change
from datahub_assets.orchestration.names import RAW, STRUCTURED, asset_key

PREVIEW_ROWS = 8
CHART_DAYS = 60


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


def change_metadata(change: Change, position: int, known_at: str) -> dict[str, Any]:
    """What a commit did to one scope."""
    return {
        "dagster/partition_row_count": change.rows,
        "rows read": change.rows_read, "accepted": change.accepted, "rejected": change.rejected,
        "added": change.added, "changed": change.changed, "removed": change.removed,
        "known at": known_at, "position": position, "write id": change.write_id,
        "digest": change.digest, "contract version": change.contract_version,
        **({"rejects": dg.MetadataValue.path(change.rejects)} if change.rejects else {}),
    }  # fmt: skip


def preview(rows: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows as a table."""
    return dg.MetadataValue.md(markdown_table(rows.columns, rows.head(PREVIEW_ROWS).rows()))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def row_chart(counts: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """Rows by partition as a small bar chart (the newest ``CHART_DAYS``)."""
    newest = dict(list(counts.items())[-CHART_DAYS:])
    top, width = max(newest.values(), default=1) or 1, 6
    bars = "".join(
        f'<rect x="{i * width}" y="{48 - round(44 * n / top)}" width="{width - 1}" height="{round(44 * n / top)}" fill="#4f7cac">'
        f"<title>{day}: {n}</title></rect>"
        for i, (day, n) in enumerate(newest.items())
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(len(newest), 1) * width}" height="48">{bars}</svg>'
    image = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(
        f"![rows by partition](data:image/svg+xml;base64,{image})\n\nat most {top} rows a partition"
    )


def code_reference(file: Path, label: str) -> dg.CodeReferencesMetadataValue:
    """A link from the asset to the file that declares it."""
    return dg.CodeReferencesMetadataValue(
        code_references=[dg.LocalFileCodeReference(file_path=str(file), line_number=1, label=label)]
    )


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
