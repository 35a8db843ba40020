"""The raw vault: every delivery's bytes, write-once and by content, its receipt, the log's copy, rejects and set-asides.

The vault alone is enough to rebuild everything else (``operations.rebuild``). Layout below the root:

    vault/deliveries/<provider dataset>/<sha256>              the bytes, as received
    vault/receipts/<provider dataset>/<position>-<index>.json what was received, when, for which business dates
    vault/log/<position>.json                                 the commit log, entry by entry
    vault/contracts/<dataset>/<version>.json                  the contracts that rows were written under
    vault/definitions/<extract>/<sha256>.json                 by which SQL and contracts extracts were made (``definitions``)
    vault/declarations/<dataset>/<name>.json                  how the dataset, its feed above all, was declared then
    vault/rejects/<dataset>/<partition>/T<write id>.parquet   rows that broke their contract
    vault/set_aside/<provider>/<sha256>                       files that no feed could take, with reason beside them
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import BinaryIO

import polars as pl

from datahub_assets.errors import StoreConflict, StoreCorrupt
from datahub_assets.history.log import Delivery, Entry, render_instant
from datahub_assets.schema.contract import Contract
from datahub_assets.stores.files import FileFacts, FileStore


class Vault:
    """The vault in a file store."""

    def __init__(self, files: FileStore) -> None:
        self.files = files

    def keep(self, feed: str, chunks: Iterable[bytes]) -> FileFacts:
        """The bytes are in the vault, under their SHA-256; equal bytes are kept once a feed."""
        return self.files.publish_by_content(f"vault/deliveries/{feed}", chunks)

    def open(self, delivery: Delivery) -> BinaryIO:
        """The delivery's bytes.

        Raises:
            StoreCorrupt: the vault no longer holds them.
        """
        path = delivery_path(delivery)
        try:
            return self.files.open(path)
        except FileNotFoundError as error:
            raise StoreCorrupt(
                "Delivery missing in the vault", where=path, expected=f"{delivery.size} bytes of {delivery.name}",
                remedy="Restore the vault from its snapshot or backup",
            ) from error  # fmt: skip

    def write_receipts(self, entry: Entry) -> None:
        """Each delivery that the entry received has its receipt. Idempotent."""
        for delivery in entry.received:
            document = _receipt(delivery, entry)
            position, index = delivery.receipt
            self.files.publish(f"vault/receipts/{delivery.feed}/{position:012d}-{index:04d}.json", [document])

    def copy_entry(self, entry: Entry) -> None:
        """The log entry has its copy in the vault. Idempotent."""
        self.files.publish(log_path(entry.position), [entry.to_json().encode()])

    def copy_log(self, entry: Entry, earlier: Callable[[int], Entry]) -> None:
        """The log up to the entry is in the vault with its receipts, also what writers did not copy before they died.

        A copy comes after its receipts and after all earlier copies, so who finds one knows that nothing before it lacks.

        Args:
            entry: the entry just appended.
            earlier: gives the entry at a position (``CommitLog.entry``).
        """
        missing = [entry]
        while missing[-1].position > 0 and not self.has_copy(missing[-1].position - 1):
            missing.append(earlier(missing[-1].position - 1))
        for each in reversed(missing):
            self.write_receipts(each)
            self.copy_entry(each)

    def has_copy(self, position: int) -> bool:
        """Whether the log entry at that position has been copied."""
        return self.files.exists(log_path(position))

    def copied_entries(self) -> Iterator[Entry]:
        """The log as the vault has it, in order.

        Raises:
            StoreCorrupt: an entry is missing in the middle.
        """
        for expected, path in enumerate(self.files.list("vault/log")):
            entry = Entry.from_json(self.files.read(path).decode())
            if entry.position != expected:
                raise StoreCorrupt(
                    "Gap in the log's copy", where="vault/log", got=str(entry.position), expected=str(expected)
                )
            yield entry

    def keep_contract(self, contract: Contract) -> None:
        """The contract version is in the vault. Idempotent."""
        self.files.publish(
            f"vault/contracts/{contract.dataset}/{contract.version:06d}.json", [contract.to_json().encode()]
        )

    def keep_declaration(self, dataset: str, text: str) -> str:
        """How a dataset is declared is in the vault; returns its name there. Idempotent."""
        name = declaration_name(text)
        self.files.publish(f"vault/declarations/{dataset}/{name}.json", [text.encode()])
        return name

    def declaration(self, dataset: str, name: str) -> str:
        """A declaration of a dataset.

        Raises:
            StoreCorrupt: the vault does not hold it.
        """
        path = f"vault/declarations/{dataset}/{name}.json"
        try:
            return self.files.read(path).decode()
        except FileNotFoundError as error:
            raise StoreCorrupt(
                "Declaration missing in the vault", where=path, remedy="Restore the vault from its snapshot or backup"
            ) from error

    def contracts(self, dataset: str) -> list[Contract]:
        """All contract versions of a dataset that the vault has, oldest first."""
        return [
            Contract.from_json(self.files.read(path).decode()) for path in self.files.list(f"vault/contracts/{dataset}")
        ]

    def keep_rejects(self, dataset: str, scope: str, write_id: int, rejects: pl.DataFrame) -> str:
        """The rejects of one commit are kept as Parquet; returns the path."""
        buffer = io.BytesIO()
        rejects.write_parquet(buffer, statistics=False)
        path = f"vault/rejects/{dataset}/{scope}/T{write_id:012d}.parquet"
        return self.files.publish(path, [buffer.getvalue()]).path

    def rejects(self, path: str) -> pl.DataFrame:
        """The rejects that a change's ``rejects`` field names."""
        with self.files.open(path) as file:
            return pl.read_parquet(file)

    def set_aside(self, provider: str, name: str, chunks: Iterable[bytes], reason: dict[str, str]) -> FileFacts:
        """A file that no feed can take is kept with the reason beside it."""
        facts = self.files.publish_by_content(f"vault/set_aside/{provider}", chunks)
        document = json.dumps(
            {"name": name, "sha256": facts.sha256, "size": facts.size, **reason}, sort_keys=True, indent=1
        )
        with suppress(StoreConflict):  # the bytes have a reason already: the first one stays
            self.files.publish(f"{facts.path}.json", [document.encode()])
        return facts

    def list_set_aside(self) -> list[dict[str, str]]:
        """What was set aside, with the reasons."""
        paths = [path for path in self.files.list("vault/set_aside") if path.endswith(".json")]
        return [{**json.loads(self.files.read(path)), "path": path.removesuffix(".json")} for path in paths]


def delivery_path(delivery: Delivery) -> str:
    """Where the vault keeps the delivery's bytes, below the root."""
    return f"vault/deliveries/{delivery.feed}/{delivery.sha256}"


def declaration_name(text: str) -> str:
    """The name of a declaration: by its content."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def log_path(position: int) -> str:
    """Where the vault keeps the copy of a log entry, below the root."""
    return f"vault/log/{position:012d}.json"


def _receipt(delivery: Delivery, entry: Entry) -> bytes:
    facts = {
        **asdict(delivery),
        "arrived_at": render_instant(delivery.arrived_at),
        "known_at": render_instant(entry.known_at),
        "actor": entry.actor,
        "run_id": entry.run_id,
    }
    return json.dumps(facts, sort_keys=True, indent=1, default=str).encode()
