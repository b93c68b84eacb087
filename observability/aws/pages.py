"""Pages of listings that boto3 has no paginator for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from observability.aws.errors import ListingError
from observability.rows import Row, get_path

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
