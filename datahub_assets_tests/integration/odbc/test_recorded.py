"""Statements of programs that cannot be run here (Excel, Power BI, Tableau, DBeaver, …), put to the door and to PostgreSQL."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from datahub_assets_tests.integration.odbc.recorded_statements import Asked, Recorded, Row, Told, recorded, types_of
from datahub_assets_tests.integration.odbc.twins import Twin

STATEMENTS = list(recorded())


@pytest.fixture(scope="module")
def both(hub: Twin, oracle: Twin) -> Iterator[tuple[Asked, Asked]]:
    """A connection to each: a program keeps one too."""
    names = types_of(oracle)
    asked = Asked(hub, names), Asked(oracle, names)
    yield asked
    for one in asked:
        one.close()


@pytest.mark.parametrize("asked", [one for one in STATEMENTS if not one.refused], ids=str)
def test_recorded_statement_is_answered_as_by_postgresql(both: tuple[Asked, Asked], asked: Recorded) -> None:
    """Both answer, with the same columns and types and the same rows, but for what the two have not in common."""
    found, expected = (one.answers(asked) for one in both)
    assert [told.state for told in found] == [""] * len(expected) == [told.state for told in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert _columns(asked, ours) == _columns(asked, theirs)
        if asked.rows == "same":
            assert _rows(asked, ours) == _rows(asked, theirs)
        elif asked.rows == "within":
            assert [row for row in _rows(asked, ours) if row not in _rows(asked, theirs)] == []
            assert bool(ours.rows) == bool(theirs.rows)
        elif asked.rows == "some":
            assert ours.rows
            assert theirs.rows


@pytest.mark.parametrize("asked", [one for one in STATEMENTS if one.refused], ids=str)
def test_recorded_statement_is_refused_so_that_the_program_goes_on(both: tuple[Asked, Asked], asked: Recorded) -> None:
    """Programs try what a source can do: what it cannot has the SQLSTATE that they expect, and the connection is sound."""
    hub, oracle = both
    assert [told.state for told in hub.answers(asked)] == [asked.refused]
    if not asked.not_refused_by_oracle:
        assert [told.state for told in oracle.answers(asked)] == [asked.refused]
    (after,) = hub.answers(Recorded("", "", "SELECT count(*) FROM px.prices", protocol="simple"))
    assert after.rows[0][0] > 0


def test_recorded_statements_tell_a_restricted_person_nothing_more(hub: Twin) -> None:
    """What programs list and read is what the person may see: no name of another dataset, no row or value that is hidden."""
    asked = Asked(replace(hub, user="bob"), types_of(hub))
    try:
        answers = [(str(one), told) for one in STATEMENTS for told in asked.answers(one)]
    finally:
        asked.close()
    assert {told.state for name, told in answers} <= {"", *(one.refused for one in STATEMENTS)}
    told_of = [(name, repr(row)) for name, told in answers for row in told.rows]
    assert [
        (name, row) for name, row in told_of if re.search(r"HIDDEN|MASKED|members\b(?<!priced_members)|'idx", row)
    ] == []
    assert [name for name, row in told_of if "priced_members" in row] != []


def _columns(asked: Recorded, told: Told) -> list[tuple[str, str]]:
    return [(name, "" if name in asked.types_differ else kind) for name, kind in told.columns]


def _rows(asked: Recorded, told: Told) -> list[Row]:
    """The rows that are compared: none that names a history (a view here), in an order unless the statement gives one."""
    names = [name for name, _ in told.columns]
    kept = [
        tuple(value for name, value in zip(names, row, strict=True) if name not in asked.differs)
        for row in told.rows
        if all(row[names.index(name)] in values for name, values in asked.only.items() if name in names)
        and not any(_of_history(value) for value in row)
    ]
    return kept if "order by" in asked.sql.lower() and not asked.unordered else sorted(kept, key=repr)


def _of_history(value: Any) -> bool:
    return isinstance(value, str) and ("_history" in value and "catalog_history" not in value)
