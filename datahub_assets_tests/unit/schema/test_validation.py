"""Rules of a contract: which values keep them, and that every violation is found where it is."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DeclarationError
from datahub_assets.schema.contract import Column, Contract, Shape
from datahub_assets.schema.types import LogicalType
from datahub_assets.schema.validation import CHECKS, NOT_NULL, VIOLATIONS, expectation, pandera_schema, violations


def contract(*columns: tuple[str, str, bool, dict[str, Any]]) -> Contract:
    """A contract of columns: name, type, nullable, checks."""
    typed = tuple(
        Column(i, n, LogicalType.parse(t), null, checks=checks) for i, (n, t, null, checks) in enumerate(columns, 1)
    )
    return Contract("demo/x", 1, Shape.SNAPSHOT, typed, ("k",))


def frame(values: list[Any], type_: str) -> pl.DataFrame:
    """One column, v."""
    return pl.DataFrame({"v": pl.Series(values, dtype=LogicalType.parse(type_).polars)})


CASES: list[tuple[str, str, Any, list[Any], list[Any]]] = [
    ("ge", "int64", 0.0, [0, 1], [-1]),
    ("ge", "decimal(10,2)", 0.005, ["0.01"], ["0.00"]),
    ("ge", "decimal(38,0)", 1.0, ["1", "9" * 38], ["0", "-" + "9" * 38]),
    ("gt", "float64", 0.1, [0.2], [0.1, -1.0]),
    ("gt", "date", "2013-01-01", [date(2013, 1, 2)], [date(2013, 1, 1)]),
    ("le", "int32", 2.5, [2], [3]),
    ("le", "timestamp", "2013-01-02", [datetime(2013, 1, 2, tzinfo=UTC)], [datetime(2013, 1, 2, 1, tzinfo=UTC)]),
    ("lt", "decimal(10,2)", 5, ["4.99"], ["5.00"]),
    ("one_of", "text", ["EUR", "USD"], ["EUR"], ["eur", ""]),
    ("pattern", "text", "[A-Z]{3}", ["EUR"], ["EURO", "EU", "EUR\n", "\nEUR"]),
    ("pattern", "text", "A|BC", ["A", "BC"], ["AC", "B"]),
    ("min_length", "text", 2, ["éé", "abc"], ["é"]),
    ("max_length", "text", 2, ["éé", ""], ["abc"]),
    (
        "identifier",
        "text",
        "isin",
        ["US0378331005", "DE0007164600"],
        ["US0378331006", "us0378331005", " US0378331005", ""],
    ),
    ("identifier", "text", "lei", ["5493001KJTIIGC8Y1R12"], ["5493001KJTIIGC8Y1R13", "5493001KJTIIGC8Y1R1"]),
    ("identifier", "text", "cusip", ["037833100"], ["037833101"]),
    ("identifier", "text", "sedol", ["2046251", "B15KXQ8"], ["2046252", "B15KXQ9"]),
    ("identifier", "text", "figi", ["BBG000B9XRY4"], ["BBG000B9XRY5"]),
    ("identifier", "text", "bic", ["DEUTDEFF", "DEUTDEFF500"], ["DEUTDEF", "1234DEFF"]),
]


@pytest.mark.parametrize(("name", "type_", "argument", "kept", "broken"), CASES)
def test_check_separates_values_that_keep_it(
    name: str, type_: str, argument: Any, kept: list[Any], broken: list[Any]
) -> None:
    """Each rule lets in what it says and nothing else; a null keeps every rule but not_null."""
    values: list[Any] = [*kept, *broken, None]
    data = frame([Decimal(v) if type_.startswith("decimal") and v is not None else v for v in values], type_)
    found = violations(data, contract(("v", type_, True, {name: argument})))
    assert found["row"].to_list() == list(range(len(kept), len(kept) + len(broken)))
    assert set(found["rule"]) == {name}


def test_check_table_has_a_case_for_every_check() -> None:
    """A new check comes with its cases."""
    assert {case[0] for case in CASES} == set(CHECKS)


def test_violations_of_all_columns_are_found_at_once() -> None:
    """A file's rejects list everything: a provider does not correct the same file five times."""
    data = pl.DataFrame({"k": ["a", None, "ccc"], "v": [1, -1, None]})
    key = ("k", "text", False, {"max_length": 2, "pattern": "[ab]+"})
    found = violations(data, contract(key, ("v", "int64", False, {"ge": 0})))
    assert sorted(found.rows()) == [
        (1, "k", NOT_NULL, None), (1, "v", "ge", "-1"), (2, "k", "max_length", "ccc"), (2, "k", "pattern", "ccc"),
        (2, "v", NOT_NULL, None),
    ]  # fmt: skip


@pytest.mark.parametrize("data", [frame([], "int64"), frame([1, 2], "int64")])
def test_violations_are_none_where_the_contract_is_kept(data: pl.DataFrame) -> None:
    """The happy path has the same columns and types as the other."""
    found = violations(data, contract(("v", "int64", False, {"ge": 0})))
    assert (found.height, found.schema) == (0, VIOLATIONS)


_VALUES = st.lists(st.tuples(st.integers(-3, 3) | st.none(), st.text("ab", max_size=3) | st.none()), max_size=30)


@given(_VALUES, st.booleans(), st.integers(-3, 3))
def test_violations_are_those_of_a_row_by_row_reading(
    rows: list[tuple[int | None, str | None]], null: bool, limit: int
) -> None:
    """Column-wise is only faster: each row and rule is as one would find it by hand."""
    data = pl.DataFrame(rows, schema={"n": pl.Int64, "t": pl.String}, orient="row")
    rules = contract(("n", "int64", null, {"ge": limit}), ("t", "text", null, {"one_of": ["a", "ab"], "min_length": 1}))
    expected = set()
    for place, (number, text) in enumerate(rows):
        expected |= {
            (place, name, NOT_NULL) for name, value in (("n", number), ("t", text)) if value is None and not null
        }
        expected |= {(place, "n", "ge")} if number is not None and number < limit else set()
        expected |= {(place, "t", "one_of")} if text is not None and text not in ("a", "ab") else set()
        expected |= {(place, "t", "min_length")} if text == "" else set()
    found = violations(data, rules)
    assert set(found.select("row", "column", "rule").rows()) == expected
    assert found["row"].is_sorted()


@pytest.mark.parametrize("data", [pl.DataFrame({"x": [1]}), pl.DataFrame({"v": ["1"]})])
def test_violations_refuse_a_frame_of_other_columns(data: pl.DataFrame) -> None:
    """A wrong type is a mistake of the code before, not a reject of the provider's row."""
    with pytest.raises(DeclarationError, match="Frame does not have the contract's columns"):
        violations(data, contract(("v", "int64", False, {})))


@pytest.mark.parametrize(
    ("type_", "checks"),
    [("text", {"pattern": "(?=x)"}), ("text", {"ge": 1}), ("date", {"ge": 5.0}), ("int64", {"even": True})],
)
def test_check_that_cannot_be_is_a_mistake_of_the_declaration(type_: str, checks: dict[str, Any]) -> None:
    """It is found when the contract is read, not at the first file."""
    with pytest.raises(DeclarationError):
        pandera_schema(contract(("v", type_, False, checks)))


def test_pandera_schema_serves_pandera_users() -> None:
    """The same schema can be validated by anyone who knows pandera, with its names of rules."""
    schema = pandera_schema(contract(("v", "int64", False, {"ge": 0})))
    with pytest.raises(pa.errors.SchemaErrors) as raised:
        schema.validate(frame([-1, None], "int64"), lazy=True)
    assert {error.check.name for error in raised.value.schema_errors} == {"ge", NOT_NULL}


@pytest.mark.parametrize(
    ("rule", "checks", "words"),
    [("ge", {"ge": 0.0}, "at least 0.0"), ("one_of", {"one_of": ["a", "b"]}, "one of a, b"), (NOT_NULL, {}, "a value")],
)
def test_expectation_says_a_rule_in_words(rule: str, checks: dict[str, Any], words: str) -> None:
    """Rejects are read by people at the provider."""
    assert expectation(Column(1, "v", LogicalType.parse("text"), checks=checks), rule) == words
