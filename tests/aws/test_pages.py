"""Pages by token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from observability.aws.errors import ReadError
from observability.aws.pages import tokens, widened
from observability.rows import NOTE
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


def refusal(code: str, words: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": words, "Call": "acm:ListCertificates"}}
    return ClientError(response, "ListCertificates")


def ask_widened(*refusals: ClientError) -> tuple[list[Row], list[Row], list[str]]:
    """Pages, the parameters of each request, and what is noted, where AWS first refuses some."""
    asked: list[Row] = []
    notes: list[str] = []
    waiting = list(refusals)

    def ask(**wider: Any) -> Iterator[Row]:
        asked.append(wider)
        if waiting:
            raise waiting.pop(0)
        yield {"n": 1}
        yield {"n": 2}

    token = NOTE.set(notes.append)
    try:
        pages = list(widened(ask, Includes={"keyTypes": ("RSA_2048", "NEW")}, Origins=("A", "B")))
    finally:
        NOTE.reset(token)
    return pages, asked, notes


WHOLE: Row = {"Includes": {"keyTypes": ("RSA_2048", "NEW")}, "Origins": ("A", "B")}
ENUM = (
    "1 validation error detected: Value '[RSA_2048, NEW]' at 'includes.keyTypes' failed to satisfy "
    "constraint: Member must satisfy constraint: [Member must satisfy enum value set: "
    "[RSA_2048, RSA_4096]]"
)


@pytest.mark.parametrize(
    ("code", "words", "second"),
    [
        ("UnknownParameter", "The parameter Origins is not recognized", ["Includes"]),
        ("ValidationException", "Unknown field: origins", ["Includes"]),
        ("SerializationException", "unexpected member Includes", ["Origins"]),
    ],
)
def test_a_parameter_that_a_region_does_not_know_is_left_out(
    code: str, words: str, second: list[str]
) -> None:
    pages, asked, notes = ask_widened(refusal(code, words))
    assert [page["n"] for page in pages] == [1, 2]
    assert asked == [WHOLE, {name: WHOLE[name] for name in second}]
    assert len(notes) == 1
    assert "acm:ListCertificates does not know" in notes[0]


def test_the_values_that_a_region_knows_are_asked_for() -> None:
    _, asked, notes = ask_widened(refusal("ValidationException", ENUM))
    assert asked == [WHOLE, {"Includes": {"keyTypes": ["RSA_2048"]}, "Origins": ("A", "B")}]
    assert len(notes) == 1


def test_one_parameter_after_the_other_may_be_unknown() -> None:
    first = refusal("ValidationException", "unknown Includes")
    pages, asked, notes = ask_widened(first, refusal("ValidationException", "unknown origins"))
    assert (len(pages), asked[-1], len(notes)) == (2, {}, 2)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "Origins"),
        ("ThrottlingException", "Rate exceeded"),
        ("ValidationException", "MaxItems is too large"),
    ],
)
def test_what_is_refused_for_another_reason_is_refused(code: str, words: str) -> None:
    with pytest.raises(ClientError):
        ask_widened(refusal(code, words))
