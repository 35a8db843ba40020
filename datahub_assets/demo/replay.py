"""The demo's story, file by file: which have been delivered already, and which can be dropped into landing together.

A file that is delivered again has the name of the first delivery, so the story is dropped in waves: a wave ends where a
name would come a second time. Each file's modification time is the time it arrived at, which ``settings.history`` makes
the time that the hub knows it from.
"""

import os
from collections.abc import Iterable, Iterator

from datahub_assets.demo.feeds import ProviderFile
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.receive import look


def waves(files: Iterable[ProviderFile]) -> Iterator[list[ProviderFile]]:
    """The files in order of arrival, cut where a name would come a second time.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2013, 1, 1, tzinfo=UTC)
    >>> [[file.name for file in wave] for wave in waves(ProviderFile("p", name, b"", at) for name in "abac")]
    [['a', 'b'], ['a', 'c']]
    """
    wave: list[ProviderFile] = []
    for file in files:
        if (file.provider, file.name) in {(each.provider, each.name) for each in wave}:
            yield wave
            wave = []
        wave.append(file)
    if wave:
        yield wave


def undelivered(hub: Hub, files: Iterable[ProviderFile]) -> list[ProviderFile]:
    """The files that the hub has neither received nor set aside, in order of arrival."""
    position = hub.log.last()
    received = {(d.name, d.arrived_at) for name in hub.catalogue.structured for d in hub.log.deliveries(name, position)}
    aside = {one["name"] for one in hub.vault.list_set_aside()}
    return [file for file in files if (file.name, file.arrives_at) not in received and file.name not in aside]


def drop(hub: Hub, files: Iterable[ProviderFile]) -> None:
    """The files are in their landing folders, whole, with the times at which they arrived."""
    for file in files:
        folder = hub.settings.landing / file.provider
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{file.name}.part"
        temporary.write_bytes(file.content)
        instant = file.arrives_at.timestamp()
        os.utime(temporary, (instant, instant))
        temporary.rename(folder / file.name)


def is_taken(hub: Hub) -> bool:
    """Whether landing is empty: what is still there would be lost under the next wave's file of the same name."""
    seen = look(hub)
    return not (seen.ready or seen.waiting or seen.refused)
