"""How long to go on with what failed and can be done again, and how long to wait in between."""

import random
import time
from collections.abc import Callable

from datahub_assets.errors import StoreUnavailable
from datahub_assets.stores.tables.hbase_gateways import GatewaysUnreachable

FIRST_WAIT, LONGEST_WAIT = 0.05, 5.0


class Patience:
    """Of one piece of work: lost when there has been no success for so many seconds."""

    def __init__(self, seconds: float, reached: Callable[[], bool]) -> None:
        """Patience for so many seconds; ``reached`` tells whether a gateway has ever taken a connection."""
        self._seconds, self._reached = seconds, reached
        self._since: float | None = None
        self._wait = FIRST_WAIT

    def succeeded(self) -> None:
        """Some of the work is done: patience is as at the beginning."""
        self._since, self._wait = None, FIRST_WAIT

    def failed(self, error: StoreUnavailable) -> None:
        """Waits, longer each time, by chance up to half as long: many writers must not come back all at once.

        Raises:
            StoreUnavailable: the error, when patience is lost, or at once when no gateway has ever been reached: that is
                a wrong setting more often than an outage.
        """
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        hopeless = isinstance(error, GatewaysUnreachable) and not self._reached()
        if hopeless or now + self._wait - self._since > self._seconds:
            raise error
        time.sleep(self._wait * random.uniform(0.5, 1))
        self._wait = min(2 * self._wait, LONGEST_WAIT)
