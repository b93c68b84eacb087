"""Items that AWS tells of several at once, and refuses all of for one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from observability.aws.cache import Result
from observability.aws.errors import aws_errors, classify_error
from observability.contract import SKIPPED
from observability.rows import get_path

REFUSES_ITEM = frozenset({
    "BadRequestException", "InvalidInputException", "InvalidParameterException",
    "InvalidParameterValueException", "ResourceNotFoundException", "ValidationException",
})  # fmt: skip
"""Codes with which a call may be refused for one of the items that it names."""

MOST_REFUSED = 10
"""Items of a batch that are left out; with more of them the call itself is what AWS refuses."""


def read_batch(
    read: Callable[[Sequence[str]], Iterable[Result]],
    ids: Sequence[str],
    left_out: Callable[[str], None],
) -> list[Result]:
    """What is read of several items by their ids, without those for which AWS refuses them all.

    AWS names such an item at best; a batch of which it names none is halved. Raises the refusal
    where it names none and nothing can be read at all.
    """
    waiting, found = [list(ids)], list[Result]()
    refused: dict[str, tuple[bool, Exception]] = {}
    while waiting:
        if not (batch := waiting.pop()):
            continue
        try:
            found += read(batch)
        except aws_errors() as error:
            if not is_refusal(error) or len(refused) == MOST_REFUSED:
                raise
            message = str(get_path(getattr(error, "response", None), "Error.Message"))
            named = next((one for one in batch if one in message), None)
            half = len(batch) // 2
            if named or not half:
                refused[named or batch[0]] = (bool(named), error)
                waiting.append([one for one in batch if one not in refused])
            else:
                waiting += [batch[half:], batch[:half]]
    for one, (is_named, refusal) in refused.items():
        if not found and not is_named:
            raise refusal
        left_out(one)
    return found


def is_refusal(error: Exception) -> bool:
    """Whether a call is refused for what it asks for."""
    code = get_path(getattr(error, "response", None), "Error.Code")
    return code in REFUSES_ITEM and classify_error(error)[0] != SKIPPED
