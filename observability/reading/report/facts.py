"""What the report tells, read from the database: all of one moment, over a few connections."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from observability.database.client import DBManager
from observability.errors import DatabaseFault
from observability.log import printable
from observability.reading.report.queries import OF_HISTORY, PARAMETERS, QUERIES
from observability.reading.session import Reading, TooLarge, read_only

CONNECTIONS = 3
"""Some views take long over many accounts; a database has a core or more for each of these."""

Facts = Mapping[str, Any]
"""The answer to each query by its name, and `now`: when that was true."""

MOMENT_SQL = """
SELECT pg_export_snapshot(), CAST(extract(epoch FROM now()) AS text),
       to_regclass('daily_counts') IS NOT NULL AND to_regclass('changes') IS NOT NULL"""


def read_facts(db: DBManager) -> Facts:
    """Ask everything; each transaction sees what the first one does."""
    waiting = deque(QUERIES.items())
    facts: dict[str, Any] = dict.fromkeys(OF_HISTORY)
    with read_only(db) as reading, ThreadPoolExecutor(CONNECTIONS) as pool:
        [[snapshot, epoch, has_history]] = reading.execute(MOMENT_SQL)
        waiting.extend(OF_HISTORY.items() if has_history else ())
        facts["now"] = datetime.fromtimestamp(float(epoch), UTC)
        others = [pool.submit(ask_in, db, snapshot, waiting, facts) for _ in range(CONNECTIONS - 1)]
        ask_all(reading, waiting, facts)
        for other in others:
            other.result()
    return facts


def ask_in(
    db: DBManager, snapshot: str, waiting: deque[tuple[str, str]], facts: dict[str, Any]
) -> None:
    """Ask in a transaction of its own."""
    with read_only(db, snapshot) as reading:
        ask_all(reading, waiting, facts)


def ask_all(reading: Reading, waiting: deque[tuple[str, str]], facts: dict[str, Any]) -> None:
    """Ask what nobody else has asked, until nothing is left."""
    while waiting:
        try:
            name, sql = waiting.popleft()
        except IndexError:  # another one was faster
            return
        try:
            facts[name] = ask(reading, name, sql)
        except BaseException:
            waiting.clear()  # nobody needs the rest
            raise


def ask(reading: Reading, name: str, sql: str) -> Any:
    """The JSON that a query answers with; numbers keep all their digits.

    Raises DatabaseFault where the Data API does not return it: a page that says "none" of what was
    not read would be wrong. Each list and text is bounded, so that takes a fault of ours.
    """
    used = {key: value for key, value in PARAMETERS.items() if f":{key}" in sql}
    try:
        [[answer]] = reading.execute(sql, used)
    except TooLarge as error:
        why = "the answer has more than the 1 MiB that the Data API returns"
        raise DatabaseFault(f"the report, {name}: {why}") from error
    return visible(json.loads(answer, parse_float=Decimal)) if answer else None


def visible(value: Any) -> Any:
    """The same with control characters of its texts escaped, also those that turn directions."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [visible(one) for one in value]
    if isinstance(value, dict):
        return {visible(name): visible(one) for name, one in value.items()}
    return value
