"""Landing → vault: each complete file becomes a delivery with a receipt, or is set aside with a reason.

The order is: bytes into the vault, the log entry (its position is the receipt's number), the receipt beside the bytes,
the landing file into the archive. A kill between any two leaves the landing file, and the next look finishes the work.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from datahub_assets.catalogue.calendars import previous_business_day
from datahub_assets.catalogue.filename import FileIdentity, FilenamePattern
from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.errors import DatahubError, DeliveryMalformed, StoreConflict, StoreUnavailable
from datahub_assets.history.log import Delivery
from datahub_assets.history.state import delivery_order
from datahub_assets.operations.deliveries import telling
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.plans import parse_plan
from datahub_assets.parsing.archive import check_archive
from datahub_assets.parsing.parse import contained_dates
from datahub_assets.stores.landing import LandingFile


@dataclass(frozen=True)
class Arrival:
    """A complete file that a feed takes."""

    dataset: str
    file: LandingFile
    identity: FileIdentity

    @property
    def order(self) -> tuple[object, ...]:
        """Files are received by the provider's sequence where there is one, else as they came."""
        return (
            self.file.modified_at,
            self.identity.business_date or date.min,
            self.identity.sequence or 0,
            self.file.name,
        )


@dataclass(frozen=True)
class Refused:
    """A file that no feed can take."""

    file: LandingFile
    reason: str
    expected: str
    dataset: str | None = None
    got: str | None = None


@dataclass(frozen=True)
class Look:
    """What one look into landing found."""

    ready: tuple[Arrival, ...]
    waiting: tuple[LandingFile, ...]
    refused: tuple[Refused, ...]
    unreachable: tuple[StoreUnavailable, ...] = ()
    """Why places where files land could not be looked into."""


@dataclass(frozen=True)
class Received:
    """What became of one file."""

    dataset: str | None
    name: str
    outcome: str
    """``received``, ``repeated`` (equal to the latest delivery of its date), ``set aside``, ``waiting`` (it was still being
    written) or ``gone`` (another process took it)."""
    delivery: Delivery | None = None
    reason: str = ""


def look(hub: Hub, dataset: str | None = None) -> Look:
    """What is in landing: complete files of feeds in order of arrival, files to wait for, files to refuse.

    Nothing is changed. With ``dataset`` only files of its feed are looked at.
    """
    feeds = _feeds(hub)
    unreachable: list[StoreUnavailable] = []
    files = list(hub.landing.files(unreachable=unreachable.append))
    if len(unreachable) > len(hub.landing.also):  # there is nothing else to look into
        raise unreachable[0]
    names = {(file.provider, file.name) for file in files}
    found = [_classify(hub, file, feeds.get(file.provider, ()), names) for file in files]
    found = [
        each for each in found if each is not None and (dataset is None or getattr(each, "dataset", None) == dataset)
    ]
    arrivals = [each for each in found if isinstance(each, Arrival)]
    ambiguous = {} if hub.settings.history else _ambiguous(arrivals)
    refused = [each for each in found if isinstance(each, Refused)]
    refused += [
        Refused(a.file, why, "one file a date at a time, or {sequence} in the pattern", a.dataset, a.file.name)
        for a, why in ambiguous.items()
    ]
    ready = sorted((a for a in arrivals if a not in ambiguous), key=lambda a: a.order)
    waiting = tuple(each for each in found if isinstance(each, LandingFile))
    return Look(tuple(ready), waiting, tuple(refused), tuple(unreachable))


def receive(hub: Hub, arrival: Arrival) -> Received:
    """The file is a delivery of its feed (or recognised as a repetition), durably, and out of landing.

    Raises:
        StoreUnavailable: a store does not answer; the file is still in landing.
    """
    declared = hub.catalogue.structured_dataset(arrival.dataset)
    try:
        facts = hub.vault.keep(arrival.dataset, arrival.file.chunks())
    except FileNotFoundError:
        return Received(arrival.dataset, arrival.file.name, GONE, reason="another process took it")
    if not arrival.file.unchanged():
        return Received(arrival.dataset, arrival.file.name, "waiting", reason="the file changed while it was read")
    delivery = Delivery(
        feed=arrival.dataset, name=arrival.file.name, sha256=facts.sha256, size=facts.size,
        arrived_at=arrival.file.modified_at, business_dates=(), file_date=arrival.identity.business_date,
        sequence=arrival.identity.sequence,
    )  # fmt: skip
    try:
        dates = _spoken_dates(hub, declared, delivery)
    except DeliveryMalformed as error:
        return set_aside(
            hub, Refused(arrival.file, error.what, error.expected or "a file that can be read", arrival.dataset), error
        )
    position = hub.log.last()
    images = _of_the_same_image(hub, delivery, dates, position)
    if delivery.sha256 in {image.sha256 for image in images}:
        unfinished = next(
            (d for d in hub.log.deliveries(delivery.feed, position) if _is_unfinished(hub, d, delivery)), None
        )
        if unfinished:
            return _finish(hub, arrival.file, unfinished)
        if not arrival.file.unchanged():  # it was received and archived meanwhile: no repetition
            return Received(arrival.dataset, arrival.file.name, GONE, reason="another process took it")
    draft = replace(hub.draft(f"received {delivery.name}"), received=(following(delivery, dates, images),))
    try:
        entry = hub.append(draft, position)
    except StoreConflict:
        return receive(hub, arrival)  # another delivery of the feed came in between: look again what this one follows
    return _finish(hub, arrival.file, entry.received[0])


def receive_frame(hub: Hub, dataset: str, day: date, name: str, content: bytes) -> Delivery:
    """Rows that a program hands over as a day's image are a delivery, the day's latest: Parquet of the contract's columns.

    Raises:
        StoreUnavailable: a store does not answer.
    """
    facts = hub.vault.keep(dataset, [content])
    while True:
        position = hub.log.last()
        delivery = Delivery(
            feed=dataset, name=name, sha256=facts.sha256, size=facts.size, arrived_at=hub.clock(), business_dates=(),
            file_date=day, is_frame=True,
        )  # fmt: skip
        images = _of_the_same_image(hub, delivery, {day}, position)
        delivery = replace(delivery, sequence=images[-1].sequence if images else None)
        draft = replace(hub.draft(f"received {name}"), received=(following(delivery, {day}, images),))
        with suppress(StoreConflict):  # another delivery of the feed came in between: look again what this one follows
            return hub.append(draft, position).received[0]


def following(delivery: Delivery, dates: set[date], images: Sequence[Delivery]) -> Delivery:
    """The delivery with the dates that it speaks of, and with what follows from the earlier ones of its image."""
    latest = images[-1] if images else None
    before = {*latest.business_dates, *latest.also_touches} if latest else set()
    same = latest is not None and (latest.sha256, latest.is_frame) == (delivery.sha256, delivery.is_frame)
    return replace(
        delivery, business_dates=tuple(sorted(dates)), also_touches=tuple(sorted(before - dates)),
        repeats=latest.receipt if latest and same else None,
    )  # fmt: skip


def set_aside(hub: Hub, refused: Refused, error: DatahubError | None = None) -> Received:
    """The file is kept in the vault with the reason beside it, and out of landing."""
    error = error or DeliveryMalformed(
        refused.reason, where=f"{refused.file.provider}/{refused.file.name}", got=refused.got, expected=refused.expected
    )
    reason = {**error.facts(), "feed": refused.dataset or "", "at": hub.clock().isoformat()}
    try:
        kept = hub.vault.set_aside(refused.file.provider, refused.file.name, refused.file.chunks(), reason)
    except FileNotFoundError:
        return Received(refused.dataset, refused.file.name, GONE, reason="another process took it")
    hub.landing.archive(refused.file, f"set-aside-{kept.sha256[:12]}")
    return Received(refused.dataset, refused.file.name, "set aside", reason=str(error))


def receive_all(hub: Hub, dataset: str | None = None) -> list[Received]:
    """Everything that is complete in landing is received or set aside, in order of arrival."""
    seen = look(hub, dataset)
    return [set_aside(hub, refused) for refused in seen.refused] + [receive(hub, arrival) for arrival in seen.ready]


def expected_file(hub: Hub, dataset: str, day: date) -> str:
    """Where the file of a business date is expected, for people."""
    feed = hub.catalogue.structured_dataset(dataset).feed
    return str(hub.settings.landing / feed.provider / FilenamePattern.parse(feed.pattern).example(day))


def _feeds(hub: Hub) -> dict[str, list[tuple[StructuredDataset, FilenamePattern]]]:
    feeds: dict[str, list[tuple[StructuredDataset, FilenamePattern]]] = defaultdict(list)
    for declared in hub.catalogue.structured.values():
        feeds[declared.feed.provider].append((declared, FilenamePattern.parse(declared.feed.pattern)))
    return feeds


def _classify(
    hub: Hub, file: LandingFile, feeds: Iterable[tuple[StructuredDataset, FilenamePattern]], names: set[tuple[str, str]]
) -> Arrival | Refused | LandingFile | None:
    feeds = list(feeds)
    if any(_is_control_file(file, declared, names) for declared, _ in feeds):
        return None
    matches = [(declared, identity) for declared, pattern in feeds if (identity := pattern.match(file.name))]
    if not matches:
        patterns = ", ".join(pattern.text for _, pattern in feeds) or "a feed declared for this provider"
        refused = Refused(file, "no feed takes a file of this name", patterns, got=file.name)
        return refused if file.still_seconds >= _STILL else file
    declared, identity = matches[0]
    if not _is_complete(file, declared, names):
        return file
    return _refusal(hub, declared, file, identity) or Arrival(declared.dataset, file, identity)


def _is_control_file(file: LandingFile, declared: StructuredDataset, names: set[tuple[str, str]]) -> bool:
    suffix = declared.feed.complete.control_file
    return bool(suffix) and file.name.endswith(str(suffix))


def _is_complete(file: LandingFile, declared: StructuredDataset, names: set[tuple[str, str]]) -> bool:
    complete = declared.feed.complete
    if complete.control_file:
        return (file.provider, file.name + complete.control_file) in names
    return file.still_seconds >= complete.still_seconds


def _refusal(hub: Hub, declared: StructuredDataset, file: LandingFile, identity: FileIdentity) -> Refused | None:
    if file.size == 0:
        return Refused(file, "the file is empty", "a file with records", declared.dataset, "0 bytes")
    day = identity.business_date
    if day is None:
        return None
    if day > hub.today() and not hub.settings.history:
        what = f"its business date {day} is in the future"
        return Refused(file, what, f"at most {hub.today()}", declared.dataset, str(day))
    if not hub.is_business_date(declared.dataset, day):
        calendar, start = declared.partitions.calendar, declared.partitions.start
        return Refused(
            file,
            f"{day} is not a business date of the dataset",
            f"a day of {calendar} from {start} on",
            declared.dataset,
            str(day),
        )
    return None


def _ambiguous(arrivals: list[Arrival]) -> dict[Arrival, str]:
    groups: dict[tuple[str, date | None], list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        if arrival.identity.sequence is None and arrival.identity.business_date:
            groups[arrival.dataset, arrival.identity.business_date].append(arrival)
    return {
        arrival: f"two files for {arrival.identity.business_date}, and nothing says which is the later: "
        + " and ".join(each.file.name for each in group)
        for group in groups.values() if len(group) > 1 for arrival in group
    }  # fmt: skip


def _spoken_dates(hub: Hub, declared: StructuredDataset, delivery: Delivery) -> set[date]:
    """Days that the file's name and its rows tell; of a file of intervals whose name tells none the day it came, or the
    business date before.

    Raises:
        DeliveryMalformed: it cannot be read, or speaks of no business date of the dataset.
    """
    plan = parse_plan(declared, hub.contract(declared.dataset), delivery.file_date)
    with telling(delivery), hub.vault.open(delivery) as stream:
        check_archive(stream, plan.archive)
        contained = contained_dates(stream, plan)
    dates = {day for day in contained if hub.is_business_date(declared.dataset, day)}
    dates |= {delivery.file_date} if delivery.file_date else set()
    if not dates and declared.feed.mode == "intervals":
        came, calendar = (
            delivery.arrived_at.astimezone(ZoneInfo(hub.settings.timezone)).date(),
            declared.partitions.calendar,
        )
        dates = {came if hub.is_business_date(declared.dataset, came) else previous_business_day(calendar, came)}
    if not dates:
        told = ", ".join(str(day) for day in sorted(contained)[:5]) or "no date that can be read"
        raise DeliveryMalformed(
            "No business date", where=f"{declared.dataset}, {delivery.name}", got=f"rows of {told}",
            expected=f"days of {declared.partitions.calendar} from {declared.partitions.start} on",
            remedy="Ask for a corrected file, or correct the declared calendar",
        )  # fmt: skip
    return dates


def _of_the_same_image(hub: Hub, delivery: Delivery, dates: set[date], position: int) -> list[Delivery]:
    """The deliveries of the same file date, or else of the first date contained, in the order of deliveries."""
    day = delivery.file_date or min(dates, default=None)
    if day is None:
        return []
    found = hub.log.deliveries(delivery.feed, position, day)
    return sorted((d for d in found if d.file_date == delivery.file_date), key=delivery_order)


def _is_unfinished(hub: Hub, received: Delivery, delivery: Delivery) -> bool:
    """Whether a delivery of the log is this very file, which a run that died left in landing."""
    told = (received.name, received.arrived_at, received.sha256) == (
        delivery.name,
        delivery.arrived_at,
        delivery.sha256,
    )
    provider = hub.catalogue.structured_dataset(delivery.feed).feed.provider
    return told and not hub.landing.archived(provider, received.name, _receipt_name(received))


def _finish(hub: Hub, file: LandingFile, delivery: Delivery) -> Received:
    hub.vault.write_receipts(hub.log.entry(delivery.receipt[0]))
    hub.landing.archive(file, _receipt_name(delivery))
    control = hub.catalogue.structured_dataset(delivery.feed).feed.complete.control_file
    if control:
        hub.landing.remove_beside(file, control)
    return Received(delivery.feed, delivery.name, "repeated" if delivery.repeats else "received", delivery)


def _receipt_name(delivery: Delivery) -> str:
    return f"{delivery.receipt[0]:09d}-{delivery.receipt[1]}"


_STILL = 2.0
GONE = "gone"
