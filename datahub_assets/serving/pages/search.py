"""Datasets that fit some words, as a person finds them: by name, title, description, column, owner or tag."""

from collections.abc import Iterable
from dataclasses import dataclass

from datahub_assets.serving.pages.view import View


@dataclass(frozen=True)
class Found:
    """A dataset that fits. ``columns``: names of the columns that do."""

    view: View
    columns: tuple[str, ...]


def search(views: Iterable[View], text: str) -> list[Found]:
    """The datasets in which each word stands somewhere, without regard to case; all when there is no word."""
    words = text.lower().split()
    return [found for view in views if (found := _found(view, words))]


def _found(view: View, words: list[str]) -> Found | None:
    declared = view.declared
    columns = {c.name: f"{c.name} {c.description} {c.unit or ''}".lower() for c in view.relation.columns}
    tags = " ".join(f"{name} {value}" for name, value in declared.tags.items())
    own = f"{view.dataset} {view.relation.qualified} {declared.title} {declared.description} {' '.join(declared.owners)} {tags}"
    text = own.lower()
    if not all(word in text or any(word in told for told in columns.values()) for word in words):
        return None
    named = (name for name, told in columns.items() if any(word in told for word in words if word not in text))
    return Found(view, tuple(named))
