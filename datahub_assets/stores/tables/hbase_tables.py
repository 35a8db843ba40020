"""Tables of HBase as they are declared and as they are: what Thrift 1 can make and see, and what a site does in its shell.

Thrift 1 makes a table with its families, their versions, compression, bloom filter and time to live. It can neither split
a table nor set or show the encoding of data blocks; ``Difference.shell`` has the statements of ``hbase shell`` that do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datahub_assets.stores.tables.hbase_interface import AlreadyExists, ColumnDescriptor, HBaseIOError, text_of
from datahub_assets.stores.tables.hbase_options import Form

_FOR_EVER = 2**31 - 1


@dataclass(frozen=True)
class Difference:
    """One thing that is not as declared, and the statement of ``hbase shell`` that puts it right."""

    what: str
    actual: str
    declared: str
    shell: str


def create(client: Any, name: bytes, form: Form) -> bool:
    """The table is there; whether this call made it. It has one region: Thrift 1 cannot split."""
    try:
        client.createTable(name, [_descriptor(family, form) for family in form.families])
    except AlreadyExists:
        return False
    except HBaseIOError as error:
        if "TableExistsException" in text_of(error):
            return False
        raise
    return True


def drop(client: Any, name: bytes) -> None:
    """The table is gone. Raises happybase's IOError where it was not there."""
    try:
        client.disableTable(name)
    except HBaseIOError as error:
        if "TableNotEnabledException" not in text_of(error):
            raise
    client.deleteTable(name)


def differences(client: Any, name: bytes, form: Form) -> list[Difference] | None:
    """What is not as declared; None: there is no such table. Raises happybase's IOError."""
    if name not in client.getTableNames():
        return None
    found = {family.rstrip(b":"): each for family, each in client.getColumnDescriptors(name).items()}
    starts = {region.startKey for region in client.getTableRegions(name)}
    return [
        *(difference for family in form.families for difference in _of_family(name, family, form, found.get(family))),
        *(_missing_split(name, split) for split in form.splits if split not in starts),
    ]


def unseen(name: bytes, form: Form) -> list[Difference]:
    """What Thrift 1 neither sets nor shows, with the statements of ``hbase shell`` that set it; they may be run again."""
    if form.block_encoding == "none":
        return []
    option = f"DATA_BLOCK_ENCODING => '{form.block_encoding.upper()}'"
    return [
        Difference(
            f"block encoding of family {family.decode()}", "not shown by Thrift", form.block_encoding,
            f"alter '{name.decode()}', {{NAME => '{family.decode()}', {option}}}",
        )
        for family in form.families
    ]  # fmt: skip


def _descriptor(family: bytes, form: Form) -> Any:
    return ColumnDescriptor(
        name=family + b":", maxVersions=1, compression=form.compression.upper(), bloomFilterType=form.bloom.upper(),
        blockCacheEnabled=True, timeToLive=_FOR_EVER,
    )  # fmt: skip


def _of_family(name: bytes, family: bytes, form: Form, found: Any | None) -> Iterator[Difference]:
    where = f"alter '{name.decode()}', {{NAME => '{family.decode()}'"
    if found is None:
        yield Difference(f"family {family.decode()}", "absent", "there", where + "}")
        return
    wanted = _descriptor(family, form)
    for attribute, what, option in (
        ("maxVersions", "versions", "VERSIONS => 1"),
        ("compression", "compression", f"COMPRESSION => '{wanted.compression}'"),
        ("bloomFilterType", "bloom filter", f"BLOOMFILTER => '{wanted.bloomFilterType}'"),
        ("timeToLive", "time to live", "TTL => 'FOREVER'"),
    ):
        actual, declared = _plain(getattr(found, attribute)), _plain(getattr(wanted, attribute))
        if actual != declared:
            yield Difference(f"{what} of family {family.decode()}", actual, declared, f"{where}, {option}}}")


def _missing_split(name: bytes, split: bytes) -> Difference:
    key = f"\\x{split.hex().upper()}"
    return Difference(f"split at {key}", "absent", "there", f"split '{name.decode()}', \"{key}\"")


def _plain(value: object) -> str:
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text.lower()
