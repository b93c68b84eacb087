"""The part of AWS Config's advanced query language that reads an inventory.

    SELECT column, column.nested, … WHERE column = 'text' AND column IN ('a', 'b') AND …

with `=`, `<>`, `IN`, `LIKE` (% only) on text and numbers, joined by AND. Nothing else is
understood, and AWS's InvalidExpressionException says so.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.cloud.answers.core import dig

COLUMN = r"[A-Za-z][\w.]*"
LITERAL = r"'(?:[^']|'')*'|-?\d+(?:\.\d+)?|true|false"
CONDITION = re.compile(
    rf"\s*({COLUMN})\s*(?:(=|<>|LIKE)\s*({LITERAL})|IN\s*\(((?:\s*(?:{LITERAL})\s*,?)+)\))\s*",
    re.IGNORECASE,
)
STATEMENT = re.compile(
    rf"\s*SELECT\s+(\*|{COLUMN}(?:\s*,\s*{COLUMN})*)(?:\s+WHERE\s(.+?))?"
    rf"(?:\s+ORDER\s+BY\s+({COLUMN}))?\s*",
    re.IGNORECASE | re.DOTALL,
)


class QueryError(ValueError):
    """An expression that the advanced query does not accept."""


@dataclass(frozen=True)
class Query:
    """A parsed SELECT."""

    columns: list[str]
    conditions: list[Callable[[dict[str, Any]], bool]]
    order: str | None

    @classmethod
    def parse(cls, text: str) -> Query:
        """Parse an expression; QueryError if it is none."""
        found = STATEMENT.fullmatch(text)
        if not found:
            raise QueryError(f"Unable to parse the expression: {text[:80]}")
        columns = [name.strip() for name in found[1].split(",")]
        return cls(columns, list(conditions(found[2] or "")), found[3])

    def rows(self, items: list[dict[str, Any]]) -> Iterator[str]:
        """The rows of the items that meet all conditions, each a JSON text."""
        found = [item for item in items if all(test(item) for test in self.conditions)]
        if self.order:
            found.sort(key=lambda item: str(dig(item, str(self.order))))
        for item in found:
            yield json.dumps(self.row(item), ensure_ascii=False, separators=(",", ":"))

    def row(self, item: dict[str, Any]) -> dict[str, Any]:
        """The selected properties, nested as they are in the item; absent ones are left out."""
        if self.columns == ["*"]:
            return item
        row: dict[str, Any] = {}
        for column in self.columns:
            value = dig(item, column)
            if value is not None:
                *path, last = column.split(".")
                place = row
                for name in path:
                    place = place.setdefault(name, {})
                place[last] = value
        return row


def conditions(text: str) -> Iterator[Callable[[dict[str, Any]], bool]]:
    """The conditions of a WHERE clause."""
    position = 0
    while position < len(text):
        found = CONDITION.match(text, position)
        if not found:
            raise QueryError(f"Unable to parse the condition: {text[position:][:80]}")
        yield condition(*found.groups())
        position = found.end()
        if joined := re.compile(r"AND\s", re.IGNORECASE).match(text, position):
            position = joined.end()
        elif position < len(text):
            raise QueryError(f"Conditions can only be joined by AND: {text[position:][:80]}")


def condition(
    column: str, operator: str | None, wanted: str | None, several: str | None
) -> Callable[[dict[str, Any]], bool]:
    """One condition as a test of an item."""
    if several is not None:
        values = [literal(held) for held in re.findall(LITERAL, several, re.IGNORECASE)]
        return lambda item: dig(item, column) in values
    value = literal(str(wanted))
    if operator == "=":
        return lambda item: bool(dig(item, column) == value)
    if operator == "<>":
        return lambda item: bool(dig(item, column) != value)
    pattern = str(value).replace("[", "[[]").replace("*", "[*]").replace("%", "*")
    return lambda item: fnmatch.fnmatchcase(str(dig(item, column)), pattern)


def literal(text: str) -> Any:
    """The value of a literal."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return json.loads(text.lower())
