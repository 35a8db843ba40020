"""A declared feed → how its files are parsed (``parsing.parse.ParsePlan``)."""

from datetime import date

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.parsing.parse import ParsePlan
from datahub_assets.schema.contract import Contract


def parse_plan(declared: StructuredDataset, contract: Contract, file_date: date | None) -> ParsePlan:
    """How one file of the dataset's feed is read, given the business date that its name tells."""
    feed = declared.feed
    return ParsePlan(
        contract=contract,
        format=feed.format,
        sources={column.name: column.source or column.name for column in declared.columns if column.constant is None},
        constants={column.name: column.constant for column in declared.columns if column.constant is not None},
        archive=feed.archive,
        unpivot=feed.unpivot,
        file_date=file_date,
        mode=feed.mode,
        other_dates=feed.other_dates,
        deleted_when=feed.deleted_when,
    )
