"""What a column of a type accepts from a document."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any

from observability.database.catalogue import Column


class Number(str):
    """A JSON number with a fraction or exponent, kept as it was written."""

    __slots__ = ()


CONSTANTS = ("NaN", "Infinity", "-Infinity")
"""What Python and others write for numbers that JSON does not have."""

INTEGER = re.compile(r"[+-]?\d{1,19}(\.0*)?", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,2})?", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LONGEST_TIME = 64  # characters; a fraction of a second may have any number of digits
INTEGER_BITS = {"integer": 31, "bigint": 63}


def with_floats(value: Any) -> Any:
    """A JSON value whose numbers are numbers again, for JSONB; ValueError beyond a float."""
    if isinstance(value, Number):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("holds a number beyond what can be kept")
        return number
    if isinstance(value, dict):
        return {k: with_floats(v) for k, v in value.items()}
    return [with_floats(v) for v in value] if isinstance(value, list) else value


def as_text(value: Any) -> Any:
    """TEXT takes any scalar; a list or object is stored as its JSON text."""
    if isinstance(value, list | dict):
        return json.dumps(with_floats(value), ensure_ascii=False)
    if isinstance(value, Number) and value in CONSTANTS:
        raise ValueError("is not a number")
    return value


def as_json(value: Any) -> Any:
    """JSONB takes any value; an empty text is none."""
    if value == "":
        raise ValueError("is empty")
    return with_floats(value)


def as_integer(value: Any, bits: int) -> int:
    if type(value) is int:
        number = value
    elif isinstance(value, bool) or not INTEGER.fullmatch(str(value)):
        raise ValueError("is not a whole number")
    else:
        number = int(str(value).partition(".")[0])
    if not -(2**bits) <= number < 2**bits:
        raise ValueError("is out of range")
    return number


def as_decimal(value: Any, whole_digits: int | None) -> str:
    text = str(value)
    if isinstance(value, bool) or not DECIMAL.fullmatch(text):
        raise ValueError("is not a number, or has over 60 digits")
    if whole_digits is not None and abs(float(text)) >= 10**whole_digits - 0.5:
        raise ValueError(f"has more than {whole_digits} digits before the point")
    return text


def as_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("is neither true nor false")


@lru_cache(maxsize=65_536)
def as_day(value: str) -> str:
    """YYYY-MM-DD, also as the beginning of a time."""
    if not isinstance(value, str) or not DAY.match(value):
        raise ValueError("is not a date (YYYY-MM-DD)")
    if len(value) > 10:
        as_instant(value)
    try:
        return date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        raise ValueError("is a date that does not exist") from None


@lru_cache(maxsize=65_536)
def as_instant(value: str) -> str:
    """ISO 8601; without an offset it is UTC."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("is not a time (ISO 8601)") from None
    return instant.isoformat() if instant.tzinfo else instant.isoformat() + "+00:00"


def caster(column: Column) -> Callable[[Any], Any]:
    """The check and cast for a column's type; what it returns PostgreSQL reads as that type.

    The returned function raises ValueError with the reason, never with the value.
    """
    kind = column.type
    if column.labels:
        return lambda value: as_label(value, column.labels)
    if kind in INTEGER_BITS:
        return partial(as_integer, bits=INTEGER_BITS[kind])
    if kind.startswith("numeric"):
        sizes = [int(n) for n in re.findall(r"\d+", kind)]
        return partial(as_decimal, whole_digits=sizes[0] - sizes[1] if sizes else None)
    casts: dict[str, Callable[[Any], Any]] = {
        "boolean": as_boolean,
        "date": partial(hashable, as_day),
        "timestamp with time zone": partial(hashable, as_instant),
        "jsonb": as_json,
    }
    return casts.get(kind, as_text)


TEXT_OR_NULL = {str, type(None)}
INTEGER_OR_NULL = {int, type(None)}


def column_caster(column: Column) -> Callable[[list[Any]], list[Any]]:
    """The same for the values of many rows, of which most are what the column wants already."""
    cast, bits = caster(column), INTEGER_BITS.get(column.type, 0)

    def each(values: list[Any]) -> list[Any]:
        return [None if value is None else cast(value) for value in values]

    def texts(values: list[Any]) -> list[Any]:
        return values if TEXT_OR_NULL.issuperset(map(type, values)) else each(values)

    def integers(values: list[Any]) -> list[Any]:
        whole = INTEGER_OR_NULL.issuperset(map(type, values))
        fit = whole and max(map(abs, filter(None, values)), default=0) < 2**bits
        return values if fit else each(values)

    return texts if cast is as_text else integers if bits else each


def as_label(value: Any, labels: Sequence[str]) -> str:
    if not isinstance(value, str) or value.upper() not in labels:
        raise ValueError(f"is none of {', '.join(labels)}")
    return value.upper()


def hashable(cast: Callable[[str], str], value: Any) -> str:
    """Guard a cached cast from values that cannot be looked up, or would fill the cache."""
    if not isinstance(value, str) or len(value) > LONGEST_TIME:
        raise ValueError("is not text with a date or time")
    return cast(value)
