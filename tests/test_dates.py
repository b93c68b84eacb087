"""Instants and days."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.dates import day_of, to_iso
from observability.dates import zulu as sender_zulu

FIRST, LAST = datetime(2019, 1, 1), datetime(2032, 12, 31)  # noqa: DTZ001  hypothesis adds zones


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-02-29T23:59:59.123Z", "2024-02-29T23:59:59.123000+00:00"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59+00:00"),
        ("2024-03-01T01:59:59+02:00", "2024-02-29T23:59:59+00:00"),
        ("2024-02-29T23:59:59", "2024-02-29T23:59:59+00:00"),
        (datetime(2024, 12, 31, 23, 0, tzinfo=timezone(-timedelta(hours=2))),
         "2025-01-01T01:00:00+00:00"),
        (datetime(2024, 2, 29), "2024-02-29T00:00:00+00:00"),  # noqa: DTZ001  as some AWS times
        ("", None),
        ("yesterday", None),
        ("2024-02-30T00:00:00Z", None),
        (None, None),
    ],
)  # fmt: skip
def test_instants_are_told_in_utc_whatever_form_aws_sends(
    value: datetime | str | None, expected: str | None
) -> None:
    assert to_iso(value) == expected
    assert day_of(expected) == (date.fromisoformat(expected[:10]) if expected else None)


offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@given(st.datetimes(timezones=offsets, min_value=FIRST, max_value=LAST))
def test_an_instant_stays_the_same_instant(moment: datetime) -> None:
    told = to_iso(moment)
    assert told
    assert datetime.fromisoformat(told) == moment
    assert told.endswith("+00:00")
    zulu = sender_zulu(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", zulu)
    assert abs(datetime.fromisoformat(zulu) - moment) < timedelta(milliseconds=1)
