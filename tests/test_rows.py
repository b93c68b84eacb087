"""Rows, and the way into an answer of AWS."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.rows import batches, get_path


@given(st.lists(st.integers()), st.integers(1, 7))
def test_batches_have_everything_once_and_are_full_but_for_the_last(
    items: list[int], size: int
) -> None:
    found = list(batches(iter(items), size))
    assert [item for batch in found for item in batch] == items
    assert all(len(batch) == size for batch in found[:-1])
    assert all(1 <= len(batch) <= size for batch in found[-1:])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("A", {"B": [{"C": 1}, {"C": 0}]}),
        ("A.B.0.C", 1),
        ("A.B.1.C", 0),
        ("A.B.2.C", None),
        ("A.X.Y", None),
        ("A.B.0.C.D", None),
    ],
)
def test_a_path_leads_into_an_answer_or_nowhere(path: str, expected: Any) -> None:
    assert get_path({"A": {"B": [{"C": 1}, {"C": 0}]}}, path) == expected
