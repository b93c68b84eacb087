"""Rows on disk, and the documents that they are for."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observability.collecting.spool import DocumentBuilders, SpooledRows, Store, to_json
from observability.collecting.window import Window
from observability.limits import MIB

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
    assert text_of(spool) == sorted_text(rows)
    assert spool.count == len(rows)
    held.close()


long_rows = st.builds(
    lambda row, number, size: {"n": number, "row": row, "text": "größe,\n" * size},
    rows_of_text,
    st.integers(0, 9),
    st.sampled_from([0, 1, 40, 3_000, 60_000]),
)


@settings(max_examples=10, deadline=None)
@given(st.lists(long_rows, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_a_list_of_any_length_is_written_in_the_order_of_its_rows_text(
    rows: list[dict[str, Any]], chance: random.Random
) -> None:
    held = store()
    spool, other, small = SpooledRows(held), SpooledRows(held), SpooledRows(held)
    rows = rows * 200 if sum(len(row["text"]) for row in rows) < 50_000 else rows * 2
    for row in rows:
        spool.add(row)
        small.add({"n": row["n"]})
    for row in chance.sample(rows, len(rows)):
        other.add(row)
    expected = sorted_text(rows)
    assert text_of(spool) == text_of(other) == expected
    assert text_of(small) == sorted_text({"n": row["n"]} for row in rows)
    held.close()


def test_a_list_much_longer_than_memory_should_hold_is_written_in_order() -> None:
    held = store()
    spool = SpooledRows(held)
    rows = [{"id": number * 7919 % 20_000, "name": "größe,\n" * 40} for number in range(20_000)]
    for row in rows:
        spool.add(row)
    tracemalloc.start()
    written = sum(map(len, spool.text()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert written > 8 * MIB
    assert peak < 6 * MIB
    assert text_of(spool) == sorted_text(rows)
    held.close()


def text_of(spool: SpooledRows) -> bytes:
    """What a document has of a list."""
    return b"".join(spool.text())


def sorted_text(rows: Iterable[dict[str, Any]]) -> bytes:
    """The same by another way."""
    return b",\n".join(sorted(map(to_json, rows)))


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
