"""A declared feed → how its files are parsed (``parsing.parse.ParsePlan``)."""

from datetime import date

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.parsing.parse import ParsePlan
from datahub_assets.schema.contract import Contract


def parse_plan(declared: StructuredDataset, contract: Contract, file_date: date | None) -> ParsePlan:
    """How one file of the dataset's feed is read, given the business date that its name tells.

    Args:
        contract: as declared, or of an earlier time: a column that was renamed since is fed as it is now.
    """
    feed = declared.feed
    former = {alias: column for column in declared.columns for alias in column.aliases}
    then = [c.name for c in contract.columns if c.name not in {column.name for column in declared.columns}]
    columns = {column.name: column for column in declared.columns} | {n: former[n] for n in then if n in former}
    return ParsePlan(
        contract=contract,
        format=feed.format,
        sources={name: column.source or column.name for name, column in columns.items() if column.constant is None},
        constants={name: column.constant for name, column in columns.items() if column.constant is not None},
        archive=feed.archive,
        unpivot=feed.unpivot,
        file_date=file_date,
        mode=feed.mode,
        other_dates=feed.other_dates,
        deleted_when=feed.deleted_when,
    )
