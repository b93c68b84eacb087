"""Rows on disk, and the documents that they are for."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observability.collecting.spool import DocumentBuilders, SpooledRows, Store
from observability.collecting.window import Window

FIRST, LAST = datetime(2019, 1, 1), datetime(2032, 12, 31)  # noqa: DTZ001  hypothesis adds zones
days = st.dates(FIRST.date(), LAST.date())


# Text and rows


def store() -> Store:
    """Where rows are kept."""
    return Store()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)

rows_of_text = st.dictionaries(texts, values | st.lists(values) | st.dictionaries(texts, values))


@settings(max_examples=50)
@given(st.lists(rows_of_text, max_size=40))
def test_rows_come_back_from_disk_as_they_were(rows: list[dict[str, Any]]) -> None:
    held = store()
    spool = SpooledRows(held)
    for row in rows:
        spool.add(row)
    assert list(spool) == rows
    assert json.loads(b"[" + b"".join(spool.chunks()) + b"]") == rows
    assert spool.count == len(rows)
    held.close()


def test_more_rows_than_memory_should_hold_come_back_in_order() -> None:
    held = store()
    one, other = SpooledRows(held), SpooledRows(held)
    for number in range(5000):
        one.add({"n": number, "text": "größe,\n" * 5}, labels=("even",) if number % 2 == 0 else ())
        other.add({"m": number})
    assert [row["n"] for row in one] == list(range(5000))
    assert [row["m"] for row in other] == list(range(5000))
    assert one.tally["even"] == 2500
    held.close()


def test_numbers_that_json_has_not_are_refused_when_they_are_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        SpooledRows(store()).add({"value": float("nan")})


# Time


@given(days, st.integers(1, 40), st.none() | st.integers(-50, 90))
def test_what_happened_outside_of_the_window_goes_to_the_nearest_day(
    first: date, count: int, offset: int | None
) -> None:
    drafts = DocumentBuilders(Window.of_backfill(first, first + timedelta(days=count)), store())
    day = None if offset is None else first + timedelta(days=offset)
    found = drafts.of(day).start
    last = first + timedelta(days=count)
    assert found == (last if day is None else min(max(day, first), last))
