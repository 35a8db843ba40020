"""Cuts: a name means one position for good, and cannot be mistaken for a known time."""

from dataclasses import replace

import pytest

from datahub_assets.errors import DatahubError, DeclarationError, QueryError
from datahub_assets.history.log import Retention
from datahub_assets.operations.cuts import create_cut
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import position_of
from datahub_assets_tests.hubs import PRICES
from datahub_assets_tests.unit.operations.story import rows


def test_cut_reads_as_its_position(story: Hub) -> None:
    """What is read at a cut's name is what is read at its position: reports are repeatable."""
    before = rows(story, PRICES, 7)
    cut, is_new = create_cut(story, "first-report", 7, "month end")
    assert (cut.position, is_new) == (7, True)
    assert rows(story, PRICES, position_of(story, "first-report")) == before


def test_cut_without_position_is_the_newest(story: Hub) -> None:
    """A cut is made at the position before its own entry: the state that was read when it was asked for."""
    last = story.log.last()
    assert create_cut(story, "now-ish")[0].position == last


def test_cut_made_again_stays_as_it_is(story: Hub) -> None:
    """The first definition stands: a retried command appends nothing, also when the log has grown."""
    create_cut(story, "eod", 7)
    last = story.log.last()
    assert create_cut(story, "eod")[1] is False
    assert create_cut(story, "eod", 7)[0].position == 7
    assert story.log.last() == last


def test_cut_never_moves(story: Hub) -> None:
    """Another position under the same name is refused, and nothing happens."""
    create_cut(story, "eod", 7)
    last = story.log.last()
    with pytest.raises(QueryError, match="another position"):
        create_cut(story, "eod", 8)
    assert story.log.last() == last


@pytest.mark.parametrize(
    "name",
    [
        "2024-01-31",
        "20240131",
        "2024-01-31T12:00",
        "2024-01-31-12",
        "12",
        "#12",
        "",
        "a b",
        "-x",
        "ä",
        "x" * 101,
        "a/b",
    ],
)
def test_cut_name_that_reads_as_something_else_is_refused(story: Hub, name: str) -> None:
    """A name that is a day, an instant or a number would be ambiguous where a known time is asked for."""
    with pytest.raises(DeclarationError, match="name of a cut"):
        create_cut(story, name)


@pytest.mark.parametrize("name", ["2024-01-31-eod", "audit.q1", "v1_final", "A"])
def test_cut_name_may_begin_with_a_day(story: Hub, name: str) -> None:
    """The usual names are allowed."""
    assert create_cut(story, name)[1]


@pytest.mark.parametrize("position", [-1, 16, 1000])
def test_cut_needs_a_position_that_is_there(story: Hub, position: int) -> None:
    """A cut of a position that does not exist yet would change its meaning later."""
    with pytest.raises(DatahubError, match="No such position"):
        create_cut(story, "eod", position)


def test_cut_below_the_retention_floor_is_refused(story: Hub) -> None:
    """Versions that retention let go cannot be promised any more; where another cut kept them, they can."""
    create_cut(story, "kept", 4)
    draft = replace(story.draft("retention"), retention=(Retention(PRICES, 10),))
    story.append(draft, story.log.last())
    with pytest.raises(QueryError, match="no longer kept"):
        create_cut(story, "late", 5)
    assert create_cut(story, "same-as-kept", 4)[1]
    assert create_cut(story, "above", 10)[1]
