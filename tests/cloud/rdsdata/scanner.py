"""Named placeholders to PostgreSQL's numbered ones, as the Data API rewrites them.

Quoted strings, quoted identifiers and comments are respected. Dollar-quoted strings are not: the
service silently replaces a `:name` inside them, which here is an error, so that no test passes on
a statement that AWS would corrupt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .errors import invalid

TOKEN = re.compile(
    r"""
      (?P<skip> [eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'
              | '[^']*(?:''[^']*)*'
              | "[^"]*(?:""[^"]*)*"
              | --[^\n]*
              | ::
              | [^\W\d][\w$]*            # a word: its letters and dollars start nothing else
      )
    | (?P<comment> /\*)
    | (?P<dollar> \$(?:[^\W\d]\w*)?\$)
    | \$(?P<number> [0-9]+)
    | :(?P<name> [A-Za-z0-9_]+)
    | (?P<end> ;)
    | (?P<unclosed> ['"])
    """,
    re.VERBOSE | re.DOTALL,
)
COMMENT_EDGE = re.compile(r"/\*|\*/")
SPACE_AND_COMMENTS = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
PARAMETER_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Statement:
    """One statement with `$1`, `$2`, ... and the parameter's name for each of them."""

    text: bytes
    names: tuple[str, ...]


@lru_cache(maxsize=2048)
def scan(sql: str) -> Statement:
    """Rewrite `:name` to `$n`; the same name keeps the same number.

    Raises ServiceError (ValidationException) for more than one statement and for what the service
    would rewrite wrongly.
    """
    numbers: dict[str, int] = {}
    pieces: list[str] = []
    copied = 0
    for match in _tokens(sql):
        if name := match["name"]:
            number = numbers.setdefault(name, len(numbers) + 1)
            pieces += (sql[copied : match.start()], f"${number}")
            copied = match.end()
        elif match["end"]:
            _require_nothing_after(sql, match.end())
            sql = sql[: match.start()]
            break
    _refuse_numbered(sql, numbers)
    text = "".join(pieces) + sql[copied:]
    return Statement(text.encode(), tuple(numbers))


def _tokens(sql: str, *, in_dollar_quotes: bool = False) -> Iterator[re.Match[str]]:
    """The tokens that matter: placeholders, `$1` and semicolons outside quotes and comments."""
    position = 0
    while match := TOKEN.search(sql, position):
        position = match.end()
        if match["comment"]:
            position = _end_of_comment(sql, position)
        elif match["dollar"]:
            position = _end_of_dollar_quotes(sql, match)
        elif match["unclosed"]:
            if in_dollar_quotes:
                raise invalid(
                    "A quote inside a dollar-quoted string is not closed there; "
                    "the service, which ignores dollar quotes, would read on beyond it"
                )
            return  # PostgreSQL reports it.
        elif not match["skip"]:
            yield match


def _end_of_comment(sql: str, position: int) -> int:
    """Where a block comment ends. They nest."""
    depth = 1
    while depth:
        edge = COMMENT_EDGE.search(sql, position)
        if edge is None:
            return len(sql)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _end_of_dollar_quotes(sql: str, opening: re.Match[str]) -> int:
    tag = opening["dollar"]
    closing = sql.find(tag, opening.end())
    if closing < 0:
        return len(sql)
    for match in _tokens(sql[opening.end() : closing], in_dollar_quotes=True):
        if match["name"]:
            raise invalid(
                f"The service would replace :{match['name']} inside a dollar-quoted string"
            )
    return closing + len(tag)


def _require_nothing_after(sql: str, position: int) -> None:
    spaces = SPACE_AND_COMMENTS.match(sql, position)
    if spaces is None or spaces.end() != len(sql):
        raise invalid("Multistatements aren't supported.")


def _refuse_numbered(sql: str, numbers: dict[str, int]) -> None:
    """`$1` is no placeholder of the service, but would be taken for the first rewritten one."""
    if numbers and any(match["number"] for match in _tokens(sql)):
        raise invalid("Named parameters and $1 cannot be used together")
