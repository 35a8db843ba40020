"""Wrong passwords: after some, a user is not listened to for a while, so that nobody can try them all.

Counted by user and address: a guesser elsewhere locks nobody out. In the memory of one process; ``limits`` does the counting.
"""

from datahub_assets.errors import DeclarationError
from datahub_assets.serving.refusals import TooManyAttempts


class Attempts:
    """Who was wrong how often in the last minute. For threads."""

    def __init__(self, a_minute: int) -> None:
        """So many wrong passwords a minute are borne.

        Raises:
            DeclarationError: the extra "serve" is not installed.
        """
        try:
            from limits import RateLimitItemPerMinute
            from limits.storage import MemoryStorage
            from limits.strategies import MovingWindowRateLimiter
        except ImportError as error:
            remedy = "Install datahub-assets[serve]"
            raise DeclarationError("Signing in needs packages", got=str(error), remedy=remedy) from error
        self._borne, self._counted = RateLimitItemPerMinute(a_minute), MovingWindowRateLimiter(MemoryStorage())

    def require(self, user: str, address: str) -> None:
        """The user may try from there.

        Raises:
            TooManyAttempts: not now, with whatever password.
        """
        if not self._counted.test(self._borne, user, address):
            raise TooManyAttempts(
                "Too many wrong passwords", where=user, got=f"{self._borne.amount} in a minute", remedy="Wait a minute"
            )

    def failed(self, user: str, address: str) -> None:
        """The password was wrong."""
        self._counted.hit(self._borne, user, address)
