"""Pages by token."""

from __future__ import annotations

import pytest

from observability.aws.errors import ReadError
from observability.aws.pages import tokens
from tests.runs import Row


def test_pages_are_read_until_there_is_no_token() -> None:
    pages: dict[str | None, Row] = {
        None: {"n": 1, "Next": "a"},
        "a": {"n": 2, "Next": "b"},
        "b": {"n": 3},
    }
    found = list(tokens(lambda Next=None: pages[Next], "Next"))
    assert [page["n"] for page in found] == [1, 2, 3]


def test_the_next_token_may_be_nested_and_empty_at_the_end() -> None:
    pages: dict[str | None, Row] = {
        None: {"List": {"NextMarker": "a"}},
        "a": {"List": {"NextMarker": ""}},
    }
    assert len(list(tokens(lambda Marker=None: pages[Marker], "Marker", "List.NextMarker"))) == 2


def test_a_token_that_comes_again_ends_the_listing_with_an_error() -> None:
    with pytest.raises(ReadError, match="twice"):
        list(tokens(lambda Next=None: {"Next": "same"}, "Next"))
