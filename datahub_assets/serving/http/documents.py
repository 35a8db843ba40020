"""What the API tells about datasets, as JSON documents: their fields, and what each of them means."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """Base of all."""

    model_config = ConfigDict(frozen=True)


class Told(Document):
    """The state of the hub that an answer is of."""

    position: int = Field(description="Position of the commit log: the repeatable name of this state.")
    known_at: datetime | None = Field(description="Known time of the entry there; null: nothing has happened yet.")


class ColumnDocument(Document):
    """One column of a dataset."""

    name: str
    type: str = Field(description="text, int32, int64, float64, decimal(p,s), boolean, date or timestamp.")
    nullable: bool
    unit: str | None = None
    description: str = ""
    masked: bool = Field(False, description="You read null in it, in some rows or all.")
    checks: dict[str, Any] = Field(default_factory=dict, description="What each value is held to.")
    origins: list[str] = Field(default_factory=list, description="Columns that it comes from, as domain/name.column.")


class Freshness(Document):
    """Whether what should be there is there: by business date and calendar, from the commit log."""

    state: str = Field(description="fresh, late, incomplete, empty, or on demand.")
    last_date: date | None = Field(description="Newest business date that is there.")
    expected_date: date | None = Field(description="Newest one that should be.")
    missing: list[date] = Field(description="Those that should be there and are not; the newest 100.")
    last_known_at: datetime | None = Field(description="When the newest commit was known.")


class Source(Document):
    """Where the data come from and on which terms."""

    name: str
    licence: str
    url: str | None = None
    attribution: str | None = None
    synthetic: bool = False


class Summary(Document):
    """One dataset in the list."""

    dataset: str = Field(description="domain/name.", examples=["analytics/valuations"])
    relation: str = Field(description="Its name in SQL.", examples=["analytics.valuations"])
    kind: str = Field(description="snapshot, bitemporal or extract.")
    title: str
    description: str
    owners: list[str]
    classification: str | None = None
    filtered: bool = Field(description="You do not see every row.")
    freshness: Freshness


class Datasets(Told):
    """The datasets that exist for you."""

    datasets: list[Summary]


class Lineage(Document):
    """The datasets before and after, as far as they exist for you."""

    upstream: list[str]
    downstream: list[str]


class Commit(Document):
    """What stands of one business date, or of a bitemporal dataset. Counts are null where you do not see every row."""

    business_date: date | None
    position: int
    known_at: datetime
    rows: int | None
    rows_read: int | None
    rejected: int | None
    added: int | None
    changed: int | None
    removed: int | None
    is_correction: bool


class Quality(Document):
    """Checks that are declared, and what they let through lately."""

    checks: list[str]
    tolerance: dict[str, float] | None = Field(None, description="Rejects that a delivery may have at most.")
    commits: list[Commit] = Field(description="Of the newest business dates, newest first.")


class Detail(Told, Summary):
    """Everything about one dataset."""

    key: list[str] = Field(description="Columns that name a row.")
    columns: list[ColumnDocument]
    contract_version: int
    source: Source | None = None
    sql: str | None = Field(None, description="How an extract is made.")
    lineage: Lineage
    quality: Quality
    sample: list[dict[str, Any]] = Field(description="Some rows of the newest business date; decimals are texts.")


class DeliveryDocument(Document):
    """One file that was received."""

    dataset: str
    receipt: str = Field(description="Its place in the order of all deliveries.")
    name: str
    known_at: datetime = Field(description="When the hub recorded it.")
    arrived_at: datetime
    business_dates: list[date]
    size: int | None = Field(description="Bytes; null where you do not see every row.")
    sha256: str | None
    repeats: str | None = Field(description="Receipt of the delivery whose bytes came again.")


class Deliveries(Told):
    """Files that were received, newest first."""

    deliveries: list[DeliveryDocument]


class Rejected(Document):
    """Rows of one commit that broke their contract."""

    dataset: str
    business_date: date | None
    position: int
    rejected: int
    rows_read: int


class RejectedCommits(Told):
    """Commits that stand and have rejects, of datasets that you see whole."""

    rejects: list[Rejected]


class CutDocument(Document):
    """A named state of the hub."""

    name: str
    position: int
    known_at: datetime
    note: str


class Cuts(Told):
    """The cuts that there were."""

    cuts: list[CutDocument]


class Health(Document):
    """Whether the hub answers."""

    status: str = Field(examples=["ok"])
