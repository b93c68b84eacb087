"""Limits on calls: time, number at once, and who counts them."""

from __future__ import annotations

import contextlib
import contextvars
import math
import threading
import time
from collections import Counter
from collections.abc import Iterator

from observability.aws.errors import DeadlineExceeded


class CallCounter:
    """How often each operation was called, as `service:Operation`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        """Count a call."""
        with self._lock:
            self.counts[name] += 1


CALLS: contextvars.ContextVar[CallCounter | None] = contextvars.ContextVar("calls", default=None)
"""What AWS calls of this thread are counted in."""
NO_LATER: contextvars.ContextVar[float] = contextvars.ContextVar("no_later", default=math.inf)
"""When what others wait for has to be read, on the monotonic clock."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let AWS calls of the block be made for so long only, as others wait for it."""
    until = NO_LATER.set(min(NO_LATER.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        NO_LATER.reset(until)


class RegionSlots:
    """How many regions are read at once, over all accounts of a run.

    Accounts that are not over share them evenly, each has at least one, and no more accounts than
    `at_once` are read at once. So none waits for another one's regions, however slow they are, and
    the last ones get what the others had. What does not divide goes to who asks first, one each.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once, self.accounts = at_once, 1
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    def acquire(self, account: str, deadline: float) -> None:
        """Wait until the account may read one more region; DeadlineExceeded without time left."""
        with self._changed:
            left = deadline - time.monotonic()
            free = self._changed.wait_for(lambda: self._is_free(account), left)
            if not free or deadline <= time.monotonic():
                raise DeadlineExceeded("its time is used up; the next run reads this region")
            self._taken[account] += 1

    def release(self, account: str) -> None:
        """The account has read a region."""
        with self._changed:
            self._taken -= Counter([account])
            self._changed.notify_all()

    def leave(self) -> None:
        """An account is over."""
        with self._changed:
            self.accounts -= 1
            self._changed.notify_all()

    def _is_free(self, account: str) -> bool:
        share, rest = divmod(self.at_once, max(1, min(self.at_once, self.accounts)))
        taken = self._taken[account]
        more = [count for count in self._taken.values() if count > share]
        return taken < share or (taken == share and len(more) < rest)


LONGEST_WAIT = 20.0
UPLOAD_RESERVE = 60.0
"""Seconds kept at the end of a run for calls under way to end and for the upload."""

GRACE = 2 * UPLOAD_RESERVE
"""Seconds after a run's time in which what it has collected may still be shipped."""

CONCURRENCY = {
    "account": 4, "ce": 3, "cloudtrail": 2, "cost-optimization-hub": 2, "organizations": 1,
    "resiliencehub": 4, "securityhub": 3, "support": 3, "wafv2": 1,
}  # fmt: skip
"""Calls of a service under way at once where AWS allows few a second; CALLS_AT_ONCE otherwise."""
CALLS_AT_ONCE = 10

UNREACHABLE_AFTER = 3
"""So many calls in a row without any answer, and a client does not ask its endpoint again."""
ASKED_AGAIN = ("s3", "sts")
"""But the caller asks these, as without them no later account is read or uploaded."""
