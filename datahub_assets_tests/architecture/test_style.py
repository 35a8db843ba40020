"""Rules of style that no linter has. Docstrings, mocks and relative imports are ruff's (``make check``)."""

from datahub_assets_tests.architecture.repository import ROOT, imports, package_modules

MAX_LINES = 400
NO_ROOM = {"common", "core", "helper", "helpers", "misc", "tools", "util", "utils"}


def test_annotations_are_real_objects() -> None:
    """Dagster reads annotations of contexts and configs as objects; ``from __future__ import annotations`` breaks it."""
    strays = [str(m.path) for m in package_modules() if any(i.name == "__future__.annotations" for i in imports(m))]
    assert strays == []


def test_module_has_a_subject() -> None:
    """A name without a subject collects what has no room: ``utils`` of today is 120 kB later."""
    strays = [str(m.path) for m in package_modules() if NO_ROOM & {part.strip("_") for part in m.name.split(".")}]
    assert strays == []


def test_module_is_short_enough_to_read_at_once() -> None:
    """A module over 400 lines has two subjects; good ones cluster at 60 to 250."""
    lengths = {str(m.path): len((ROOT / m.path).read_text().splitlines()) for m in package_modules()}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}
