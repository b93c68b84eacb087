"""A batch that AWS refuses for one of its items is read without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from observability.collecting.batch import MOST_REFUSED, read_batch

IDS = [f"id-{number:02}" for number in range(50)]


def refusal(code: str, words: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": words, "Call": "guardduty:GetFindings"}}
    return ClientError(response, "GetFindings")


def refusing(
    odd: set[str], *, named: bool, code: str = "BadRequestException"
) -> tuple[Callable[[Sequence[str]], list[str]], list[int]]:
    """A read that refuses some items, and the sizes of the batches that it was asked for."""
    sizes: list[int] = []

    def read(ids: Sequence[str]) -> list[str]:
        sizes.append(len(ids))
        if found := odd.intersection(ids):
            words = f"the parameter findingIds has an invalid value{f': {min(found)}' * named}"
            raise refusal(code, words)
        return list(ids)

    return read, sizes


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("odd", [{"id-00"}, {"id-07", "id-31"}, {"id-49", "id-48", "id-24"}])
def test_the_others_are_read_in_their_order(odd: set[str], named: bool) -> None:
    read, sizes = refusing(odd, named=named)
    left_out: list[str] = []
    assert read_batch(read, IDS, left_out.append) == [one for one in IDS if one not in odd]
    assert set(left_out) == odd
    assert len(sizes) <= (1 + len(odd) if named else 2 * 6 * len(odd) + 1)


def test_what_is_refused_whatever_is_asked_for_is_a_failure() -> None:
    read, sizes = refusing(set(IDS), named=False)
    left_out: list[str] = []
    with pytest.raises(ClientError):
        read_batch(read, IDS, left_out.append)
    assert not left_out
    assert len(sizes) <= 6 + 2 * MOST_REFUSED + 1


def test_a_single_item_that_is_refused_without_its_name_is_a_failure() -> None:
    read, _ = refusing({"id-00"}, named=False)
    with pytest.raises(ClientError):
        read_batch(read, ["id-00"], lambda _: None)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "InternalError"])
def test_other_refusals_are_no_item_s(code: str) -> None:
    read, sizes = refusing({"id-00"}, named=True, code=code)
    with pytest.raises(ClientError):
        read_batch(read, IDS, lambda _: None)
    assert sizes == [50]


def test_nothing_is_asked_of_nothing() -> None:
    read, sizes = refusing(set(), named=True)
    assert read_batch(read, [], lambda _: None) == []
    assert not sizes
