"""One contract version to the next: which changes are allowed, which make a new version, which id a column has.

Rows already written stay as they are and are read under the newest contract, column by id: a change is allowed only if
every row that an earlier version let in still means the same. How they are read is in ``hbase_format.packed``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from datahub_assets.errors import DeclarationError
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM, VALID_TO, Column, Contract
from datahub_assets.schema.types import Kind, LogicalType

MAX_VERSION = 65_535
"""The largest contract version that a packed row can name."""
_DIGITS = {Kind.INT32: 10, Kind.INT64: 19}

Aliases = Mapping[str, tuple[str, ...]]


def evolve(previous: Contract | None, declared: Contract, aliases: Aliases | None = None) -> Contract:
    """The contract that holds from now on: as declared, with the ids of ``previous``, its version or the next one.

    A column is the one of ``previous`` with its name, else the one with one of its aliases, else new: it gets an id that
    no column ever had. A change of names, order, types, nullability, units or checks makes a new version; one of
    descriptions does not.

    Args:
        previous: the contract of the newest version; None where there is none yet.
        declared: the contract as the catalogue declares it; its ids and version are not looked at.
        aliases: former names of columns, by their name now.

    Raises:
        DeclarationError: with every change that rows already written do not allow (``problems``).

    >>> def contract(*columns: str) -> Contract:
    ...     typed = tuple(Column(i, c, LogicalType(Kind.TEXT), c != "id") for i, c in enumerate(columns, 1))
    ...     return Contract("demo", 1, Shape.SNAPSHOT, typed, ("id",))
    >>> from datahub_assets.schema.contract import Shape
    >>> first = evolve(None, contract("id", "name", "city"))
    >>> second = evolve(first, contract("id", "town", "note"), {"town": ("city",)})
    >>> second.version, [(column.id, column.name) for column in second.columns], second.next_id
    (2, [(1, 'id'), (3, 'town'), (4, 'note')], 5)
    """
    if previous is None:
        columns = tuple(replace(column, id=place) for place, column in enumerate(declared.columns, start=1))
        return replace(declared, version=1, columns=columns, next_id=0)
    former, problems = _former(previous, declared, aliases or {})
    problems += _contract_problems(previous, declared, former)
    for column in declared.columns:
        problems += _column_problems(previous, former.get(column.name), column)
    following = _numbered(previous, declared, former)
    if following.version > MAX_VERSION:
        problems.append(f"version {following.version} is more than rows can name ({MAX_VERSION})")
    if problems:
        raise DeclarationError(
            "Contract cannot change like this",
            where=declared.dataset,
            got=f"{len(problems)} changes that rows already written do not allow",
            expected=f"changes of version {previous.version} that keep its rows readable",
            remedy="Declare a new column or a new dataset instead, or restore the declaration",
            problems=problems,
        )
    return following


def widens(old: LogicalType, new: LogicalType) -> bool:
    """Whether every value of ``old`` is a value of ``new``, by a cast that loses nothing.

    >>> parse = LogicalType.parse
    >>> widens(parse("int32"), parse("int64")), widens(parse("decimal(9,2)"), parse("decimal(9,4)"))
    (True, False)
    """
    if old == new or (old.kind, new.kind) == (Kind.INT32, Kind.INT64):
        return True
    if new.kind is not Kind.DECIMAL:
        return False
    if old.kind is Kind.DECIMAL:
        return new.scale >= old.scale and new.precision - new.scale >= old.precision - old.scale
    return old.kind in _DIGITS and new.precision - new.scale >= _DIGITS[old.kind]


def _former(previous: Contract, declared: Contract, aliases: Aliases) -> tuple[dict[str, Column], list[str]]:
    """The column of ``previous`` that each declared column is, by declared name; and what is not clear about it."""
    known = {column.name: column for column in previous.columns}
    kept = {column.name for column in declared.columns if column.name in known}
    former = {name: known[name] for name in kept}
    problems = [
        f"aliases name column {name}, which is not declared" for name in sorted(set(aliases) - _names(declared))
    ]
    taken: dict[str, str] = {}
    for column in declared.columns:
        if column.name in kept:
            continue
        candidates = [alias for alias in aliases.get(column.name, ()) if alias in known]
        free = [alias for alias in candidates if alias not in kept]
        if len(free) > 1:
            problems.append(
                f"column {column.name}: aliases {', '.join(free)} are different columns of the version before"
            )
        elif candidates and not free:
            problems.append(f"column {column.name}: its alias {candidates[0]} is still declared as a column of its own")
        elif free and free[0] in taken:
            problems.append(f"column {column.name}: its alias {free[0]} is claimed by column {taken[free[0]]} as well")
        elif free:
            taken[free[0]] = column.name
            former[column.name] = known[free[0]]
    return former, problems


def _names(contract: Contract) -> set[str]:
    return {column.name for column in contract.columns}


def _contract_problems(previous: Contract, declared: Contract, former: Mapping[str, Column]) -> list[str]:
    problems = []
    if previous.dataset != declared.dataset:
        problems.append(f"dataset was {previous.dataset}, is {declared.dataset}")
    if previous.shape is not declared.shape:
        problems.append(f"shape was {previous.shape.value}, is {declared.shape.value}")
    if previous.layout is not declared.layout:
        problems.append(
            f"layout was {previous.layout.value}, is {declared.layout.value}: its table has rows of the old one"
        )
    before = [column.id for column in previous.key_columns]
    now = [former[name].id if name in former else None for name in declared.key]
    if before != now:
        problems.append(f"key was ({', '.join(previous.key)}), is ({', '.join(declared.key)})")
    return problems


def _column_problems(previous: Contract, old: Column | None, new: Column) -> Iterator[str]:
    if old is None:
        if not new.nullable and new.name not in {BUSINESS_DATE, VALID_FROM, VALID_TO}:
            yield f"column {new.name} is new and must be nullable: rows of earlier versions have no value for it"
        return
    at = f"column {new.name}" if old.name == new.name else f"column {new.name} (was {old.name})"
    in_row_key = {*previous.key, BUSINESS_DATE, VALID_FROM}
    if old.name in in_row_key and old.type != new.type:
        yield f"{at}: type was {old.type}, is {new.type}, and the bytes of row keys cannot change"
    elif not widens(old.type, new.type):
        yield f"{at}: type was {old.type}, is {new.type}, which does not hold every value of it"
    if old.nullable and not new.nullable:
        yield f"{at}: was nullable, is not: rows already written may hold null"
    if old.unit is not None and new.unit is not None and old.unit != new.unit:
        yield f"{at}: unit was {old.unit}, is {new.unit}: rows already written hold the old one; declare a new column"


def _numbered(previous: Contract, declared: Contract, former: Mapping[str, Column]) -> Contract:
    """``declared`` with lasting ids, under the version of ``previous`` if rows of both are the same."""
    columns, next_id = [], previous.next_id
    for column in declared.columns:
        if column.name in former:
            columns.append(replace(column, id=former[column.name].id))
        else:
            columns.append(replace(column, id=next_id))
            next_id += 1
    following = replace(declared, version=previous.version, columns=tuple(columns), next_id=next_id)
    return following if _meaning(following) == _meaning(previous) else replace(following, version=previous.version + 1)


def _meaning(contract: Contract) -> str:
    """What rows depend on: the contract without descriptions, as text (1 and 1.0 in a check are told apart)."""
    columns = tuple(replace(column, description="") for column in contract.columns)
    return replace(contract, columns=columns).to_json()
