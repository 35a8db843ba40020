"""Evolution: which changes are allowed, which make a new version, and that ids never come back."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DeclarationError
from datahub_assets.schema.contract import BUSINESS_DATE, Column, Contract, RowLayout, Shape
from datahub_assets.schema.evolution import evolve, widens
from datahub_assets.schema.types import Kind, LogicalType

# (old type, new type, allowed)
WIDENINGS = [
    ("int32", "int32", True), ("int32", "int64", True), ("int64", "int32", False),
    ("int32", "decimal(10,0)", True), ("int32", "decimal(9,0)", False), ("int32", "decimal(12,3)", False),
    ("int64", "decimal(19,0)", True), ("int64", "decimal(25,6)", True), ("int64", "decimal(18,0)", False),
    ("decimal(9,2)", "decimal(18,2)", True), ("decimal(9,2)", "decimal(11,4)", True),
    ("decimal(9,2)", "decimal(9,4)", False), ("decimal(9,2)", "decimal(9,1)", False),
    ("decimal(9,0)", "int64", False), ("date", "timestamp", False), ("int32", "float64", False),
    ("float64", "decimal(38,10)", False), ("text", "date", False), ("boolean", "int32", False),
]  # fmt: skip


def column(name: str, type_: str = "text", **rest: Any) -> Column:
    """A nullable column; its id is not looked at."""
    return Column(0, name, LogicalType.parse(type_), **{"nullable": True, **rest})


def contract(*columns: Column, key: tuple[str, ...] = ("id",), shape: Shape = Shape.SNAPSHOT) -> Contract:
    """A declared contract: partition, key ``id``, then these columns."""
    first = (column(BUSINESS_DATE, "date", nullable=False), column("id", nullable=False))
    return Contract("demo/evolving", 1, shape, (*first, *columns), key)


def ids(found: Contract) -> dict[str, int]:
    """Ids of columns by name, without the two that are always there."""
    return {column.name: column.id for column in found.columns[2:]}


@pytest.mark.parametrize(("old", "new", "allowed"), WIDENINGS)
def test_type_may_widen_and_not_narrow(old: str, new: str, allowed: bool) -> None:
    """Old rows are cast to the new type: that must lose nothing, for any value."""
    assert widens(LogicalType.parse(old), LogicalType.parse(new)) == allowed
    before = evolve(None, contract(column("v", old)))
    if allowed:
        assert evolve(before, contract(column("v", new))).version == (1 if old == new else 2)
    else:
        with pytest.raises(DeclarationError, match=re.escape(f"type was {old}")):
            evolve(before, contract(column("v", new)))


def test_first_contract_numbers_its_columns() -> None:
    """Version 1, ids in the order of declaration, whatever the declaration said."""
    found = evolve(None, replace(contract(column("a"), column("b")), version=7, next_id=90))
    assert (found.version, ids(found), found.next_id) == (1, {"a": 3, "b": 4}, 5)


def test_id_of_a_dropped_column_never_comes_back() -> None:
    """Rows written before the drop still hold its values: a new column of the name must not show them."""
    first = evolve(None, contract(column("a"), column("b")))
    second = evolve(first, contract(column("a")))
    third = evolve(second, contract(column("a"), column("b")))
    assert [ids(c) for c in (first, second, third)] == [{"a": 3, "b": 4}, {"a": 3}, {"a": 3, "b": 5}]
    assert [c.version for c in (first, second, third)] == [1, 2, 3]


def test_next_id_survives_json() -> None:
    """The contract is stored as JSON beside the log: what it must not forget is in there."""
    second = evolve(evolve(None, contract(column("a"), column("b"))), contract(column("a")))
    assert Contract.from_json(second.to_json()) == second
    assert ids(evolve(Contract.from_json(second.to_json()), contract(column("c")))) == {"c": 5}


def test_renamed_column_keeps_its_id_by_alias() -> None:
    """A rename is a rename only if it is declared; else it is a drop and a new column."""
    first = evolve(None, contract(column("a")))
    assert ids(evolve(first, contract(column("b")), {"b": ("older", "a")})) == {"b": 3}
    assert ids(evolve(first, contract(column("b")))) == {"b": 4}


def test_key_column_may_be_renamed() -> None:
    """Row keys hold values, not names."""
    first = evolve(None, contract())
    declared = contract()
    renamed = replace(declared, columns=(declared.columns[0], column("isin", nullable=False)), key=("isin",))
    assert [c.id for c in evolve(first, renamed, {"isin": ("id",)}).columns] == [1, 2]


@pytest.mark.parametrize(
    ("change", "version"),
    [
        ({"description": "other words"}, 1),
        ({"nullable": True}, 2),
        ({"checks": {"ge": 0}}, 2),
        ({"unit": "EUR"}, 2),
        ({"type": LogicalType(Kind.INT64)}, 2),
    ],
)
def test_version_grows_with_what_rows_depend_on(change: dict[str, Any], version: int) -> None:
    """Descriptions say nothing about rows; all the rest decides which rows are let in, or how they read."""
    first = evolve(None, contract(column("v", "int32", nullable=False)))
    second = evolve(first, contract(replace(column("v", "int32", nullable=False), **change)))
    assert second.version == version


def test_order_of_columns_makes_a_version() -> None:
    """Values stand in the contract's order."""
    first = evolve(None, contract(column("a"), column("b")))
    second = evolve(first, contract(column("b"), column("a")))
    assert (second.version, ids(second)) == (2, {"b": 4, "a": 3})


def test_all_incompatible_changes_are_reported_at_once() -> None:
    """The data engineer mends a declaration once, not once for each mistake."""
    first = evolve(None, contract(column("narrow", "int64"), column("strict"), column("pct", "float64", unit="pct")))
    declared = contract(
        column("narrow", "int32"), column("strict", nullable=False), column("pct", "float64", unit="bps"),
        column("added", nullable=False), column("twice"), key=("id", "strict"), shape=Shape.BITEMPORAL,
    )  # fmt: skip
    with pytest.raises(DeclarationError) as caught:
        evolve(first, declared, {"twice": ("narrow",), "nobody": ("strict",)})
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "aliases name column nobody, which is not declared",
        "column twice",
        "shape was snapshot, is bitemporal",
        "key was (id), is (id, strict)",
        "column narrow",
        "column strict",
        "column pct",
        "column added is new and must be nullable",
    ]


@pytest.mark.parametrize(
    ("aliases", "words"),
    [({"x": ("a", "b")}, "are different columns"), ({"x": ("a",), "y": ("a",)}, "claimed by column x as well")],
)
def test_aliases_that_are_not_clear_are_refused(aliases: dict[str, tuple[str, ...]], words: str) -> None:
    """Which column an id belongs to is never guessed."""
    first = evolve(None, contract(column("a"), column("b")))
    with pytest.raises(DeclarationError, match=words):
        evolve(first, contract(column("x"), column("y")), aliases)


def test_key_column_may_not_widen() -> None:
    """Row keys carry no contract version: their bytes cannot mean two things."""
    keyed = contract(column("n", "int32", nullable=False), key=("n",))
    wider = contract(column("n", "int64", nullable=False), key=("n",))
    with pytest.raises(DeclarationError, match="bytes of row keys cannot change"):
        evolve(evolve(None, keyed), wider)


def test_version_ends_where_rows_cannot_name_it() -> None:
    """A packed row has two bytes for it."""
    last = replace(evolve(None, contract()), version=65_535)
    assert evolve(last, contract()).version == 65_535
    with pytest.raises(DeclarationError, match="65536 is more than rows can name"):
        evolve(last, contract(column("a")))


def test_layout_may_not_change() -> None:
    """The rows of a table have one layout: a reader would look for the others' cells in vain."""
    first = evolve(None, replace(contract(column("a")), layout=RowLayout.CELLS))
    assert first.layout is RowLayout.CELLS
    assert Contract.from_json(first.to_json()) == first
    with pytest.raises(DeclarationError, match="layout was cells, is packed"):
        evolve(first, contract(column("a")))


def test_contract_of_a_packed_table_does_not_say_so() -> None:
    """Contracts that are stored beside the log stay as they are, word for word: the log compares them."""
    assert "layout" not in evolve(None, contract(column("a"))).to_json()


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=1, max_size=8))
def test_ids_are_never_shared_over_any_history(history: list[list[str]]) -> None:
    """Over any sequence of declarations: one id, one column without a gap; the same declaration changes nothing."""
    current: Contract | None = None
    owner: dict[int, str] = {}
    alive: dict[str, int] = {}
    for names in history:
        declared = contract(*(column(name) for name in names))
        following = evolve(current, declared)
        assert evolve(following, declared) == following
        assert following.version <= (current.version + 1 if current else 1)
        for name, id_ in ids(following).items():
            assert owner.setdefault(id_, name) == name
            assert id_ == alive.get(name, id_)
            assert name in alive or id_ not in alive.values()
        gone = set(alive) - set(names)
        assert not {alive[name] for name in gone} & set(ids(following).values())
        alive = ids(following)
        current = following
