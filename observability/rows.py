"""Rows of a document: from what AWS sent to plain values, purely."""

from __future__ import annotations

import contextvars
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from observability.dates import to_iso

Row = dict[str, Any]
Item = TypeVar("Item")
Shaped = TypeVar("Shaped")


def get_path(value: Any, path: str) -> Any:
    """What lies at a dotted path (`Resources.0.Id`) in an answer; None if there is nothing."""
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def iso_time(path: str) -> Callable[[Any], str | None]:
    """The instant at a path."""
    return lambda item: to_iso(get_path(item, path))


class RowMapper:
    """A pure function from what AWS sent to a row: each column's path, or a function of it all."""

    def __init__(self, **columns: str | Callable[[Any], Any]) -> None:
        self.columns = columns

    def __call__(self, item: Any, **known: Any) -> Row:
        """The row, with what is `known` from elsewhere; AWS has no value where it is None.

        TypeError of what has no members: a list of AWS may have a null in it.
        """
        if not isinstance(item, Mapping):
            raise TypeError(f"{type(item).__name__} is no structure")
        row = {
            column: source(item)
            if callable(source)
            else item.get(source)
            if "." not in source
            else get_path(item, source)
            for column, source in self.columns.items()
        }
        return row | known


Reject = Callable[[object, Exception], None]
REJECT: contextvars.ContextVar[Reject | None] = contextvars.ContextVar("reject", default=None)
"""Who is told of items that could not be made rows: the collector at work in this thread."""
NOTE: contextvars.ContextVar[Callable[[str], None] | None] = contextvars.ContextVar(
    "note", default=None
)
"""Who is told of what is no failure and worth saying: the collector at work in this thread."""


def shaped(
    items: Iterable[Item],
    shape: Callable[[Item], Shaped],
    reject: Reject | None = None,
) -> Iterator[Shaped]:
    """What each item becomes; one that is not as AWS's model says costs itself.

    It is told, named, to `reject`, else to the collector at work. Raises what `shape` raises where
    nobody is to be told.
    """
    for item in items:
        try:
            row = shape(item)
        except Exception as error:
            if not (report := reject or REJECT.get()):
                raise
            report(item, error)
            continue
        yield row


def listed(
    pages: Iterable[Mapping[str, Any]], name: str, key: str = "", reject: Reject | None = None
) -> Iterator[Any]:
    """The items of a listing, whose pages have them at a dotted path.

    One that is no structure (a list of AWS may have a null in it), or has no `key`, which tells it
    from others, costs itself, as in `shaped`.
    """
    items = (item for page in pages for item in get_path(page, name) or ())
    return identified(items, key, reject)


def identified(items: Iterable[Any], key: str, reject: Reject | None = None) -> Iterator[Any]:
    """The items that are structures and have a key at a dotted path; others are told."""
    return shaped(items, functools.partial(_identified, key), reject)


def _identified(key: str, item: Any) -> Any:
    if not isinstance(item, Mapping):
        raise TypeError(f"{type(item).__name__} is no structure")
    if key and not (get_path(item, key) if "." in key else item.get(key)):
        raise ValueError(f"it has no {key}")
    return item


def name_of(item: object) -> str:
    """What tells an item from others of its listing, to name it in a message."""
    if isinstance(item, str | int):
        return str(item)[:200]
    if isinstance(item, tuple) and item:
        return name_of(item[0])
    if isinstance(item, Mapping):
        for ending in ("arn", "id", "name"):
            for name, value in item.items():
                if str(name).lower().endswith(ending) and isinstance(value, str):
                    return f"{name} {value}"[:200]
    return "one without a name"


def decimal_text(amount: Decimal) -> str:
    """A decimal with all its digits and no exponent."""
    return format(amount, "f")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items in lists of at most `size`."""
    source = iter(items)
    while batch := list(itertools.islice(source, size)):
        yield batch
