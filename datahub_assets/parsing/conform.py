"""Raw records → rows of the contract and rejects: columns from fields, cast, checks, dates. One batch at a time."""

from dataclasses import dataclass

import polars as pl

from datahub_assets.parsing.casting import FAILURES, cast, clean, type_text
from datahub_assets.parsing.options import ParquetOptions
from datahub_assets.parsing.plan import ParsePlan
from datahub_assets.parsing.raw import MAX_RECORD, MAX_VALUE, REJECTS, RawBatch, unreadable_rejects
from datahub_assets.schema.contract import BUSINESS_DATE, LINE, Column, Shape
from datahub_assets.schema.validation import NOT_NULL, expectation, violations

DELETED = "_deleted"
"""The row deletes its key (bool); there only where a feed declares how deletions are told."""


@dataclass(frozen=True)
class Conformed:
    """One batch: every row typed (values that could not be cast are null), which are good, and why the others are not."""

    rows: pl.DataFrame
    good: pl.Series
    rejects: pl.DataFrame
    unreadable: int
    raw: RawBatch

    @property
    def rows_read(self) -> int:
        """Rows, good or not, and records that could not be split."""
        return self.rows.height + self.unreadable


def conform(raw: RawBatch, plan: ParsePlan) -> Conformed:
    """The batch's rows held to the contract; ``rows``: contract's columns in order, ``_line``, perhaps ``_deleted``."""
    fed = plan.columns_in(raw.fields.columns)
    texts = raw.fields.select(pl.col(plan.sources[c.name]).alias(c.name) for c in fed)
    done = cast(texts, fed, plan.format)
    rows = _completed(done.frame, raw, plan, fed)
    failures = pl.concat([done.failures, _nul(texts, fed, raw), *_broken_rules(rows, plan, done.failures)])
    if plan.deleted_when:
        keep = pl.col("column").is_in([plan.date_column, *plan.contract.key])
        deleted = rows[DELETED].arg_true().cast(pl.UInt32)
        failures = failures.filter(keep | ~pl.col("row").is_in(deleted.implode()))
    good = (
        pl.Series("good", [True]).new_from_index(0, rows.height)
        if rows.height
        else pl.Series("good", [], dtype=pl.Boolean)
    )
    rejects = unreadable_rejects(raw.unreadable)
    if failures.height:
        good = ~pl.select(
            pl.int_range(rows.height, dtype=pl.UInt32).is_in(failures["row"].unique().implode())
        ).to_series()
        rejects = pl.concat([rejects, _rejects(failures, texts, rows, raw, plan)])
    return Conformed(rows, good, rejects, len(raw.unreadable), raw)


def _completed(typed: pl.DataFrame, raw: RawBatch, plan: ParsePlan, fed: list[Column]) -> pl.DataFrame:
    """The typed columns and those that the file does not have, in the contract's order, with provenance."""
    names = {column.name for column in fed}
    exprs = [
        pl.col(c.name) if c.name in names else _without_field(c, plan).alias(c.name) for c in plan.contract.columns
    ]
    rows = typed.with_columns(raw.lines.alias(LINE)).select(*exprs, LINE)
    if plan.deleted_when:
        marks = raw.fields.select(
            pl.any_horizontal(
                (clean(pl.col(field).cast(pl.String), plan.format) == value).fill_null(False)
                for field, value in plan.deleted_when.items()
            )
        )
        rows = rows.with_columns(marks.to_series().alias(DELETED))
    return rows


def _without_field(column: Column, plan: ParsePlan) -> pl.Expr:
    if column.name in plan.constants:
        text = pl.DataFrame({column.name: [plan.constants[column.name]]})
        options = ParquetOptions(timestamp_format="%Y-%m-%dT%H:%M:%S%.f%#z")
        return pl.lit(cast(text, [column], options).frame[column.name][0], dtype=column.type.polars)
    return pl.lit(plan.file_date if column.name == plan.date_column else None, dtype=column.type.polars)


def _nul(texts: pl.DataFrame, fed: list[Column], raw: RawBatch) -> pl.DataFrame:
    names = [c.name for c in fed if texts.schema[c.name] == pl.String] if raw.has_nul else []
    found = [
        pl.DataFrame(
            {"row": texts[name].str.contains("\0", literal=True).fill_null(False).arg_true().cast(pl.UInt32)}
        ).with_columns(pl.lit(name).alias("column"), pl.lit("nul").alias("rule"))
        for name in names
    ]
    return pl.concat([pl.DataFrame(schema=FAILURES), *found])


def _broken_rules(rows: pl.DataFrame, plan: ParsePlan, uncast: pl.DataFrame) -> list[pl.DataFrame]:
    broken = violations(rows, plan.contract).select("row", "column", "rule")
    if broken.height and uncast.height:
        broken = broken.join(uncast, on=["row", "column"], how="anti", maintain_order="left")
    found = [broken]
    if plan.other_dates == "reject" and plan.file_date and plan.contract.shape is Shape.SNAPSHOT:
        other = (rows[BUSINESS_DATE] != plan.file_date).fill_null(False).arg_true().cast(pl.UInt32)
        found.append(
            pl.DataFrame({"row": other}).with_columns(
                pl.lit(BUSINESS_DATE).alias("column"), pl.lit("date").alias("rule")
            )
        )
    return found


def _rejects(
    failures: pl.DataFrame, texts: pl.DataFrame, rows: pl.DataFrame, raw: RawBatch, plan: ParsePlan
) -> pl.DataFrame:
    """The failures with values as in the file, in order of rows."""
    failures = failures.unique(maintain_order=True)
    parts = []
    for (name, rule), group in failures.group_by(["column", "rule"], maintain_order=True):
        source = texts if name in texts.columns else rows
        value = source[str(name)].gather(group["row"]).cast(pl.String)
        expected = _expected(plan, str(name), str(rule))
        parts.append(
            group.with_columns(value.str.slice(0, MAX_VALUE).alias("value"), pl.lit(expected).alias("expected"))
        )
    found = pl.concat(parts).sort("row", maintain_order=True)
    shown = (
        pl.when(pl.col("value").is_null())
        .then(pl.lit("nothing"))
        .otherwise(pl.format("'{}'", pl.col("value").str.slice(0, 100)))
    )
    return found.select(
        raw.lines.gather(found["row"]).alias("line"), "column", "value", "rule",
        pl.format("got {}, expected {}", shown, pl.col("expected")).alias("message"),
        records(raw, found["row"]).alias("record"),
    ).cast(REJECTS)  # fmt: skip


def records(raw: RawBatch, rows: pl.Series) -> pl.Series:
    """The raw records of these rows as JSON text."""
    unique = rows.unique(maintain_order=True)
    wanted = raw.fields[unique.cast(pl.Int64)]
    encoded = wanted.select(
        pl.struct(pl.all()).struct.json_encode().str.slice(0, MAX_RECORD).alias("record")
    ).with_columns(unique.alias("row"))
    return rows.to_frame("row").join(encoded, on="row", how="left", maintain_order="left")["record"]


def _expected(plan: ParsePlan, name: str, rule: str) -> str:
    column = plan.contract.column(name)
    if rule == "nul":
        return "text without NUL"
    if rule == "date":
        return f"the file's date {plan.file_date}"
    if rule == NOT_NULL or rule in column.checks:
        return expectation(column, rule)
    return type_text(column, plan.format)[rule]
