"""By what the partitions of an extract are made: its SQL and key, the contracts of what it reads, and the columns it makes.

Each committed partition names the definition it was made by, which is kept beside the contracts: so it is known when a
partition has to be made anew, and one of an earlier time can be made again as it was, whatever the catalogue says by now.
"""

import hashlib
import json
from dataclasses import dataclass

from datahub_assets.schema.contract import Contract


@dataclass(frozen=True)
class Definition:
    """The SQL of an extract, its key as declared, the contracts it read its inputs under, and its result as a contract."""

    dataset: str
    sql: str
    key: tuple[str, ...]
    reads: tuple[Contract, ...]
    result: Contract

    @property
    def name(self) -> str:
        """What changes call it: the SHA-256 of its JSON, in hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def makes_what(self, other: "Definition") -> bool:
        """Whether the other makes the same of the same inputs: descriptions and columns that it does not read aside."""
        return self._decisive() == other._decisive()

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        document = {
            "dataset": self.dataset, "sql": self.sql, "key": list(self.key),
            "reads": [json.loads(contract.to_json()) for contract in self.reads],
            "result": json.loads(self.result.to_json()),
        }  # fmt: skip
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Definition":
        """The definition that ``to_json`` wrote."""
        d = json.loads(text)
        reads = tuple(Contract.from_json(json.dumps(contract)) for contract in d["reads"])
        return cls(d["dataset"], d["sql"], tuple(d["key"]), reads, Contract.from_json(json.dumps(d["result"])))

    def _decisive(self) -> tuple[object, ...]:
        return self.sql.strip(), self.key, tuple((c.name, c.type, c.nullable) for c in self.result.columns)
