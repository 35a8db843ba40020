"""The definitions of extracts: kept in the vault and beside the log, by name, before the first partition made by one.

Rows of ``hub.log``: ``s`` dataset, name → definition. In the vault: ``vault/definitions/<dataset>/<name>.json``.
"""

from datahub_assets.catalogue.definition import Definition
from datahub_assets.errors import StoreCorrupt
from datahub_assets.stores.commit_log import LOG
from datahub_assets.stores.files import FileStore
from datahub_assets.stores.tables.interface import TableStore

FOLDER = "vault/definitions"


class DefinitionStore:
    """The definitions of one hub. They never change, so each is read once."""

    def __init__(self, tables: TableStore, files: FileStore) -> None:
        """Keep them beside the log in ``tables``, and in the vault in ``files``."""
        self._tables, self._files = tables, files
        self._known: dict[tuple[str, str], Definition] = {}

    def keep(self, definition: Definition) -> str:
        """The definition is durable in both places; returns its name. Idempotent."""
        name, body = definition.name, definition.to_json().encode()
        if (definition.dataset, name) not in self._known:
            self._files.publish(f"{FOLDER}/{definition.dataset}/{name}.json", [body])
            self._tables.put_if_absent(LOG, _key(definition.dataset, name), body)
            self._known[definition.dataset, name] = definition
        return name

    def read(self, dataset: str, name: str) -> Definition:
        """The definition of that name.

        Raises:
            StoreCorrupt: it is not there, though a change names it.
        """
        if (dataset, name) not in self._known:
            body = self._tables.get(LOG, [_key(dataset, name)])[0]
            if body is None:
                raise StoreCorrupt(
                    "Definition of an extract missing", where=f"{dataset} {name}", expected="its SQL beside the log",
                    remedy="Restore the tables from a backup, or run: datahub rebuild",
                )  # fmt: skip
            self._known[dataset, name] = Definition.from_json(body.decode())
        return self._known[dataset, name]

    def restore(self) -> None:
        """Those that the vault has are beside the log."""
        for path in self._files.list(FOLDER):
            self.keep(Definition.from_json(self._files.read(path).decode()))


def _key(dataset: str, name: str) -> bytes:
    return b"s" + dataset.encode() + b"\0" + name.encode()
