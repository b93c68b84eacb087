"""How the rows of a document become the values of a table, as text that a request can carry."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from observability.database.catalogue import TableSchema
from observability.database.tables import Kind
from observability.database.values import caster, column_caster
from observability.limits import BATCH_BYTES, MIB, SHOWN_CHARACTERS, TEXT_BYTES, UNKNOWN_NAMES


def has_nul(value: Any) -> bool:
    """Whether a text within a JSON value holds a character that PostgreSQL cannot store."""
    if isinstance(value, dict):
        return any(has_nul(k) or has_nul(v) for k, v in value.items())
    if isinstance(value, list):
        return any(has_nul(v) for v in value)
    return isinstance(value, str) and "\0" in value


# One encoder for all rows: json.dumps makes a new one for each.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def size_in_request(text: str) -> int:
    """Bytes that a JSON text takes in a request, where it is a string: escaped a second time."""
    if text.isascii() and "\x7f" not in text:
        return len(text) + text.count('"') + text.count("\\")
    return len(json.dumps(text))


def room_after(earlier: int, early: bool) -> int:
    """Bytes of a batch or request after so many: small at first, where loading begins early."""
    return BATCH_BYTES >> max(0, 3 - earlier) if early else BATCH_BYTES


EMPTY: tuple[Any, ...] = (None, "", {}, [], "{}", "[]")
"""What identifies nothing: a natural key that is empty is missing."""


def storable(value: Any) -> Any:
    """The value, if PostgreSQL can take its texts and the Data API hand it out; else ValueError."""
    text = encode(value)
    if len(text) > TEXT_BYTES // 4 and len(text.encode(errors="replace")) > TEXT_BYTES:
        raise ValueError(f"is larger than {TEXT_BYTES // MIB} MiB")
    if "\\u0000" in text and has_nul(value):
        raise ValueError("holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a surrogate pair") from None
    return value


LAST_DAY = "9999-12-31"
AHEAD = "is over a day after S3 got the object: a clock is wrong, or it is of the future"


def ahead(value: Any, latest: str) -> bool:
    """Whether a cast day or time is after the last day that a document can know."""
    return isinstance(value, str) and value[:10] > latest


class Casting(NamedTuple):
    """How a row's values, and those of many rows by column, are cast to a table's columns.

    `dated` are those that say which period a row is of, or the row that it belongs to.
    """

    one: Mapping[str, Callable[[Any], Any]]
    many: Mapping[str, Callable[[list[Any]], list[Any]]]
    required: Sequence[str]
    dated: Sequence[str]


@lru_cache(maxsize=1024)
def casting(schema: TableSchema) -> Casting:
    fields, table = schema.fields, schema.table
    periods = {Kind.PERIOD: table.scope, Kind.PART: schema.found_by, Kind.OWNER: table.fields}
    named = (name for name in periods.get(table.kind, ()) if name in fields)
    return Casting(
        {name: caster(column) for name, column in fields.items()},
        {name: column_caster(column) for name, column in fields.items()},
        [n for n, column in fields.items() if column.required and n not in table.defaults],
        [name for name in named if fields[name].type.startswith(("date", "timestamp"))],
    )


def count_unknown(
    counts: Counter[str], rows: Sequence[Mapping[str, Any]], known: Mapping[str, Any]
) -> None:
    """Count the fields of rows that have no column, by name; of many names only some."""
    if known.keys() >= set().union(*rows):
        return
    for names, times in Counter(map(tuple, rows)).items():
        for name in (str(name)[:60] for name in names if name not in known):
            more = name not in counts and len(counts) >= UNKNOWN_NAMES
            counts["(others)" if more else name] += times


def shown(problems: Sequence[str], most: int) -> list[str]:
    """Problems as they are listed: a name in them may be as long as a document likes."""
    return [problem[:SHOWN_CHARACTERS] for problem in problems[: max(0, most)]]
