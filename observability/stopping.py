"""Being told to stop, and waiting that ends when it happens."""

from __future__ import annotations

import random
import signal
import time
from typing import Any, NoReturn

from observability.errors import Transient


class Stopped(KeyboardInterrupt):
    """A signal ends the run; `left` says what it leaves behind, if that is known."""

    def __init__(self, by: signal.Signals, left: str = "") -> None:
        super().__init__(by.name)
        self.by, self.left = by, left


def interrupt(number: int, _frame: object) -> NoReturn:
    """A handler of SIGTERM, as cron, systemd and Kubernetes send it, that ends all at once."""
    raise Stopped(signal.Signals(number))


class Stop:
    """The signal that asks the process to stop, if any: no more files are begun.

    It is no Event: a handler that takes a lock may wait for the very thread that it interrupts.
    """

    by: signal.Signals | None = None

    def ask(self, number: int, _frame: object) -> None:
        """The handler of SIGTERM and SIGINT."""
        self.by = signal.Signals(number)


STOP = Stop()


def lambda_deadline(context: Any, reserve: float) -> float:
    """When to make no new call in AWS Lambda, on time.monotonic()'s clock.

    That is `reserve` seconds before Lambda's own limit, or half of what is left if that is more.
    """
    left: float = context.get_remaining_time_in_millis() / 1000
    return time.monotonic() + max(left - reserve, left / 2)


def wait(seconds: float) -> None:
    """Sleep, unless the process is asked to stop: then raise Transient."""
    until = time.monotonic() + seconds
    while not STOP.by and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
    if STOP.by:
        raise Transient("stopped while waiting")


def backoff(attempt: int) -> float:
    """Seconds before try `attempt`: 1, 2, 4, 8, 8 … with jitter, so that receivers spread."""
    return min(8.0, 2.0**attempt) * random.uniform(0.7, 1.3)
