"""Values of parameters, as clients send them → values that a session takes.

A text of no known type stays a text: the engine reads it as an untyped literal, as PostgreSQL does. **Source:** PostgreSQL
15, the ``…recv`` functions of each type.
"""

import re
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from datahub_assets.serving.odbc import types
from datahub_assets.serving.odbc.types import BY_ARRAY, BY_OID, UNKNOWN, PgType
from datahub_assets.serving.refusals import NotSupported, WrongParameters, WrongValue

_JSONB = 3802
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EXACT = Context(prec=200_000, Emax=999_999, Emin=-999_999)
_TEXTS = {0, UNKNOWN, types.TEXT.oid, types.VARCHAR.oid, types.BPCHAR.oid, types.NAME.oid, types.JSON.oid, _JSONB, 18}
_DAY_WITH_ZONE = re.compile(r"(\d{4,}-\d\d-\d\d)(?: [+-]\d\d(?::?\d\d)?| ?Z)")


def arguments(values: Sequence[bytes | None], formats: Sequence[int], oids: Sequence[int]) -> list[Any]:
    """The values of a statement's parameters.

    Args:
        values: as they came.
        formats: none: all text; one: for all; else one a value.
        oids: of their types, 0 where nobody knows.

    Raises:
        WrongParameters: another number of values than of parameters.
        WrongValue: bytes that are no value of the type.
        NotSupported: a type whose binary form is not known here.
    """
    if len(formats) not in {0, 1, len(values)} or len(values) != len(oids):
        raise WrongParameters("Another number of values", got=str(len(values)), expected=str(len(oids)))
    forms = list(formats) * len(values) if len(formats) == 1 else list(formats) or [0] * len(values)
    return [_value(*each) for each in zip(values, forms, oids, strict=True)]


def _value(value: bytes | None, form: int, oid: int) -> Any:
    if value is None:
        return None
    try:
        return _from_binary(value, oid) if form else _from_text(value.decode(), oid)
    except (ValueError, struct.error, InvalidOperation, OverflowError, IndexError) as error:
        named = BY_OID[oid].name if oid in BY_OID else f"type {oid}"
        raise WrongValue("Not a value of the parameter's type", got=repr(value[:40]), expected=named) from error


# -- text ----------------------------------------------------------------------------------------------------------------


def _from_text(text: str, oid: int) -> Any:
    if oid in BY_ARRAY:
        item = BY_ARRAY[oid].oid
        return [None if each is None else _from_text(each, item) for each in array_items(text)]
    read = _READ_TEXT.get(oid)
    return read(text) if read else untyped(text)


def untyped(text: str) -> str:
    """A day with a zone, as JDBC writes one, is the day."""
    found = _DAY_WITH_ZONE.fullmatch(text)
    return found[1] if found else text


def _boolean(text: str) -> bool:
    if text.strip().lower() in {"t", "true", "y", "yes", "on", "1"}:
        return True
    if text.strip().lower() in {"f", "false", "n", "no", "off", "0"}:
        return False
    raise ValueError(text)


def _number(text: str) -> Decimal | str:
    number = Decimal(text.strip())
    return number if number.is_finite() else text


def _bytea(text: str) -> bytes:
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    return re.sub(rb"\\(\d{3}|\\)", lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1], 8)]), text.encode())


def _moment(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def moment(text: str) -> Any:
        try:
            return read(untyped(text.strip()))
        except ValueError:  # infinity, years of five digits: the engine knows what they are
            return text

    return moment


_READ_TEXT: dict[int, Callable[[str], Any]] = {
    types.BOOL.oid: _boolean, types.INT2.oid: int, types.INT4.oid: int, types.INT8.oid: int, types.OID.oid: int,
    types.FLOAT4.oid: float, types.FLOAT8.oid: float, types.NUMERIC.oid: _number, types.BYTEA.oid: _bytea,
    types.DATE.oid: _moment(date.fromisoformat), types.TIMESTAMP.oid: _moment(datetime.fromisoformat),
    types.TIMESTAMPTZ.oid: _moment(lambda text: _aware(datetime.fromisoformat(text))),
    types.TIME.oid: _moment(time.fromisoformat),
}  # fmt: skip


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|((?:[^"\\{},]|\\.)*))\s*([,}])', re.DOTALL)


def array_items(text: str) -> list[str | None]:
    r"""The items of an array of one dimension, as text.

    >>> array_items('{1,NULL,"a \\"b\\"", c}'), array_items("{}")
    (['1', None, 'a "b"', 'c'], [])
    """
    text = text.strip()
    if not text.startswith("{") or not text.endswith("}"):
        raise ValueError("not an array")
    if not text[1:-1].strip():
        return []
    items: list[str | None] = []
    place = 1
    while place < len(text):
        found = _ITEM.match(text, place)
        if found is None or (found[3] == "}") != (found.end() == len(text)):
            raise ValueError("not an array of one dimension")
        plain = found[1] is None
        item = re.sub(r"\\(.)", r"\1", found[2].strip() if plain else found[1], flags=re.DOTALL)
        items.append(None if plain and item.lower() == "null" else item)
        place = found.end()
    return items


# -- binary --------------------------------------------------------------------------------------------------------------


def _from_binary(value: bytes, oid: int) -> Any:
    if oid in BY_ARRAY:
        return _array(value, BY_ARRAY[oid])
    if oid in _TEXTS:
        return value.removeprefix(b"\1").decode() if oid == _JSONB else value.decode()
    read = _READ_BINARY.get(oid)
    if read is None:
        raise NotSupported("Binary value of this type", got=f"type {oid}", remedy="Send it as text")
    return read(value)


def _unpack(form: str) -> Callable[[bytes], Any]:
    return lambda value: struct.unpack(form, value)[0]


def _day(value: bytes) -> date | str:
    (days,) = struct.unpack("!i", value)
    if abs(days) >= 2**31 - 1:
        return "infinity" if days > 0 else "-infinity"
    return _EPOCH.date() + timedelta(days=days)


def _instant(value: bytes) -> datetime | str:
    (micros,) = struct.unpack("!q", value)
    if abs(micros) >= 2**63 - 1:
        return "infinity" if micros > 0 else "-infinity"
    return _EPOCH + timedelta(microseconds=micros)


def _timestamp(value: bytes) -> datetime | str:
    found = _instant(value)
    return found.replace(tzinfo=None) if isinstance(found, datetime) else found


def _time(value: bytes) -> time:
    (micros,) = struct.unpack("!q", value)
    return (_EPOCH + timedelta(microseconds=micros)).time()


def _interval(value: bytes) -> str:
    micros, days, months = struct.unpack("!qii", value)
    return f"{months} months {days} days {micros} microseconds"


def _numeric(value: bytes) -> Decimal | str:
    count, weight, sign, scale = struct.unpack_from("!hhHh", value)
    if sign not in {0, 0x4000}:
        return {0xC000: "NaN", 0xD000: "infinity", 0xF000: "-infinity"}[sign]
    digits = struct.unpack_from(f"!{count}h", value, 8)
    text = "".join(f"{digit:04d}" for digit in digits) or "0"
    whole = Decimal(text).scaleb(4 * (weight - count + 1), context=_EXACT)
    number = whole.quantize(Decimal(1).scaleb(-scale), context=_EXACT) if count else Decimal(0).scaleb(-scale)
    return number.copy_negate() if sign else number


def _array(value: bytes, item: PgType) -> list[Any]:
    dimensions, _, oid = struct.unpack_from("!iiI", value)
    if dimensions == 0:
        return []
    if dimensions != 1 or oid != item.oid:
        raise ValueError("not an array of one dimension")
    (count,) = struct.unpack_from("!i", value, 12)
    items, place = [], 20
    for _ in range(count):
        (size,) = struct.unpack_from("!i", value, place)
        part = value[place + 4 : place + 4 + max(size, 0)]
        items.append(None if size < 0 else _from_binary(part, item.oid))
        place += 4 + max(size, 0)
    return items


_READ_BINARY: dict[int, Callable[[bytes], Any]] = {
    types.BOOL.oid: lambda value: value != b"\0", types.INT2.oid: _unpack("!h"), types.INT4.oid: _unpack("!i"),
    types.INT8.oid: _unpack("!q"), types.OID.oid: _unpack("!I"), types.FLOAT4.oid: _unpack("!f"),
    types.FLOAT8.oid: _unpack("!d"), types.BYTEA.oid: bytes, types.DATE.oid: _day, types.TIMESTAMP.oid: _timestamp,
    types.TIMESTAMPTZ.oid: _instant, types.TIME.oid: _time, types.INTERVAL.oid: _interval,
    types.NUMERIC.oid: _numeric, types.UUID.oid: lambda value: UUID(bytes=value),
}  # fmt: skip


# -- types ---------------------------------------------------------------------------------------------------------------


def type_names(oids: Sequence[int]) -> list[str | None]:
    """For each OID the engine's name of the type; None where it shall find out."""
    return [None if oid in _TEXTS else _type_name(oid) for oid in oids]


def _type_name(oid: int) -> str | None:
    if oid in BY_ARRAY:
        return f"{BY_ARRAY[oid].sql}[]"
    found = BY_OID.get(oid)
    return None if found is None else "DECIMAL(38,10)" if found is types.NUMERIC else found.sql


def oid_of_name(name: str | None) -> int:
    """The OID of a type by the engine's name of it; text where it is not known."""
    if name is None:
        return types.TEXT.oid
    plain = re.sub(r"\(.*\)", "", name).strip().upper()
    if plain.endswith("[]"):
        item = BY_OID[oid_of_name(plain[:-2])]
        return item.array
    return _BY_NAME.get(plain, types.TEXT.oid)


_BY_NAME = {
    **{one.sql: one.oid for one in reversed(types.TYPES) if one.sql != "VARCHAR"},
    **{one.name.upper(): one.oid for one in types.TYPES},
    "TIMESTAMPTZ": types.TIMESTAMPTZ.oid, "HUGEINT": types.NUMERIC.oid, "TINYINT": types.INT2.oid,
    "UBIGINT": types.NUMERIC.oid, "USMALLINT": types.INT4.oid, "UTINYINT": types.INT2.oid, "VARCHAR": types.TEXT.oid,
    "INT": types.INT4.oid, "REAL": types.FLOAT4.oid, "DOUBLE PRECISION": types.FLOAT8.oid,
    "CHARACTER VARYING": types.TEXT.oid, "CHAR": types.TEXT.oid,
}  # fmt: skip
