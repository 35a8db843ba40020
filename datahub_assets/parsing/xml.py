"""Repeated elements of an XML document → batches of text fields, streamed. Names are without namespaces.

Nothing outside the document is read, and entities are not expanded: a document that declares its own is refused.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.formats import optional
from datahub_assets.parsing.options import XmlOptions
from datahub_assets.parsing.raw import RawBatch, Unreadable
from datahub_assets.parsing.records import Record, record_batches


def read_xml(stream: BinaryIO, options: XmlOptions, rules: FieldRules, batch_records: int) -> Iterator[RawBatch]:
    """Batches of the document's records: the declared field paths of each; other elements are not read.

    A field that stands twice in a record makes the record a reject.

    Raises:
        DeliveryMalformed: no XML, cut off, entities, or a required field that no record has.
    """
    paths = tuple(dict.fromkeys((*rules.named, *options.fields)))
    if options.fields:
        rules.check(list(dict.fromkeys(options.fields)), "format.fields")
    return record_batches(_records(stream, options.record.split("/"), paths), rules, batch_records)


def _records(stream: BinaryIO, record: list[str], paths: tuple[str, ...]) -> Iterator[Record]:
    etree = optional("lxml.etree", "xml")
    number, depth = 0, list[str]()
    try:
        events = etree.iterparse(
            stream, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
            remove_comments=True, remove_pis=True,
        )  # fmt: skip
        for event, element in events:
            if event == "start":
                if not depth:
                    _refuse_entities(element)
                depth.append(_name(element))
                continue
            if depth[1:] == record or depth == record:
                number += 1
                yield number, _fields(element, number, paths, etree)
            if len(depth) <= len(record) + 1:
                _forget(element)
            depth.pop()
    except (etree.XMLSyntaxError, UnicodeDecodeError) as error:
        raise _malformed(number, str(error)) from error


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""


def _forget(element: Any) -> None:
    """Memory stays bounded: what has been read is dropped from the tree."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _refuse_entities(root: Any) -> None:
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise _malformed(
            0, "a document type with entities of its own", "no entities: they can hide values and exhaust memory"
        )


def _malformed(number: int, got: str, expected: str = "a whole, well-formed XML document") -> DeliveryMalformed:
    return DeliveryMalformed(
        "XML cannot be read", where=f"the document after record {number}", got=got.splitlines()[0] if got else "nothing",
        expected=expected, remedy="Ask for the file again: it may have been cut off",
    )  # fmt: skip


def _fields(element: Any, number: int, paths: tuple[str, ...], etree: Any) -> dict[str, str | None] | Unreadable:
    fields: dict[str, str | None] = {}
    for path in paths:
        values = _values(element, path.split("/"))
        if len(values) > 1:
            text = etree.tostring(element, encoding="unicode", with_tail=False)
            return Unreadable(number, "repeated", f"got {path} {len(values)} times, expected it once", text)
        if values:
            fields[path] = values[0]
    return fields


def _values(element: Any, steps: list[str]) -> list[str]:
    if not steps or steps == ["."]:
        return ["".join(element.itertext())]
    first, *rest = steps
    if first.startswith("@"):
        return [value for name, value in element.attrib.items() if name.rpartition("}")[2] == first[1:]]
    return [value for child in element if _name(child) == first for value in _values(child, rest)]
