"""Reconciliation: what the delivered files say, what is stored, and what the log says was committed, compared.

Files are parsed again from the vault under the contract of the commit; stored rows and extract files are read back whole.
An extract has files of its own, which are held to their checksums: the counts of a delivered file are null there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from datahub_assets.errors import DatahubError
from datahub_assets.history.digest import Digest
from datahub_assets.history.log import Change
from datahub_assets.operations.checks import reconciliation_finding
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.refold import Told, file_problem, told_images, told_merges


@dataclass(frozen=True)
class Comparison:
    """File, table or extract, and log, for one committed scope."""

    dataset: str
    partition: str | None
    write_id: int
    rows_committed: int
    rejected_committed: int
    rows_stored: int | None
    rows_file: int | None
    rejected_file: int | None
    problems: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs, by count and by digest."""
        return not self.problems

    @property
    def finding(self) -> str:
        """What differs, for people."""
        return "; ".join(self.problems) or "equal"


def scopes(hub: Hub, dataset: str, position: int, day: date | None = None) -> list[tuple[int, Change]]:
    """What there is to compare of a dataset at a position: its current changes; of a bitemporal one the newest."""
    changes = hub.log.changes(dataset, position)
    return [found for partition, found in changes.items() if day is None or partition in (None, day.isoformat())]


def reconcile(hub: Hub, dataset: str, position: int, day: date | None = None) -> Iterator[Comparison]:
    """The comparison of each scope. Cost: one pass over the delivered files and one over what is stored.

    A bitemporal dataset is compared whole: all its deliveries are merged again, in the order in which they were.
    """
    told: dict[str, Told | str] = {}
    made_from: tuple[int, int] | None = None
    for at, change in scopes(hub, dataset, position, day):
        if (at, change.write_id) != made_from:  # a delivery of many dates is parsed once
            told, made_from = _told(hub, dataset, position, at, change), (at, change.write_id)
        yield _compared(hub, dataset, position, change, told.get(change.partition or ""))


def _told(hub: Hub, dataset: str, position: int, at: int, change: Change) -> dict[str, Told | str]:
    """What the files say, by partition; why they cannot be read, where they cannot."""
    if dataset not in hub.catalogue.structured or not change.deliveries:
        return {}
    companions = [c for c in hub.log.entry(at).changes if (c.dataset, c.deliveries) == (dataset, change.deliveries)]
    try:
        if change.partition is None:
            merges = list(told_merges(hub, dataset, hub.log.all_changes(dataset, position)))
            return {"": merges[-1][1]}
        return dict(told_images(hub, dataset, companions))
    except DatahubError as error:
        return {
            companion.partition or "": f"{error.what}: got {error.got}, expected {error.expected}"
            for companion in companions
        }


def _compared(hub: Hub, dataset: str, position: int, change: Change, told: Told | str | None) -> Comparison:
    stored, problems = _stored(hub, dataset, position, change)
    for file in change.files:
        problem = file_problem(hub, file)
        problems += [f"{file.path} is {problem}"] if problem else []
    if isinstance(told, str):
        problems.append(f"the delivered file cannot be read: {told}")
    elif told and (told.rows, told.rejected) != (change.rows, change.rejected):
        problems.append(f"the delivered file has {told.rows} rows and {told.rejected} rejects")
    elif told and told.digest != change.digest:
        problems.append("the delivered file says something else than what was committed")
    counted = told if isinstance(told, Told) else None
    return Comparison(
        dataset, change.partition, change.write_id, change.rows, change.rejected, stored,
        counted.rows if counted else None, counted.rejected if counted else None, tuple(problems),
    )  # fmt: skip


def _stored(hub: Hub, dataset: str, position: int, change: Change) -> tuple[int | None, list[str]]:
    """Rows read back (bitemporal: those that stand), and what is wrong with them."""
    try:
        finding = reconciliation_finding(hub, dataset, position, change)
    except DatahubError as error:
        return None, [f"what is stored cannot be read: {error.what}"]
    count = Digest.parse(str(finding.facts["digest stored"])).count
    return count, [] if finding.passed else [
        f"{finding.description}, committed {Digest.parse(change.digest).count} rows"
    ]
