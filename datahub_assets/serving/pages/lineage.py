"""From the source's file to the published column: the datasets before and after one, as a graph of what the person may see.

A dataset that does not exist for the person is no node, and nothing tells that there is one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.serving.pages.view import View, visible


class NodeKind(StrEnum):
    """How far along the way a node is."""

    FILE = "file"
    RAW = "raw"
    STRUCTURED = "structured"
    PUBLISHED = "published"


@dataclass(frozen=True)
class NodeColumn:
    """One column of a node. ``origins``: ids of the columns that its value comes from; ``id`` is node and column."""

    id: str
    name: str
    origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """One node. ``dataset`` None: it is no relation; ``origins``: ids of the nodes that it is made from."""

    id: str
    kind: NodeKind
    title: str
    detail: str
    dataset: str | None
    origins: tuple[str, ...]
    columns: tuple[NodeColumn, ...] = ()


@dataclass(frozen=True)
class Graph:
    """Nodes, each after those that it is made from."""

    nodes: tuple[Node, ...]

    def of(self, kind: NodeKind) -> list[Node]:
        """The nodes of one kind."""
        return [node for node in self.nodes if node.kind is kind]


def graph(view: View) -> Graph:
    """What the dataset is made from, to the source's file, and what is made from it."""
    catalogue = view.hub.catalogue
    inputs = catalogue.inputs.get(view.dataset, (view.dataset,))
    structured = [name for name in inputs if name in catalogue.structured and visible(view.session, name)]
    is_extract = view.dataset in catalogue.extracts
    extracts = (view.dataset,) if is_extract else catalogue.downstream.get(view.dataset, ())
    nodes = [node for name in structured for node in _way_in(catalogue.structured[name])]
    nodes += [_published(view, name, set(structured)) for name in extracts if visible(view.session, name)]
    return Graph(tuple(sorted(nodes, key=lambda node: list(NodeKind).index(node.kind))))


def _way_in(declared: StructuredDataset) -> Iterator[Node]:
    name, feed = declared.dataset, declared.feed
    fields = {column.name: column.source or column.name for column in declared.columns if column.constant is None}
    yield Node(
        f"file:{name}", NodeKind.FILE, declared.source.name, f"{feed.provider}/{feed.pattern}", None, (),
        tuple(NodeColumn(f"file:{name}:{field}", field) for field in dict.fromkeys(fields.values())),
    )  # fmt: skip
    yield Node(
        f"raw:{name}",
        NodeKind.RAW,
        name,
        "every file as it came, in the vault",
        None,
        (f"file:{name}",),
    )
    columns = tuple(
        NodeColumn(
            f"{name}:{column.name}",
            column.name,
            (f"file:{name}:{fields[column.name]}",) if column.name in fields else (),
        )
        for column in declared.columns
    )
    yield Node(name, NodeKind.STRUCTURED, name, declared.title, name, (f"raw:{name}",), columns)


def _published(view: View, name: str, shown: set[str]) -> Node:
    catalogue = view.hub.catalogue
    derived = catalogue.derived(name)
    columns = tuple(
        NodeColumn(
            f"{name}:{column}",
            column,
            tuple(f"{dataset}:{source}" for dataset, source in derived.lineage.get(column, ()) if dataset in shown),
        )
        for column in derived.schema.names
    )
    origins = tuple(each for each in derived.inputs if each in shown)
    return Node(name, NodeKind.PUBLISHED, name, catalogue.extracts[name].title, name, origins, columns)
