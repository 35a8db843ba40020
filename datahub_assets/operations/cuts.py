"""Cuts: names for positions. A cut is an entry of the log, and a name stays with the position it was first given."""

import re
from dataclasses import replace
from datetime import datetime

from datahub_assets.errors import DeclarationError, QueryError, StoreConflict
from datahub_assets.history.log import Cut
from datahub_assets.operations.hub import Hub

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def create_cut(hub: Hub, name: str, position: int | None = None, note: str = "") -> tuple[Cut, bool]:
    """The name means a position, for good.

    Args:
        name: not something that reads as a day, an instant or a number.
        position: None: the newest, or whatever the name means already.

    Returns:
        The cut, and whether it is new.

    Raises:
        DeclarationError: a name that cannot be told from a known time.
        QueryError: no such position; versions it needs are no longer kept; the name means another position.
    """
    _require_name(name)
    last = hub.log.last()
    standing = hub.log.cuts().get(name)
    if standing:
        if position not in (None, standing.position):
            raise QueryError(
                "The cut has another position",
                where=name,
                got=str(position),
                expected=str(standing.position),
                remedy="Choose another name",
            )
        return standing, False
    wanted = last if position is None else position
    if not 0 <= wanted <= last:
        raise QueryError(
            "No such position", got=str(wanted), expected=f"0 to {last}" if last >= 0 else "a log with entries"
        )
    _require_kept(hub, wanted, last)
    cut = Cut(name, wanted, note)
    try:
        hub.append(replace(hub.draft(f"cut {name} at {wanted}"), cut=cut), last)
    except StoreConflict:  # another made it meanwhile: its position counts
        return create_cut(hub, name, position, note)
    return cut, True


def _require_name(name: str) -> None:
    reads_as = _reads_as(name)
    if reads_as or not _NAME.fullmatch(name):
        raise DeclarationError(
            "Impossible name of a cut", got=repr(name) + (f", which reads as {reads_as}" if reads_as else ""),
            expected="letters, digits, '.', '_' and '-', at most 100, e.g. 2024-01-31-eod",
        )  # fmt: skip


def _reads_as(name: str) -> str | None:
    if re.fullmatch(r"#?\d+", name):
        return "a position"
    try:
        datetime.fromisoformat(name)
    except ValueError:
        return None
    return "a day or an instant"


def _require_kept(hub: Hub, position: int, last: int) -> None:
    cuts = {cut.position for cut in hub.log.cuts().values()}
    gone = [name for name in hub.catalogue.datasets if hub.log.retained_from(name, last) > position]
    if gone and position not in cuts:
        raise QueryError(
            "Versions no longer kept", where=", ".join(gone), got=f"position {position}",
            expected=f"at least {max(hub.log.retained_from(name, last) for name in gone)}",
        )  # fmt: skip
