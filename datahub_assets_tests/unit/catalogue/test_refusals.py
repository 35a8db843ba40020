"""What a declaration got wrong is told in the hub's words, by the field as it stands in the file."""

from typing import Any

import pytest
from pydantic import ValidationError

from datahub_assets.catalogue.loading import document_of
from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.catalogue.refusals import refusals
from datahub_assets.cli.new_hub import _FEED as EXAMPLE


def told(**changed: Any) -> dict[str, str]:
    """What is wrong with the example feed, so changed: field → words."""
    document = {**document_of(EXAMPLE.encode()), **changed}
    with pytest.raises(ValidationError) as caught:
        StructuredDataset.model_validate(document)
    return {".".join(map(str, where)): text for where, text in refusals(caught.value, document)}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"shape": "cube"}, {"shape": "got 'cube', expected one of snapshot, bitemporal"}),
        ({"key": "isin"}, {"key": "got 'isin', expected a list, e.g. [a, b]"}),
        ({"nonsense": 1}, {"nonsense": "unknown field"}),
        ({"tolerance": {"rows": "many"}}, {"tolerance.rows": "got 'many', expected a whole number"}),
        ({"tolerance": {"share": 7}}, {"tolerance.share": "got 7, expected at most 1"}),
        ({"partitions": {"calendar": "weekdays", "start": "soon"}},
         {"partitions.start": "got 'soon', expected a day, e.g. 2024-01-31"}),
        ({"feed": {"provider": "x", "pattern": "y.csv", "format": {"type": "tape"}}},
         {"feed.format": "got 'tape', expected one of csv, fixed_width, excel, json, xml, parquet"}),
        ({"feed": {"provider": "x", "pattern": "y.csv", "format": {"type": "csv", "comma": ";"}}},
         {"feed.format.comma": "unknown field"}),
    ],
)  # fmt: skip
def test_refusal_is_told_in_plain_words(changed: dict[str, Any], expected: dict[str, str]) -> None:
    """What was got and what was expected, as one writes it in YAML; pydantic's words and its paths are nobody's."""
    assert told(**changed) == expected


def test_missing_field_is_named_where_it_should_stand() -> None:
    """Its parent is in the file, it is not."""
    assert told(feed={"provider": "x", "format": {"type": "csv"}}) == {"feed.pattern": "required and missing"}


def test_branches_that_were_tried_are_one_refusal() -> None:
    """A bound may be a number or a day: that is one expectation with several ways, not three problems."""
    columns = document_of(EXAMPLE.encode())["columns"]
    columns[3]["checks"] = {"gt": "zero"}
    assert told(columns=columns) == {
        "columns.3.checks.gt": "got 'zero', expected a whole number or a number or a day, e.g. 2024-01-31"
    }


def test_secret_values_are_not_told() -> None:
    """Neither in the access file nor of a password."""
    document = {**document_of(EXAMPLE.encode()), "shape": "hunter2"}
    with pytest.raises(ValidationError) as caught:
        StructuredDataset.model_validate(document)
    assert "hunter2" not in str(list(refusals(caught.value, document, secret=True)))
