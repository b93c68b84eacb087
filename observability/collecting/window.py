"""The days that a run is about."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from observability.dates import days, midnight
from observability.settings.sender import Settings


class Window(NamedTuple):
    """The days that a run is about, half open, and from when on it reads what.

    `reads` are the listings of findings: those updated since an instant, or (None) all that are
    open, however old, as in the first document of an account. A later document that reads all
    that are open reads what changed as well, or it would miss what was closed.
    `backfill` windows get one document per day, others one document altogether.
    """

    start: date
    end: date
    costs_from: date
    reads: tuple[datetime | None, ...]
    until: datetime
    backfill: bool = False

    @classmethod
    def of_yesterday(
        cls, now: datetime, settings: Settings, newest: date | None, *, full: bool = False
    ) -> Window:
        """Yesterday, re-reading `lookback` days of costs and changes, more if days were missed.

        `newest` is the last earlier day that has a document. Days missed before `catch_up` days
        ago are left to a backfill, but then everything that is open is read again. So it is if
        `full`, with all `catch_up` days: a document that is there may lack what failed on its day.
        """
        today = now.date()
        bound = today - timedelta(days=settings.catch_up)
        usual = today - timedelta(days=settings.lookback)
        missed_from = newest + timedelta(days=1) if newest else usual
        costs_from = bound if full and newest else max(bound, min(usual, missed_from))
        known = newest is not None and missed_from >= bound and not full
        changed = (midnight(costs_from),) if newest else ()
        reads = changed if known else (None, *changed)
        return cls(today - timedelta(days=1), today, costs_from, reads, now)

    @classmethod
    def of_backfill(cls, first: date, last: date) -> Window:
        """The days from first to last, both included."""
        end = last + timedelta(days=1)
        until = midnight(end) - timedelta(milliseconds=1)
        return cls(first, end, first, (midnight(first),), until, backfill=True)

    @property
    def since(self) -> datetime | None:
        """From when on changes are read; None where everything that is open is."""
        return self.reads[0]

    def repeats(self, read: datetime | None, updated: str | None) -> bool:
        """Whether a finding in the listing `read`, updated at that instant, is in the other too."""
        other = self.reads[-1]
        return read is None and other is not None and (updated or "") >= other.isoformat()

    def documents(self) -> list[tuple[date, date]]:
        """The period [start, end) of each document."""
        if not self.backfill:
            return [(self.start, self.end)]
        return [(day, day + timedelta(days=1)) for day in days(self.start, self.end)]
