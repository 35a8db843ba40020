"""What one catalogue file may say: a structured dataset with its feed, or an extract.

Only declarations and what follows from one file alone; what needs the other files is in ``loading``. Field descriptions
become the JSON Schema that editors complete from (``datahub catalogue schema``).
"""

import re
from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from datahub_assets.catalogue.filename import FilenamePattern
from datahub_assets.errors import DeclarationError
from datahub_assets.parsing.options import Archive, FormatOptions, Unpivot
from datahub_assets.schema.contract import (
    BUSINESS_DATE,
    KEY_KINDS,
    VALID_FROM,
    VALID_TO,
    Column,
    Contract,
    RowLayout,
    Shape,
)
from datahub_assets.schema.types import Kind, LogicalType

DATASET_NAME = r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$"
NAME = r"^[a-z][a-z0-9_]*$"
REFERENCE = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"
OWN_CHECKS = ("contract", "row_count", "reconciliation", "completeness", "freshness")
"""Names of the checks that every dataset may have."""


class Declared(BaseModel):
    """Base of all declarations: unknown fields are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Checks(Declared):
    """Rules that each value of a column is held to (nulls are ruled by ``nullable``)."""

    ge: int | float | date | None = Field(None, description="At least.")
    gt: int | float | date | None = Field(None, description="More than.")
    le: int | float | date | None = Field(None, description="At most.")
    lt: int | float | date | None = Field(None, description="Less than.")
    one_of: tuple[str, ...] | None = Field(None, description="One of these texts.")
    pattern: str | None = Field(None, description="Regular expression that the whole text matches.")
    min_length: int | None = Field(None, ge=0, description="Characters at least.")
    max_length: int | None = Field(None, ge=0, description="Characters at most.")
    identifier: Literal["isin", "lei", "cusip", "sedol", "figi", "bic"] | None = Field(
        None, description="A standard identifier; its check digits are verified."
    )

    def declared(self) -> dict[str, Any]:
        """The checks that are set, by name."""
        return self.model_dump(mode="json", exclude_none=True) if self.model_fields_set else {}


class ColumnDeclaration(Declared):
    """One column of a dataset."""

    name: str = Field(pattern=NAME, description="Lower case, digits and _.")
    type: str = Field(description="text, int32, int64, float64, decimal(p,s), boolean, date or timestamp.")
    nullable: bool = Field(False, description="The value may be missing.")
    unit: str | None = Field(None, description="Unit or currency of the values, e.g. EUR, percent, shares.")
    description: str = Field("", description="What the column says, for readers.")
    source: str | None = Field(None, description="Field of the file; the column's name when left out.")
    constant: str | None = Field(None, description="The same text for each row, instead of a field of the file.")
    aliases: tuple[str, ...] = Field(
        (), description="Former names of the column: a rename keeps the column's identity."
    )
    checks: Checks = Field(default_factory=Checks, description="Rules that each value is held to.")

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        try:
            return str(LogicalType.parse(value))
        except DeclarationError as error:
            raise ValueError(f"{error.what}: got {error.got}, expected {error.expected}") from error


class Expected(Declared):
    """When a partition should be there."""

    time: Annotated[time, Field(description="Local time of day.")]
    timezone: str = Field("UTC", description="IANA time zone of that time.")
    days_after: int = Field(0, ge=0, description="Calendar days after the business date.")
    grace_minutes: int = Field(30, ge=0, description="Minutes of grace before it counts as late.")


class Partitioning(Declared):
    """Which business dates a dataset has."""

    calendar: str = Field(
        "weekdays", description="Market or bank calendar: XNYS, XPAR, …, TARGET, weekdays, daily or irregular."
    )
    start: date = Field(description="First business date.")
    end: date | None = Field(None, description="Last business date of a dataset that has ended.")
    expected: Expected | None = Field(None, description="When the partition should be there; left out: never late.")


class Completeness(Declared):
    """When a file in landing counts as complete."""

    control_file: str | None = Field(None, description="Suffix of a file that follows the data file, e.g. .done.")
    still_seconds: float = Field(2.0, ge=0, description="Without a control file: size and mtime still for so long.")


class Feed(Declared):
    """What the provider sends: where, under which name, in which format."""

    provider: str = Field(pattern=NAME, description="Folder below landing.")
    pattern: str = Field(description="File name, e.g. 'eurofxref-{business_date:%Y%m%d}.csv'; also {sequence} and *.")
    format: FormatOptions = Field(description="Format of the file and its options.")
    archive: Archive | None = Field(None, description="How the file is packed or compressed.")
    unpivot: Unpivot | None = Field(None, description="Wide to long.")
    complete: Completeness = Field(
        default_factory=Completeness, description="When a file in landing counts as complete."
    )
    other_dates: Literal["replace", "amend", "reject"] = Field(
        "replace",
        description="Rows of other business dates than the file's replace those dates' images, amend them, or are rejected.",
    )
    mode: Literal["images", "intervals"] = Field(
        "images", description="Bitemporal: the file says what holds on its date, or from when to when each row holds."
    )
    deleted_when: dict[str, str] = Field(
        default_factory=dict,
        description="amend: a row with this value in this field deletes its key, e.g. {action: D}.",
    )

    @field_validator("pattern")
    @classmethod
    def _readable_pattern(cls, value: str) -> str:
        try:
            FilenamePattern.parse(value)
        except DeclarationError as error:
            raise ValueError(f"{error.what}: got {error.got}, expected {error.expected}") from error
        return value


class Tolerance(Declared):
    """How many rejects a partition may have and still be committed: both limits hold."""

    rows: int = Field(0, ge=0, description="Rejected rows at most.")
    share: float = Field(1.0, ge=0, le=1, description="Rejected rows over rows read at most.")


class RowCountBand(Declared):
    """Bounds of this day's row count over the day before's."""

    min_ratio: float = Field(0.5, ge=0, description="At least so many times the rows of the business date before.")
    max_ratio: float = Field(2.0, gt=0, description="At most so many times.")


class TableChecks(Declared):
    """Rules over a whole partition. The key is always checked to be unique."""

    min_rows: int = Field(1, ge=0, description="Rows that a business date has at least.")
    row_count: RowCountBand | None = Field(None, description="Row count against the business date before.")
    custom: tuple[str, ...] = Field((), description="pandera schemas or functions frame → bool, as module:name.")

    @field_validator("custom")
    @classmethod
    def _told_apart(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Each is a reference, and their names tell them apart from one another and from the hub's own."""
        wrong = [reference for reference in value if not re.fullmatch(REFERENCE, reference)]
        names = [*OWN_CHECKS, *(reference.rpartition(":")[2] for reference in value)]
        problems = [f"{reference!r} is not module:name" for reference in wrong]
        problems += [f"two checks are called {name}" for name in sorted({n for n in names if names.count(n) > 1})]
        if problems:
            raise ValueError("; ".join(problems))
        return value


class Source(Declared):
    """Where the data come from and on which terms."""

    name: str = Field(description="Who publishes the data, and what they are called there.")
    url: str | None = Field(None, description="Where they are published.")
    licence: str = Field(description="Terms of use.")
    attribution: str | None = Field(None, description="Text to be shown with the data.")
    synthetic: bool = Field(False, description="Made up: labelled so everywhere.")


class Retention(Declared):
    """How long superseded versions stay readable. Versions that a cut needs always stay."""

    superseded_days: int | None = Field(None, ge=0, description="Days of known time; left out: for ever.")


class TableOptions(Declared):
    """How the structured table is kept."""

    layout: RowLayout = Field(
        RowLayout.PACKED,
        description="packed: a row is one cell (docs/formats/packed.md). cells: a cell a column, for tables that other tools "
        "of HBase read (docs/formats/cells.md).",
    )
    key_cells: bool = Field(
        False, description="cells: key columns and dates stand in cells too, for tools that cannot take row keys apart."
    )
    salt_buckets: int = Field(0, ge=0, le=256, description="0 = no salt; for tables that are hot.")
    compression: Literal["none", "gz", "snappy", "lz4", "zstd"] = Field(
        "none", description="Of HBase's files; its servers need the library (gz is always there)."
    )
    block_encoding: Literal["none", "prefix", "diff", "fast_diff", "row_index_v1"] = Field(
        "none", description="Of the data blocks in HBase's files: keys that begin alike take less room."
    )
    bloom_filter: Literal["none", "row", "rowcol"] = Field("row", description="Of HBase's files: for reads by key.")


class _Dataset(Declared):
    dataset: str = Field(pattern=DATASET_NAME, description="domain/name")
    title: str = Field(description="Name for people.")
    description: str = Field("", description="What a reader has to know.")
    owners: tuple[str, ...] = Field(min_length=1, description="E-mail addresses or team:name.")
    classification: Literal["public", "internal", "confidential", "restricted"] = Field(
        "internal", description="How freely the data may be passed on."
    )
    groups: tuple[str, ...] = Field((), description="Groups entitled to read.")
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of the assets in Dagster.")
    partitions: Partitioning = Field(description="Which business dates there are.")
    freshness_hours: float | None = Field(
        None, gt=0, description="Dagster freshness: fail when nothing came for so long."
    )
    retention: Retention = Field(default_factory=Retention, description="How long superseded versions stay readable.")
    checks: TableChecks = Field(default_factory=TableChecks, description="Rules over a whole partition.")

    @property
    def domain(self) -> str:
        """First part of the dataset's name: source or business domain."""
        return self.dataset.split("/")[0]

    @property
    def name(self) -> str:
        """Second part of the dataset's name."""
        return self.dataset.split("/")[1]

    @property
    def relation(self) -> str:
        """Its name in SQL: ``domain.name``."""
        return self.dataset.replace("/", ".")


class StructuredDataset(_Dataset):
    """A dataset received from a provider and kept in a typed, versioned table."""

    kind: Literal["structured"] = Field("structured", description="A dataset received from a provider.")
    source: Source = Field(description="Where the data come from, and on which terms.")
    shape: Shape = Field(
        description="snapshot: an image a business date. bitemporal: rows with valid_from and valid_to."
    )
    feed: Feed = Field(description="What the provider sends.")
    columns: tuple[ColumnDeclaration, ...] = Field(min_length=1, description="The columns, in order.")
    key: tuple[str, ...] = Field(min_length=1, description="Columns that name a row of a business date.")
    tolerance: Tolerance = Field(default_factory=Tolerance, description="How many rows a delivery may have rejected.")
    table: TableOptions = Field(default_factory=TableOptions, description="How the table is kept.")

    @model_validator(mode="after")
    def _consistent(self) -> "StructuredDataset":
        problems = list(_column_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def contract(self, version: int = 1) -> Contract:
        """The contract as declared, ids in declaration order (``schema.evolution`` keeps ids over versions)."""
        columns = tuple(
            Column(i, c.name, LogicalType.parse(c.type), c.nullable, c.unit, c.description, c.checks.declared())
            for i, c in enumerate(self.columns, start=1)
        )
        return Contract(self.dataset, version, self.shape, columns, self.key, layout=self.table.layout)


class DropOptions(Declared):
    """A file drop for consumers who want files: one folder a partition with a manifest."""

    format: Literal["csv", "xlsx", "parquet"] = Field(description="Format of the file.")
    excel_europe: bool = Field(False, description="csv: byte-order mark, semicolon, decimal comma.")


class ExtractDataset(_Dataset):
    """A published dataset: SQL over structured datasets, one partition a business date."""

    kind: Literal["extract"] = Field("extract", description="A published dataset.")
    sql: str = Field(
        description="One SELECT in DuckDB's dialect over domain.name relations; $business_date is the partition."
    )
    key: tuple[str, ...] = Field(
        min_length=1, description="Columns of the result that name a row; rows are sorted by them."
    )
    columns: dict[str, str] = Field(default_factory=dict, description="Descriptions of columns, by name.")
    units: dict[str, str] = Field(default_factory=dict, description="Units of columns, by name.")
    windows: dict[str, int] = Field(
        default_factory=dict,
        description="Business dates an input is read back, e.g. {quandl/equity_prices: 1} adds the day before.",
    )
    drops: tuple[DropOptions, ...] = Field((), description="Files for consumers who want files.")


Dataset = Annotated[StructuredDataset | ExtractDataset, Field(discriminator="kind")]


def _column_problems(dataset: StructuredDataset) -> list[str]:
    names = [column.name for column in dataset.columns]
    problems = [f"column {name} is declared twice" for name in sorted({n for n in names if names.count(n) > 1})]
    types = {column.name: LogicalType.parse(column.type) for column in dataset.columns}
    required = [BUSINESS_DATE] if dataset.shape is Shape.SNAPSHOT else [VALID_FROM, VALID_TO]
    for name in required:
        if name not in types:
            problems.append(f"a {dataset.shape.value} dataset needs a column {name} of type date")
        elif types[name].kind is not Kind.DATE:
            problems.append(f"column {name} must be of type date, got {types[name]}")
    for name in dataset.key:
        if name not in types:
            problems.append(f"key column {name} is not declared")
        elif name in required:
            problems.append(f"{name} is in the row key by itself: leave it out of key")
        elif types[name].kind not in KEY_KINDS:
            problems.append(f"key column {name} cannot be {types[name]}: text, int32, int64 or date")
        elif next(column.nullable for column in dataset.columns if column.name == name):
            problems.append(f"key column {name} cannot be nullable")
    return problems
