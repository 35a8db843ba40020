"""How a file that is wholly there, under a name of its own, gets the name that it is published under: once, for good.

Servers differ: one refuses to rename onto a name that exists, another replaces what is there, and both say so in their own
way (docs/mapr.md has the table). So nothing here rests on a rename that refuses, on locks, on exclusive creation or on links.
It rests on what all of them do: a listing shows what is there, and a rename whose source is gone fails.

Each publisher gives its file a name in a folder that belongs to the target's name: its *claim*, which tells its SHA-256. Then,
in this order: it lists the claims; it takes every claim of other bytes away (by renaming it: a *fenced* claim); it looks whether
the target is there; it renames its own claim to the target. Of two publishers of other bytes, one made its claim before the
other listed. That other one took it away before it looked for the target: either the first can no longer rename, or it already
had and the target was there to be seen. So a target is never replaced by other bytes. A publisher whose claim was fenced looks
again and, if there is still no target, claims anew after a random pause. One that died has left a file that nobody waits for.
"""

import hashlib
import random
import time
from collections.abc import Sequence
from typing import Protocol

from datahub_assets.errors import StoreConflict, StoreRefused

TEMPORARY = ".tmp-"
"""Begins the names of temporary files and of folders of claims."""
_FENCED = "fenced-"
_ATTEMPTS = 12
_PAUSE_SECONDS = 0.01


class Names(Protocol):
    """What publishing asks of a filesystem."""

    def names(self, folder: str) -> Sequence[str]:
        """Names in a folder; none when it is not there."""
        ...

    def is_there(self, path: str) -> bool:
        """Whether a file or folder is there."""
        ...

    def move(self, source: str, target: str) -> bool:
        """The file has its other name. False: it has not, or it was done and the answer got lost."""
        ...

    def sha256(self, path: str) -> str:
        """Of a published file's bytes, in hex; ``a folder`` for a folder. Raises FileNotFoundError."""
        ...


def is_temporary(name: str) -> bool:
    """Whether a file or folder of this name is not published: an upload, or claims to a name."""
    return name.startswith(TEMPORARY)


def claims_folder(target: str) -> str:
    """The folder of the claims to a name, and of uploads for it: beside the target, so that a rename stays within one volume."""
    folder, _, name = target.rpartition("/")
    tag = f"{TEMPORARY}{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return f"{folder}/{tag}" if folder else tag


def settle(names: Names, source: str, target: str, digest: str, publisher: str) -> None:
    """The file has its target's name, or a file of the same bytes had it already.

    Args:
        names: of the filesystem.
        source: where the file is, whole: in ``claims_folder(target)``, under a name that begins with ``TEMPORARY``.
        target: the name to publish it under.
        digest: SHA-256 of its bytes, in hex.
        publisher: who publishes it, unique; part of the names of what it claims by.

    Raises:
        StoreConflict: the name is taken by other bytes, or others keep on claiming it.
        StoreRefused: the filesystem does not rename the file.
    """
    for attempt in range(_ATTEMPTS):
        claim = f"{claims_folder(target)}/{digest}-{publisher}-{attempt}"
        if not names.move(source, claim) and not names.is_there(claim):
            raise StoreRefused("The filesystem refuses to rename", where=source, expected=claim)
        _fence(names, claim, digest)
        if names.is_there(target):
            return require_same(names, target, digest)
        if names.move(claim, target):
            return None
        if names.is_there(target):
            return require_same(names, target, digest)
        source = _fenced(claim)
        if not names.is_there(source):
            raise StoreRefused("The filesystem refuses to rename", where=claim, expected=target)
        time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))
    raise StoreConflict(
        "Others are publishing other bytes under this name", where=target, expected="one publisher of a name",
        remedy="Published files never change: look for a second writer of this name",
    )  # fmt: skip


def require_same(names: Names, target: str, digest: str) -> None:
    """The published file has these bytes.

    Raises:
        StoreConflict: it has others.
    """
    there = names.sha256(target)
    if there != digest:
        raise StoreConflict(
            "Published name is taken by other bytes", where=target, got=digest, expected=there,
            remedy="Published files never change: look for a second writer of this name",
        )  # fmt: skip


def _fence(names: Names, claim: str, digest: str) -> None:
    folder = claim.rpartition("/")[0]
    for name in names.names(folder):
        is_claim = not name.startswith((_FENCED, TEMPORARY))
        if is_claim and not name.startswith(f"{digest}-"):
            other = f"{folder}/{name}"
            if not names.move(other, _fenced(other)) and names.is_there(other):
                raise StoreRefused("The filesystem refuses to rename", where=other, expected=_fenced(other))


def _fenced(claim: str) -> str:
    folder, _, name = claim.rpartition("/")
    return f"{folder}/{_FENCED}{name}"
