"""What Dagster shows of a materialisation: counts, preview, chart."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from datahub_assets.history.log import Change

PREVIEW_ROWS = 8
CHART_DAYS = 60


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


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
