"""What can go wrong between a client and the hub: what the hub refused, a hub that is not there, half an answer."""

from collections.abc import Mapping
from typing import Any

from datahub_assets.errors import QueryError, StoreUnavailable


class Refused(QueryError):
    """The hub did not answer the request; ``problem`` is what it said (RFC 9457), ``status`` the status of its answer."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        """The hub's own words."""
        self.status, self.problem = status, dict(problem)
        self.turn = str(problem.get("turn") or QueryError.turn)  # type: ignore[misc]
        self.retry_helps = bool(problem.get("retry_helps"))  # type: ignore[misc]
        super().__init__(
            str(problem.get("what") or problem.get("title") or f"HTTP status {status}"), where=problem.get("where"),
            got=problem.get("got"), expected=problem.get("expected"), remedy=problem.get("remedy"),
            problems=str(problem.get("problems") or "").splitlines(),
        )  # fmt: skip

    def __reduce__(self) -> tuple[object, ...]:
        return (Refused, (self.status, self.problem))


class Unreachable(StoreUnavailable):
    """The hub does not answer."""


class Interrupted(StoreUnavailable):
    """An answer ended before its end: the hub stopped it, or the connection broke. Nothing of it is to be used."""
