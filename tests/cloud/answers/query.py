"""AWS Config's advanced query language, as far as reading an inventory goes.

    SELECT column, column.nested, COUNT(*), … WHERE … GROUP BY column ORDER BY column

with `=`, `<>`, `!=`, `<`, `>`, `<=`, `>=`, `IN`, `BETWEEN` and `LIKE` (% only) on texts, numbers
and booleans, joined by AND, OR, NOT and parentheses. What is not understood is an error, as it is
InvalidExpressionException in AWS.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.cloud.answers.core import dig

Test = Callable[[dict[str, Any]], bool]

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<sign><>|!=|<=|>=|[=<>(),*]))"
)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
COUNT = "COUNT(*)"


class QueryError(ValueError):
    """An expression that the advanced query does not accept."""


class Tokens:
    """The tokens of an expression, read one after the other."""

    def __init__(self, text: str) -> None:
        self.held = list(self.split(text))
        self.position = 0

    @staticmethod
    def split(text: str) -> Iterator[tuple[str, str]]:
        """(kind, token) of the whole text."""
        position, end = 0, len(text.rstrip())
        while position < end:
            found = TOKEN.match(text, position)
            if not found:
                raise QueryError(f"Unable to parse the expression at: {text[position:][:40]}")
            yield str(found.lastgroup), found[str(found.lastgroup)]
            position = found.end()

    def peek(self) -> str:
        """The next token in capitals, empty at the end."""
        return self.held[self.position][1].upper() if self.position < len(self.held) else ""

    def take(self, *wanted: str) -> bool:
        """Whether the next tokens are these; if so, they are read."""
        for number, word in enumerate(wanted):
            place = self.position + number
            if place >= len(self.held) or self.held[place][1].upper() != word:
                return False
        self.position += len(wanted)
        return True

    def need(self, *wanted: str) -> None:
        """Read these tokens."""
        if not self.take(*wanted):
            raise QueryError(f"Expected {' '.join(wanted)} before: {self.peek()[:40]!r}")

    def column(self) -> str:
        """Read the name of a column."""
        return self.next("word")

    def next(self, *kinds: str) -> str:
        """Read a token of one of the kinds."""
        if self.position >= len(self.held) or self.held[self.position][0] not in kinds:
            raise QueryError(f"Unexpected {self.peek()[:40]!r} in the expression")
        self.position += 1
        return self.held[self.position - 1][1]

    def literal(self) -> Any:
        """Read a text, a number or a boolean."""
        for word in ("true", "false"):
            if self.take(word.upper()):
                return word == "true"
        text = self.next("text", "number")
        return text[1:-1].replace("''", "'") if text.startswith("'") else json.loads(text)


@dataclass(frozen=True)
class Query:
    """A parsed SELECT."""

    columns: list[str]
    where: Test
    group: list[str]
    order: str | None

    @classmethod
    def parse(cls, text: str) -> Query:
        """Parse an expression; QueryError if it is none."""
        tokens = Tokens(text)
        tokens.need("SELECT")
        columns = listed(tokens, selected)
        where = alternatives(tokens) if tokens.take("WHERE") else (lambda item: True)
        group = listed(tokens, Tokens.column) if tokens.take("GROUP", "BY") else []
        order = tokens.column() if tokens.take("ORDER", "BY") else None
        if tokens.peek():
            raise QueryError(f"Unexpected {tokens.peek()[:40]!r} in the expression")
        if len(group) > 3:
            raise QueryError("GROUP BY takes up to three properties.")
        if (COUNT in columns or group) and set(columns) - {COUNT} != set(group):
            raise QueryError("Columns that are not counted must be those that are grouped by.")
        return cls(columns, where, group, order)

    def matches(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The items that meet all conditions, or a row for each group of them."""
        found = [item for item in items if self.where(item)]
        if self.order:
            found.sort(key=lambda item: str(dig(item, str(self.order))))
        return list(self.counted(found)) if COUNT in self.columns else found

    def text(self, match: dict[str, Any]) -> str:
        """The JSON text of a match."""
        row = match if COUNT in self.columns else self.row(match)
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"))

    def counted(self, items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """One row for each group of items, with their number."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for item in items:
            key = json.dumps([dig(item, name) for name in self.group])
            groups.setdefault(key, []).append(item)
        for held in groups.values():
            yield {COUNT: len(held)} | self.row(held[0])

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


def listed(tokens: Tokens, read: Callable[[Tokens], Any]) -> list[Any]:
    """What `read` reads, once and again after each comma."""
    found = [read(tokens)]
    while tokens.take(","):
        found.append(read(tokens))
    return found


def selected(tokens: Tokens) -> str:
    """A selected column, all of them, or the number of rows."""
    if tokens.take("*"):
        return "*"
    return COUNT if tokens.take("COUNT", "(", "*", ")") else tokens.column()


def alternatives(tokens: Tokens) -> Test:
    """Conditions joined by OR."""
    tests = [conjunction(tokens)]
    while tokens.take("OR"):
        tests.append(conjunction(tokens))
    return lambda item: any(test(item) for test in tests)


def conjunction(tokens: Tokens) -> Test:
    """Conditions joined by AND."""
    tests = [negation(tokens)]
    while tokens.take("AND"):
        tests.append(negation(tokens))
    return lambda item: all(test(item) for test in tests)


def negation(tokens: Tokens) -> Test:
    """A condition, conditions in parentheses, or the contrary of either."""
    if tokens.take("NOT"):
        test = negation(tokens)
        return lambda item: not test(item)
    if tokens.take("("):
        test = alternatives(tokens)
        tokens.need(")")
        return test
    return condition(tokens)


def condition(tokens: Tokens) -> Test:
    """One condition on a column; what an item lacks meets none but `<>`."""
    column = tokens.column()
    if tokens.take("NOT"):
        test = comparison(tokens)
        return lambda item: not test(dig(item, column))
    test = comparison(tokens)
    return lambda item: test(dig(item, column))


def comparison(tokens: Tokens) -> Callable[[Any], bool]:
    """What a column's value is compared with."""
    if tokens.take("IN"):
        tokens.need("(")
        values = listed(tokens, Tokens.literal)
        tokens.need(")")
        return lambda value: value in values
    if tokens.take("LIKE"):
        pattern = re.escape(str(tokens.literal())).replace("%", ".*")
        return lambda value: re.fullmatch(pattern, str(value)) is not None
    if tokens.take("BETWEEN"):
        low = tokens.literal()
        tokens.need("AND")
        high = tokens.literal()
        return lambda value: same_kind(value, low) and low <= value <= high
    compare = COMPARISONS.get(tokens.peek())
    if not compare:
        raise QueryError(f"Unexpected {tokens.peek()[:40]!r} in the expression")
    unequal = compare is operator.ne
    tokens.next("sign")
    wanted = tokens.literal()
    return lambda value: compare(value, wanted) if same_kind(value, wanted) else unequal


def same_kind(value: Any, wanted: Any) -> bool:
    """Whether two values can be compared: both texts, or both numbers."""
    return value is not None and isinstance(value, str) == isinstance(wanted, str)
