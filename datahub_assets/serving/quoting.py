"""Names and texts as SQL writes them."""

from collections.abc import Iterable


def quoted(name: str) -> str:
    """A name as it stands, whatever it has."""
    return '"' + name.replace('"', '""') + '"'


def texts(values: Iterable[str]) -> str:
    """A list of texts."""
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"
