"""Options that several commands have, declared once."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How data are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def parse_day(text: str) -> date:
    """A day from text as YYYY-MM-DD."""
    return date.fromisoformat(text)


Dataset = Annotated[str, typer.Argument(help="domain/name, as in: datahub catalogue show.")]
AnyDataset = Annotated[str | None, typer.Argument(help="domain/name; left out: all.")]
KnownAt = Annotated[
    str | None,
    typer.Option(
        "--known-at", metavar="WHEN",
        help="As the hub knew it: a day (its end), an instant, #position or a cut's name. Left out: now.",
    ),
]  # fmt: skip
As = Annotated[Format, typer.Option("--format", "-f", help="How to write the data.", case_sensitive=False)]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")]
Day = Annotated[
    date | None, typer.Option("--date", parser=parse_day, metavar="YYYY-MM-DD", help="Only this business date.")
]
From = Annotated[
    date | None, typer.Option("--from", parser=parse_day, metavar="YYYY-MM-DD", help="From this business date on.")
]
To = Annotated[
    date | None,
    typer.Option("--to", parser=parse_day, metavar="YYYY-MM-DD", help="Up to this business date, inclusive."),
]
ValidOn = Annotated[
    date | None,
    typer.Option(
        "--valid-on", parser=parse_day, metavar="YYYY-MM-DD", help="Bitemporal: only rows that hold on this day."
    ),
]
Columns = Annotated[str | None, typer.Option("--columns", metavar="A,B", help="Only these columns, in this order.")]
Where = Annotated[
    str | None, typer.Option("--where", metavar="SQL", help="Only rows for which this holds (DuckDB's SQL).")
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="At most so many rows; a table shows 50 when left out, other formats all."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before something is replaced or removed.")]
