"""Pages of listings: those that boto3 has no paginator for, and those that parameters widen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from observability.aws.errors import ListingError, aws_errors
from observability.rows import NOTE, Row, get_path

Page = TypeVar("Page", bound=Mapping[str, object])


def tokens(fetch: Callable[..., Page], sent: str, got: str | None = None) -> Iterator[Page]:
    """All pages of a listing that boto3 has no paginator for, by its token.

    `fetch` is called with the token as its parameter `sent`; the answer has the next one at
    `got` (the same name by default, dotted if nested). A token that comes again would never end.
    """
    parameters: Row = {}
    while True:
        page = fetch(**parameters)
        yield page
        token = get_path(page, got or sent)
        if not token:
            return
        if parameters.get(sent) == token:
            raise ListingError(f"AWS sent the page token {sent} twice")
        parameters = {sent: token}


REFUSES_PARAMETER = frozenset({
    "InvalidArgsException", "InvalidParameter", "InvalidParameterCombination",
    "InvalidParameterException", "InvalidParameterValue", "InvalidRequestException",
    "SerializationException", "UnknownParameter", "ValidationError", "ValidationException",
})  # fmt: skip
"""Codes of a request with a parameter, or a value of one, that the service does not know. EC2's is
UnknownParameter: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""
KNOWN_VALUES = re.compile(r"enum value set: \[([^\]]*)\]")
"""Where AWS names the values that it knows, in place of the one that it refuses."""


def widened(ask: Callable[..., Iterable[Page]], **wider: Any) -> Iterator[Page]:
    """All pages of a listing that parameters widen.

    Partitions and new regions may be behind: a parameter or a value that they refuse is left out,
    which is noted, and the listing is asked for again.
    """
    while True:
        pages = iter(ask(**wider))
        try:
            first = next(pages, None)
        except aws_errors() as error:
            facts = get_path(getattr(error, "response", None), "Error") or {}
            message = str(facts.get("Message"))
            named = next((name for name in wider if name.lower() in message.lower()), None)
            if facts.get("Code") not in REFUSES_PARAMETER or named is None:
                raise
            call, known = facts.get("Call", "the service"), known_part(wider.pop(named), message)
            if known:
                wider[named] = known
            if note := NOTE.get():
                note(f"{call} does not know all of {named} here; what only that shows is not read")
            continue
        if first is not None:
            yield first
        yield from pages
        return


def known_part(value: Any, message: str) -> Any:
    """What of a parameter's value a refusal names as known; nothing if that is not less than all.

    The value is a list of names, or a structure of such lists.
    """
    if isinstance(value, Mapping):
        parts = {name: known_part(part, message) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part}
    listed = KNOWN_VALUES.search(message)
    if not listed or not isinstance(value, list | tuple):
        return None
    names = {name.strip() for name in listed[1].split(",")}
    known = [one for one in value if one in names]
    return known if len(known) < len(value) else None
