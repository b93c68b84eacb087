"""`--query`: the rows of any query, streamed through a cursor.

Every value is cast to text in the database, since the Data API returns neither all types nor all
values of those that it returns (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/
data-api.differences.html). What a value was is told by its column.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from observability.database.client import DBManager
from observability.errors import DatabaseFault, UsageError
from observability.limits import MIB
from observability.log import log_event, printable
from observability.reading.session import Reading, TooLarge
from observability.settings.receiver import Settings

NUMBER, BOOLEAN, JSON, TEXT = "number", "boolean", "json", "text"

NUMBERS = {
    "int2", "int4", "int8", "float4", "float8", "numeric", "oid",
    "smallserial", "serial", "bigserial",
}  # fmt: skip
TEXTS = {
    "text", "varchar", "bpchar", "name", "uuid", "date", "time", "timestamp", "timestamptz",
    "inet", "cidr", "bytea",
}  # fmt: skip
"""Types as the Data API names them in `typeName`; others are told to be given as text."""

QUERIES = ("select", "with", "values", "table")
STATEMENTS = ("explain", "show")
FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*(?:(?!/\*).)*?\*/)*(\w*)", re.DOTALL)
"""Not after a comment in a comment: PostgreSQL nests them, so what follows is not what it seems."""

DESCRIBE = "SELECT * FROM (\n"
FETCHED_AT_ONCE = 5_000
GROWS_BELOW = MIB // 8
"""Characters of an answer, of four bytes at most, below which the next one may have more rows."""
SQL_CHARACTERS = 65_536
"""ExecuteStatement takes no more."""
LONGEST_QUERY = 900.0
"""Seconds that a query and all its rows may take."""
REACH = 5.0
"""Seconds to wait for an endpoint that takes no connection, where a person waits too."""

Row = Sequence[str | None]


@dataclass(frozen=True)
class Column:
    """A column of an answer: its label, unique among them, and what its values are."""

    name: str
    kind: str


def open_database(
    settings: Settings, deadline: float = math.inf, reach: float = math.inf
) -> DBManager:
    """The database for one who reads, for a bounded time.

    `reach`: seconds to wait for an endpoint that takes no connection; a database that resumes is
    waited for longer.
    """
    db = DBManager(settings)
    db.reach = reach
    db.begin(min(deadline, time.monotonic() + LONGEST_QUERY))
    return db


def checked(sql: str) -> str:
    """The query without the semicolon at its end; UsageError where it can be none."""
    own = sql.strip().rstrip(";").rstrip()
    if not own:
        raise UsageError("--query is empty: give SQL, or - to read it from stdin")
    if len(own) > SQL_CHARACTERS - 4096:
        raise UsageError(f"--query: {len(own):,} characters, the RDS Data API takes 61,440")
    if first_word(own) not in (*QUERIES, *STATEMENTS):
        known = ", ".join(word.upper() for word in (*QUERIES, *STATEMENTS))
        raise UsageError(f"--query takes one statement that reads: {known}")
    return own


def first_word(sql: str) -> str:
    """The first word of SQL after comments and brackets, in small letters."""
    found = FIRST_WORD.match(sql)
    return found[1].lower() if found else ""


def run_query(reading: Reading, sql: str) -> tuple[list[Column], Iterator[Row]]:
    """The columns of a query, and its rows as they come, each value as text or None."""
    if first_word(sql) in STATEMENTS:
        rows = [[None if v is None else str(v) for v in row] for row in reading.execute(sql)]
        width = max(map(len, rows), default=0)
        names = ["plan" if first_word(sql) == "explain" else "value"] * width
        return [Column(name, TEXT) for name in unique(names)], iter(rows)
    described = reading.describe(f"{DESCRIBE}{sql}\n) AS q LIMIT 0", before=len(DESCRIBE))
    if not described:
        raise UsageError("--query: the query has no columns")
    names = unique([label for label, _ in described])
    columns = [Column(name, kind_of(of)) for name, (_, of) in zip(names, described, strict=True)]
    for column, (_, of) in zip(columns, described, strict=True):
        if column.kind == TEXT and of not in TEXTS:
            log_event("INFO", f"column {printable(column.name)}: values of type {of} are texts")
    return columns, fetched(reading, cursor_sql(sql, columns))


def unique(labels: Sequence[str]) -> list[str]:
    """The labels, those that repeat with a number: id, id_2."""
    names: list[str] = []
    for label in labels:
        name, number = label, 1
        while name in names:
            number += 1
            name = f"{label}_{number}"
        names.append(name)
    return names


def kind_of(type_name: str) -> str:
    """What values of a type are; an array is JSON."""
    if type_name in NUMBERS:
        return NUMBER
    if type_name in ("json", "jsonb") or type_name.startswith("_"):
        return JSON
    return BOOLEAN if type_name == "bool" else TEXT


def cursor_sql(sql: str, columns: Sequence[Column]) -> str:
    """Declares a cursor over rows that are JSON arrays of texts: a field for each value would take
    several times the room. It can go back, for an answer that is too large.
    """
    names = [f"c{number}" for number in range(len(columns))]
    values = ", ".join(
        f"to_jsonb({name})::text" if column.kind == JSON else f"{name}::text"
        for name, column in zip(names, columns, strict=True)
    )
    return (
        f"DECLARE answer SCROLL CURSOR FOR\nSELECT array_to_json(ARRAY[{values}])::text"
        f" FROM (\n{sql}\n) AS q ({', '.join(names)})"
    )


def fetched(reading: Reading, declaration: str) -> Iterator[Row]:
    """The rows of a cursor; an answer that is too large is fetched again in halves.

    The Data API refuses such an answer after the cursor has moved, and keeps the transaction.
    """
    reading.execute(declaration)
    done, size = 0, FETCHED_AT_ONCE
    while True:
        try:
            rows = reading.execute(f"FETCH {size} FROM answer")
        except TooLarge:
            if size == 1:
                raise DatabaseFault(
                    f"row {done + 1} has more than the 1 MiB that the RDS Data API returns:"
                    " shorten its texts, say with left(text, 1000)"
                ) from None
            size //= 2
            reading.execute(f"MOVE ABSOLUTE {done} FROM answer")
            continue
        yield from (json.loads(row) for [row] in rows)
        done += len(rows)
        if len(rows) < size:
            return
        if sum(len(row) for [row] in rows) < GROWS_BELOW:
            size = min(2 * size, FETCHED_AT_ONCE)
