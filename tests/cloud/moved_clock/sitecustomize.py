"""Moves the clock of a Python process, if `tests.cloud.clock` has started it.

Python imports this module before anything else, so that all of the process, botocore and moto
included, takes its `datetime` from here.
"""

from __future__ import annotations

import datetime
import mmap
import os
import struct
import time
from typing import Any, Self

Real = datetime.datetime


class Meta(type):
    """Takes every datetime for one of `Moved`, whoever has made it."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, Real)


class Moved(Real, metaclass=Meta):
    """datetime.datetime, but for what it takes for now."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        """The moved clock's time."""
        return cls.fromtimestamp(time.time() + offset(), tz)

    @classmethod
    def utcnow(cls) -> Self:
        """The moved clock's time in UTC, without saying so."""
        return cls.now(datetime.UTC).replace(tzinfo=None)


def offset() -> float:
    """How many seconds the clock is ahead of the machine's."""
    return float(struct.unpack("d", shared[:8])[0])


if "EMBEDDED_CLOCK" in os.environ:
    file = os.open(os.environ["EMBEDDED_CLOCK"], os.O_RDONLY)
    shared = mmap.mmap(file, 8, access=mmap.ACCESS_READ)
    Moved.__name__, Moved.__qualname__, Moved.__module__ = "datetime", "datetime", "datetime"
    replaced: Any = datetime
    replaced.datetime = Moved
