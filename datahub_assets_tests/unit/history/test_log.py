"""What the log says, and its JSON."""

import json

from hypothesis import given

from datahub_assets.history.log import Change, Delivery, Entry
from datahub_assets_tests.strategies import changes, deliveries, logs


@given(logs())
def test_entry_comes_back_from_json_as_it_was(log: list[Entry]) -> None:
    """The log's text is all that a rebuild has."""
    assert [Entry.from_json(entry.to_json()) for entry in log] == log


@given(changes, deliveries)
def test_change_and_delivery_come_back_from_json_as_they_were(change: Change, delivery: Delivery) -> None:
    """The log's index keeps them by themselves."""
    assert Change.from_json(change.to_json()) == change
    assert Delivery.from_json(delivery.to_json()) == delivery


@given(logs(max_entries=2))
def test_entry_json_is_canonical(log: list[Entry]) -> None:
    """Equal entries give equal bytes: the log compares a slot's bytes to find out whether an append was its own."""
    for entry in log:
        text = entry.to_json()
        assert Entry.from_json(text).to_json() == text
        assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert "\n" not in text
