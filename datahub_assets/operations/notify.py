"""Notifications: what is late, failed, rejected or in conflict, by webhook and e-mail, each with a link.

A receiver that does not answer is told three times and then left: a notification never fails the work it is about.
"""

import json
import logging
import smtplib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from functools import partial

from tenacity import retry, stop_after_attempt, wait_exponential

from datahub_assets.errors import StoreConflict
from datahub_assets.operations.expectations import Status
from datahub_assets.operations.follow import Step
from datahub_assets.operations.hub import Hub
from datahub_assets.settings import Notifications

TIMEOUT_SECONDS = 10
_LOG = logging.getLogger(__name__)


LATE, FAILED, REJECTED, CONFLICT, SET_ASIDE = "late", "failed", "rejected", "conflict", "set aside"
"""Kinds of notices."""


@dataclass(frozen=True)
class Notice:
    """One thing to tell, of one of the kinds above."""

    kind: str
    dataset: str
    title: str
    text: str
    link: str


def notify(hub: Hub, notices: Iterable[Notice]) -> int:
    """Each notice is sent to every receiver that is set; returns how many sendings failed.

    A receiver that does not take one is not tried with the others of the call: the work must not wait for it many times.
    """
    settings, failed = hub.settings.notifications, 0
    receivers: dict[str, Callable[[Notice], None]] = {}
    if settings.webhook_url:
        receivers["webhook"] = partial(_post, settings.webhook_url)
    if settings.email_to:
        receivers["e-mail"] = partial(_mail, settings)
    for notice in notices:
        for name, send in list(receivers.items()):
            try:
                send(notice)
            except OSError as error:  # those of requests and smtplib are such
                del receivers[name]
                _LOG.warning("notification not sent by %s, nor those after it: %s (%s)", name, notice.title, error)
        failed += bool(settings.webhook_url) + bool(settings.email_to) - len(receivers)
    return failed


def step_notices(hub: Hub, step: Step) -> list[Notice]:
    """What a step of catching up gives reason to tell."""
    name = step.dataset or "landing"
    if step.error:
        kind = CONFLICT if isinstance(step.error, StoreConflict) else FAILED
        return [Notice(kind, name, f"{name}: {step.error.what}", str(step.error), link_to(hub, name))]
    if step.received and step.received.outcome == "set aside":
        text = f"{step.received.name} was set aside: {step.received.reason}"
        return [Notice(SET_ASIDE, name, f"{step.received.name} set aside", text, link_to(hub, name))]
    return [
        Notice(
            REJECTED, name, f"{name} {change.partition or change.observed}: {change.rejected} rows rejected",
            f"{change.rejected} of {change.rows_read} rows rejected; see: datahub rejects show {change.rejects}",
            link_to(hub, name),
        )
        for change in (step.commit.changes if step.commit else ()) if change.rejected
    ]  # fmt: skip


def late_notice(hub: Hub, found: Status) -> Notice | None:
    """What to tell of a dataset whose newest expected business date is not there; None when it is."""
    if found.state not in ("late", "empty") or not found.expected_date:
        return None
    text = f"expected {found.expected_date}, last is {found.last_date}"
    return Notice(LATE, found.dataset, f"{found.dataset} is late", text, link_to(hub, found.dataset))


def link_to(hub: Hub, dataset: str) -> str:
    """The dataset's page in the Dagster UI."""
    if dataset not in hub.catalogue.datasets:
        return hub.settings.dagster_url
    layer = "structured" if dataset in hub.catalogue.structured else "published"
    return f"{hub.settings.dagster_url}/assets/{layer}/{dataset}"


@retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=0.5, max=5), reraise=True)
def _post(url: str, notice: Notice) -> None:
    import requests  # where nobody is told anything, it need not be there in every run

    answer = requests.post(
        url, data=json.dumps(asdict(notice)), headers={"Content-Type": "application/json"}, timeout=TIMEOUT_SECONDS
    )
    answer.raise_for_status()


@retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=0.5, max=5), reraise=True)
def _mail(settings: Notifications, notice: Notice) -> None:
    message = EmailMessage()
    message["From"], message["To"] = settings.email_from, ", ".join(settings.email_to)
    message["Subject"] = f"[datahub] {notice.title}"
    message.set_content(f"{notice.text}\n\n{notice.link}\n")
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_SECONDS) as server:
        server.send_message(message)
