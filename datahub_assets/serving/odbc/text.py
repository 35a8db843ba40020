"""Arrow columns → the text that PostgreSQL writes for each value. Column by column; nulls stay null.

What is common (numbers, texts, dates, times of this era) goes through Arrow's and polars' own kernels; what those write
otherwise than PostgreSQL (tiny floats, years before 1, infinities) is put right for just the values concerned.
"""

from collections.abc import Callable
from functools import reduce
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from datahub_assets.serving.odbc.types import is_vector, plain

_DAY_1, _DAY_10000 = -719162, 2932897  # 0001-01-01 and 10000-01-01
_MICROS = 86_400_000_000
_INFINITY = {32: 2**31 - 1, 64: 2**63 - 1}


def texts(column: pa.Array, zone: str = "UTC") -> pa.StringArray:
    """The values as PostgreSQL writes them.

    Args:
        column: of a type that ``types`` knows.
        zone: time zone in which instants are shown.
    """
    column = column.cast(plain(column.type)) if column.type != plain(column.type) else column
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _instants(column, zone) if kind.tz else _timestamps(column.cast(pa.timestamp("us"), safe=False))
    if pa.types.is_list(kind):
        return _json(column) if _is_nested(kind.value_type) else _lists(column, zone)
    if pa.types.is_decimal(kind):
        return pl.Series(pl.from_arrow(column)).cast(pl.String).to_arrow().cast(pa.string())
    return _BY_ID.get(kind.id, lambda found: found.cast(pa.string()))(column)


def _booleans(column: pa.Array) -> pa.StringArray:
    return pc.if_else(column, "t", "f")


def _floats(column: pa.Array) -> pa.StringArray:
    written = column.cast(pa.string())
    values = np.abs(column.to_numpy(zero_copy_only=False))
    with np.errstate(invalid="ignore"):
        odd = ~np.isfinite(values) | ((values < 1e-4) & (values > 0)) | ((values >= 1e10) & (values < 1e15))
    return _put_right(written, column, odd, _odd_floats)


def _odd_floats(column: pa.Array) -> pa.StringArray:
    """NaN, infinities, numbers that need an exponent of −5 or less, and those that Arrow writes with one too early."""
    written = column.to_numpy(zero_copy_only=False).astype("U")
    found = pc.replace_substring_regex(pa.array(written, pa.string()), r"\.0$", "")
    for said, written in (("nan", "NaN"), ("-inf", "-Infinity"), ("inf", "Infinity")):
        found = pc.if_else(pc.equal(found, said), written, found)
    return found


def _bytes(column: pa.Array) -> pa.StringArray:
    column = column.cast(pa.binary())
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(column.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    starts = (offsets - offsets[0]).astype(np.int64) * 2
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    written = np.stack([digits[data >> 4], digits[data & 15]], axis=1).tobytes()
    buffers = [None, pa.py_buffer(starts.astype(np.int32)), pa.py_buffer(written)]
    hexed = pc.binary_join_element_wise("\\x", pa.Array.from_buffers(pa.string(), len(column), buffers), "")
    return pc.if_else(column.is_valid(), hexed, pa.scalar(None, pa.string())) if column.null_count else hexed


def _dates(column: pa.Array) -> pa.StringArray:
    days = column.cast(pa.int32()).fill_null(0).to_numpy().astype(np.int64)
    odd = (days < _DAY_1) | (days >= _DAY_10000)
    return _put_right(column.cast(pa.string()), column, odd, lambda part: _odd_times(part.cast(pa.int32()), "D", 32))


def _times(column: pa.Array) -> pa.StringArray:
    return _without_zeros(column.cast(pa.time64("us")).cast(pa.string()))


def _timestamps(column: pa.Array) -> pa.StringArray:
    micros = column.cast(pa.int64()).fill_null(0).to_numpy()
    odd = (micros < _DAY_1 * _MICROS) | (micros >= _DAY_10000 * _MICROS)
    if not (micros % 1_000_000).any():
        written = column.cast(pa.timestamp("s")).cast(pa.string())
    else:
        written = _without_zeros(column.cast(pa.string()))
    return _put_right(written, column, odd, lambda part: _odd_times(part.cast(pa.int64()), "us", 64))


def _instants(column: pa.Array, zone: str) -> pa.StringArray:
    utc = column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.timestamp("us"))
    if zone == "UTC":
        return _suffixed(_timestamps(utc), pa.scalar("+00"))
    micros = utc.cast(pa.int64())
    inside = pc.and_(
        pc.greater_equal(micros, (_DAY_1 + 1) * _MICROS), pc.less(micros, (_DAY_10000 - 1) * _MICROS)
    )  # what lies at the ends of time is shown in UTC: zones have no rules there
    asked = pc.if_else(inside, micros, 0).cast(pa.timestamp("us", zone))
    local = pc.local_timestamp(asked).cast(pa.int64())
    offset = pc.divide(pc.subtract(local, pc.if_else(inside, micros, 0)), 1_000_000)
    offset, local = pc.if_else(inside, offset, 0), pc.if_else(inside, local, micros)
    known = offset.dictionary_encode()
    written = pa.array([_offset(seconds) for seconds in known.dictionary.to_pylist()], pa.string())
    return _suffixed(_timestamps(local.cast(pa.timestamp("us"))), written.take(known.indices))


def _suffixed(written: pa.StringArray, suffix: pa.StringArray | pa.StringScalar) -> pa.StringArray:
    """With the offset behind the time, before BC; infinities have none."""
    plainly = pc.binary_join_element_wise(written, suffix, "")
    odd = pc.or_(pc.ends_with(written, "BC"), pc.ends_with(written, "infinity")).fill_null(False)
    if not odd.true_count:
        return plainly
    before_christ = pc.binary_join_element_wise(pc.replace_substring(written, " BC", ""), suffix, " BC", "")
    return pc.case_when(
        pc.make_struct(pc.ends_with(written, "BC"), pc.ends_with(written, "infinity")), before_christ, written, plainly
    )


def _offset(seconds: int | None) -> str | None:
    """An offset from UTC as PostgreSQL writes it.

    >>> _offset(0), _offset(19800), _offset(-3600), _offset(-1521)
    ('+00', '+05:30', '-01', '-00:25:21')
    """
    if seconds is None:
        return None
    minutes, second = divmod(abs(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return (
        ("-" if seconds < 0 else "+")
        + f"{hour:02d}"
        + (f":{minute:02d}" * bool(minute or second) + f":{second:02d}" * bool(second))
    )


def _odd_times(numbers: pa.Array, unit: str, bits: int) -> pa.StringArray:
    """Times before the year 1 or after 9999, and infinities."""
    values = numbers.to_numpy(zero_copy_only=False).astype(np.int64)
    instants = values.astype(f"datetime64[{unit}]")
    years = instants.astype("datetime64[Y]").astype(np.int64) + 1970
    written = np.char.replace(np.datetime_as_string(instants), "T", " ")
    if unit == "us":
        written = np.char.rstrip(np.char.rstrip(written, "0"), ".")
    after_year = np.char.partition(np.char.lstrip(written, "+-"), "-")[:, 2]
    before_christ = years < 1
    shown = np.char.add(np.char.mod("%04d-", np.where(before_christ, 1 - years, years)), after_year)
    shown = np.where(before_christ, np.char.add(shown, " BC"), shown)
    shown = np.where(values >= _INFINITY[bits], "infinity", np.where(values <= -_INFINITY[bits], "-infinity", shown))
    return pa.array(shown, pa.string())


def _without_zeros(written: pa.StringArray) -> pa.StringArray:
    """A time with six digits behind the second, without the last zeros."""
    return pc.ascii_rtrim(pc.ascii_rtrim(written, "0"), ".")


def _intervals(column: pa.Array) -> pa.StringArray:
    parts = np.frombuffer(column.buffers()[1], [("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])
    parts = parts[column.offset : column.offset + len(column)]
    months, days, micros = parts["months"].astype(np.int64), parts["days"].astype(np.int64), parts["nanos"] // 1000
    years, months = np.trunc(months / 12).astype(np.int64), np.fmod(months, 12)
    written, before = [], np.zeros(len(column), bool)
    for values, unit in ((years, "year"), (months, "mon"), (days, "day")):
        ones = np.char.add(np.char.mod("%d", values), np.where(values == 1, f" {unit} ", f" {unit}s "))
        signed = np.where(before & (values > 0), np.char.add("+", ones), ones)
        written.append(np.where(values == 0, "", signed))
        before = np.where(values == 0, before, values < 0)
    nothing = (years == 0) & (months == 0) & (days == 0)
    sign = np.where(micros < 0, "-", np.where(before & (micros > 0), "+", ""))
    clock = np.where((micros == 0) & ~nothing, "", np.char.add(sign, _clock(np.abs(micros))))
    joined = np.char.rstrip(reduce(np.char.add, [*written, clock]))
    return pc.if_else(column.is_valid(), pa.array(joined, pa.string()), pa.scalar(None, pa.string()))


def _clock(micros: np.ndarray) -> np.ndarray:
    seconds, fraction = np.divmod(micros, 1_000_000)
    hours = np.char.mod("%02d:", seconds // 3600)
    rest = np.char.add(np.char.mod("%02d:", seconds // 60 % 60), np.char.mod("%02d", seconds % 60))
    behind = np.char.rstrip(np.char.mod(".%06d", fraction), "0")
    return np.char.add(np.char.add(hours, rest), np.char.rstrip(behind, "."))


def _is_nested(kind: pa.DataType) -> bool:
    kind = plain(kind)
    return pa.types.is_struct(kind) or pa.types.is_map(kind) or (pa.types.is_list(kind) and _is_nested(kind.value_type))


def _lists(column: pa.ListArray, zone: str) -> pa.StringArray:
    items = texts(column.flatten(), zone)
    if not pa.types.is_list(plain(column.type.value_type)):
        items = _quoted(items)
    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), items.fill_null("NULL"))
    if is_vector(column.type):
        return pc.binary_join(lists, " ")
    joined = pc.binary_join_element_wise("{", pc.binary_join(lists, ","), "}", "")
    return pc.if_else(column.is_valid(), joined, pa.scalar(None, pa.string()))


def _quoted(items: pa.StringArray) -> pa.StringArray:
    """Items of an array, in quotes where they would be read otherwise."""
    escaped = pc.replace_substring_regex(items, r'(["\\])', r"\\\1")
    needed = pc.match_substring_regex(items, r'(?i)^$|^null$|[{}",\\\s]')
    return pc.if_else(needed, pc.binary_join_element_wise('"', escaped, '"', ""), items)


def _json(column: pa.Array) -> pa.StringArray:
    """Structs and maps as JSON."""
    wrapped = pl.Series(pl.from_arrow(pa.StructArray.from_arrays([column], ["v"])))
    written = wrapped.struct.json_encode().to_arrow().cast(pa.string())
    inner = pc.utf8_slice_codeunits(written, len('{"v":'), -1)
    return pc.if_else(column.is_valid(), inner, pa.scalar(None, pa.string()))


def _put_right(
    written: pa.StringArray, column: pa.Array, odd: np.ndarray, correct: Callable[[pa.Array], pa.StringArray]
) -> pa.StringArray:
    """The texts, with those of odd values written by ``correct``."""
    if column.null_count:
        odd = odd & column.is_valid().to_numpy(zero_copy_only=False)
    if not odd.any():
        return written
    mask = pa.array(odd)
    return pc.replace_with_mask(written, mask, correct(column.filter(mask)))


_BY_ID: dict[int, Callable[[pa.Array], pa.StringArray]] = {
    pa.bool_().id: _booleans, pa.float32().id: _floats, pa.float64().id: _floats, pa.binary().id: _bytes,
    pa.large_binary().id: _bytes, pa.date32().id: _dates, pa.time64("us").id: _times,
    pa.month_day_nano_interval().id: _intervals, pa.struct([]).id: _json, pa.map_(pa.string(), pa.string()).id: _json,
}  # fmt: skip


def is_zone(name: str) -> bool:
    """Whether instants can be shown in the zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
