"""How a provider's file is to be read: the declared options of each format, as they stand in a catalogue file.

Only declarations; the readers are one file a format beside this one.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ValueOptions(_Declared):
    """How text becomes values, for every text-like format."""

    decimal_mark: Literal[".", ","] = Field(".", description="Decimal mark of numbers.")
    thousands: str | None = Field(None, max_length=1, description="Thousands separator removed from numbers.")
    date_format: str = Field("%Y-%m-%d", description="strptime format of dates.")
    timestamp_format: str = Field("%Y-%m-%dT%H:%M:%S%.f%#z", description="chrono format of timestamps.")
    timezone: str = Field("UTC", description="IANA zone of timestamps that carry none.")
    null_values: tuple[str, ...] = Field(("",), description="Texts that mean: no value.")
    true_values: tuple[str, ...] = Field(("true", "1", "Y", "yes"), description="Texts that mean true (any case).")
    false_values: tuple[str, ...] = Field(("false", "0", "N", "no"), description="Texts that mean false (any case).")
    strip: bool = Field(True, description="Remove white space around values.")
    ignore: tuple[str, ...] = Field((), description="Fields of the file that no column takes, by name or pattern (*).")


class ControlTotal(_Declared):
    """A line of the file (its last, or its first) that says what the file should hold.

    The pattern's named groups tell: ``rows`` = number of records, ``sum_<source field>`` = total of a numeric field.
    """

    at: Literal["footer", "header"] = Field("footer", description="Where the line stands.")
    pattern: str = Field(description="Regular expression with named groups rows and/or sum_<field>.")


class TextFileOptions(ValueOptions):
    """What delimited and fixed-width files share."""

    encoding: str = Field("utf-8", description="Python codec name, e.g. utf-8, utf-8-sig, cp1252, iso-8859-15.")
    skip_rows: int = Field(0, ge=0, description="Lines before the header (or the first record).")
    footer_rows: int = Field(0, ge=0, description="Lines after the last record.")
    control: ControlTotal | None = Field(None, description="Control totals in the header or footer lines.")


class CsvOptions(TextFileOptions):
    """Delimited text."""

    type: Literal["csv"] = Field("csv", description="Delimited text.")
    delimiter: str = Field(",", min_length=1, max_length=1, description="Between two values: one character.")
    quote: str | None = Field('"', max_length=1, description="Around values that hold a delimiter; null: none.")
    header: bool = Field(True, description="The first line after skip_rows names the fields.")
    field_names: tuple[str, ...] = Field((), description="Names of the fields where there is no header.")
    multiline: bool = Field(False, description="Quoted values may hold line breaks.")
    trailing_delimiter: bool = Field(False, description="Every line ends with a delimiter.")


class FixedField(_Declared):
    """One field of a fixed-width line."""

    name: str = Field(description="Name of the field.")
    start: int = Field(ge=1, description="First character, counted from 1.")
    width: int = Field(ge=1, description="Characters.")


class FixedWidthOptions(TextFileOptions):
    """Lines cut at fixed positions."""

    type: Literal["fixed_width"] = Field("fixed_width", description="Lines cut at fixed positions.")
    fields: tuple[FixedField, ...] = Field(description="The fields, by position.")
    short_lines: bool = Field(False, description="Blanks at the end of a line may be cut off.")


class ExcelOptions(ValueOptions):
    """One sheet of a workbook (xlsx, xls, ods)."""

    type: Literal["excel"] = Field("excel", description="A workbook: xlsx, xls, ods.")
    sheet: str | None = Field(None, description="Name of the sheet; the only one when left out.")
    header_row: int = Field(1, ge=1, description="Row of the field names, counted from 1.")


class JsonOptions(ValueOptions):
    """Records in a JSON document, or one JSON document a line."""

    type: Literal["json"] = Field("json", description="JSON.")
    lines: bool = Field(False, description="Newline-delimited JSON.")
    path: str = Field("", description="Dotted path to the array of records; empty = the document itself is the array.")


class XmlOptions(ValueOptions):
    """Repeated elements of an XML document. Fields are child paths (``a/b``) or attributes (``@a``, ``a/@b``)."""

    type: Literal["xml"] = Field("xml", description="XML.")
    record: str = Field(description="Path of the record element from the root, e.g. CcyTbl/CcyNtry.")
    fields: tuple[str, ...] = Field((), description="Field paths to read; those that columns name when left out.")


class ParquetOptions(ValueOptions):
    """An Apache Parquet file; values are typed already and only cast."""

    type: Literal["parquet"] = Field("parquet", description="Apache Parquet.")


FormatOptions = Annotated[
    CsvOptions | FixedWidthOptions | ExcelOptions | JsonOptions | XmlOptions | ParquetOptions,
    Field(discriminator="type"),
]


class Archive(_Declared):
    """The file is an archive or is compressed."""

    type: Literal["gzip", "zip", "bz2", "xz", "zstd"] = Field(description="How the file is packed.")
    member: str = Field("*", description="zip: pattern of the one member to read.")


class Unpivot(_Declared):
    """Wide to long: every source field not kept becomes rows of (name, value)."""

    keep: tuple[str, ...] = Field(description="Fields repeated on each row.")
    name: str = Field(description="Field that receives the wide field's name.")
    value: str = Field(description="Field that receives its value.")
    drop_missing: bool = Field(True, description="A missing cell makes no row (it is not a rejected one either).")
