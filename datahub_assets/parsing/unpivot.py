"""Wide to long: one record a day with a field for each currency becomes one row a currency."""

import polars as pl

from datahub_assets.parsing.options import Unpivot, ValueOptions
from datahub_assets.parsing.raw import RawBatch


def to_long(batch: RawBatch, unpivot: Unpivot, options: ValueOptions) -> RawBatch:
    """The batch with a row for each field that is not kept; rows of one record follow one another and share its line.

    With ``drop_missing`` a cell that means no value makes no row.
    """
    line, kept = "\0line", list(unpivot.keep)
    wide = batch.fields.with_columns(batch.lines.alias(line))
    fields = [name for name in batch.fields.columns if name not in kept]
    index = [*kept, line, "\0row"]
    long = wide.with_row_index("\0row").unpivot(
        fields, index=index, variable_name=unpivot.name, value_name=unpivot.value
    )
    long = long.sort("\0row", maintain_order=True)
    if unpivot.drop_missing:
        value = pl.col(unpivot.value)
        missing = value.is_null()
        if long.schema[unpivot.value] == pl.String:
            missing |= (value.str.strip_chars() if options.strip else value).is_in(list(options.null_values))
        long = long.filter(~missing)
    return RawBatch(long.drop(line, "\0row"), long[line].rename("line"), batch.unreadable, batch.has_nul)
