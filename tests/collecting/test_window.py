"""What a run reads: the days of a window."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.collecting.window import Window
from observability.dates import midnight
from observability.settings.sender import Settings

DAY = timedelta(days=1)
REGION = "eu-west-1"
SETTINGS = Settings(region=REGION, regions=(REGION,))
FIRST, LAST = datetime(2019, 1, 1), datetime(2032, 12, 31)  # noqa: DTZ001  hypothesis adds zones
days = st.dates(FIRST.date(), LAST.date())


instants = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("now", "newest", "costs_from", "since"),
    [
        # the first document: everything that is open
        ("2024-03-01T00:00:00", None, "2024-02-27", None),
        # nothing missed: leap day, month and year ends
        ("2024-03-01T00:00:01", "2024-02-28", "2024-02-27", "2024-02-27"),
        ("2024-03-02T23:59:59", "2024-02-29", "2024-02-28", "2024-02-28"),
        ("2023-03-01T04:00:00", "2023-02-27", "2023-02-26", "2023-02-26"),
        ("2025-01-01T00:30:00", "2024-12-30", "2024-12-29", "2024-12-29"),
        # a run that is repeated on the same day
        ("2024-05-10T12:00:00", "2024-05-09", "2024-05-07", "2024-05-07"),
        # five days missed, over the end of February
        ("2024-03-03T04:00:00", "2024-02-25", "2024-02-26", "2024-02-26"),
        # the last day that can be caught up with, and the one after it
        ("2024-03-31T04:00:00", "2024-02-29", "2024-03-01", "2024-03-01"),
        ("2024-03-31T04:00:00", "2024-02-28", "2024-03-01", None),
        ("2024-03-31T04:00:00", "2023-03-31", "2024-03-01", None),
    ],
)
def test_what_a_daily_run_reads(
    now: str, newest: str | None, costs_from: str, since: str | None
) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    window = Window.of_yesterday(moment, SETTINGS, date.fromisoformat(newest) if newest else None)
    assert window.end == moment.date()
    assert window.documents() == [(moment.date() - DAY, moment.date())]
    assert str(window.costs_from) == costs_from
    changed = midnight(window.costs_from)
    everything = (None,) if newest is None else (None, changed)
    assert window.reads == ((changed,) if since else everything)
    assert since is None or str(changed.date()) == since
    assert window.until == moment


@given(instants, st.none() | st.integers(1, 500), st.integers(1, 10), st.integers(10, 60))
def test_no_missed_day_is_left_out_within_the_bound(
    now: datetime, days_ago: int | None, lookback: int, catch_up: int
) -> None:
    settings = Settings(REGION, (REGION,), lookback=lookback, catch_up=catch_up)
    today = now.date()
    newest = today - timedelta(days=days_ago) if days_ago else None
    window = Window.of_yesterday(now, settings, newest)
    assert (window.start, window.end) == (today - DAY, today)
    assert today - timedelta(days=catch_up) <= window.costs_from
    assert window.costs_from <= today - timedelta(days=lookback)
    if newest and newest + DAY >= today - timedelta(days=catch_up):
        assert window.costs_from <= newest + DAY
        assert window.since == midnight(window.costs_from)
    else:
        assert window.since is None


@given(days, st.integers(0, 800))
def test_past_days_are_read_each_once(first: date, count: int) -> None:
    window = Window.of_backfill(first, first + timedelta(days=count))
    periods = window.documents()
    assert [start for start, _ in periods] == [first + timedelta(days=n) for n in range(count + 1)]
    assert all(end == start + DAY for start, end in periods)
    assert window.since == midnight(first)
    assert window.until < midnight(first + timedelta(days=count + 1))
    assert window.until > midnight(first + timedelta(days=count + 1)) - timedelta(seconds=1)


def test_a_past_day_has_24_hours_though_clocks_change() -> None:
    window = Window.of_backfill(date(2026, 3, 28), date(2026, 3, 30))
    starts = [midnight(start) for start, _ in window.documents()]
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == [DAY, DAY]
