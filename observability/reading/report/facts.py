"""What the report tells, read from the database: all of one moment, over a few connections."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from observability.database.client import DBManager
from observability.errors import DatabaseFault
from observability.log import log_event, printable
from observability.reading.report.queries import OF_HISTORY, PARAMETERS, QUERIES
from observability.reading.session import Reading, TooLarge, read_only

CONNECTIONS = 3
"""Some views take long over many accounts; a database has a core or more for each of these."""

KEPT_ALIVE = 60.0
"""Seconds: the Data API ends a transaction that has no call for three minutes."""

Facts = Mapping[str, Any]
"""The answer to each query by its name, and `now`: when that was true."""


@dataclass(frozen=True)
class Unread:
    """In place of an answer: why there is none."""

    why: str


class AnsweredFacts(Mapping[str, Any]):
    """Facts in which a query without an answer is None.

    `unread` has the reasons of those that were looked up, so that the page does not say "none" of
    what was not read.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.unread: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        value = self.facts[name]
        if isinstance(value, Unread):
            self.unread.add(value.why)
            return None
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)


MOMENT_SQL = """
SELECT pg_export_snapshot(), CAST(extract(epoch FROM now()) AS text),
       to_regclass('daily_counts') IS NOT NULL AND to_regclass('changes') IS NOT NULL"""


def read_facts(db: DBManager) -> Facts:
    """Run all queries, in transactions that share the snapshot of the first one.

    The first one runs none of them: if one failed in it, its snapshot would be gone.
    """
    facts: dict[str, Any] = dict.fromkeys(OF_HISTORY)
    with read_only(db) as reading, ThreadPoolExecutor(CONNECTIONS) as pool:
        [[snapshot, epoch, has_history]] = reading.execute(MOMENT_SQL)
        waiting = deque((n, q) for n, q in QUERIES.items() if has_history or n not in OF_HISTORY)
        facts["now"] = datetime.fromtimestamp(float(epoch), UTC)
        asking = [pool.submit(ask_in, db, snapshot, waiting, facts) for _ in range(CONNECTIONS)]
        try:
            while wait(asking, KEPT_ALIVE).not_done:
                reading.execute("SELECT 1")
        except BaseException:
            waiting.clear()  # nobody needs the rest
            raise
        for asked in asking:
            asked.result()
    return facts


def ask_in(
    db: DBManager, snapshot: str, waiting: deque[tuple[str, str]], facts: dict[str, Any]
) -> None:
    """Run queries in a transaction of its own; one that fails ends it, and the next begins."""
    while waiting:
        with read_only(db, snapshot) as reading:
            ask_all(reading, waiting, facts)


def ask_all(reading: Reading, waiting: deque[tuple[str, str]], facts: dict[str, Any]) -> None:
    """Ask what nobody else has asked, until nothing is left or the database refuses one."""
    while waiting:
        try:
            name, sql = waiting.popleft()
        except IndexError:  # another one was faster
            return
        try:
            facts[name] = ask(reading, sql)
        except DatabaseFault as fault:
            log_event("FAIL", f"the report, {name}: {fault}")
            facts[name] = Unread(str(fault))
            return
        except BaseException:
            waiting.clear()  # nobody needs the rest
            raise


def ask(reading: Reading, sql: str) -> Any:
    """The JSON that a query answers with; numbers keep all their digits.

    Raises DatabaseFault where the Data API does not return it: queries bound each list and text, so
    only a mistake in one makes its answer too large.
    """
    used = {key: value for key, value in PARAMETERS.items() if f":{key}" in sql}
    try:
        [[answer]] = reading.execute(sql, used)
    except TooLarge as error:
        why = "the answer has more than the 1 MiB that the Data API returns"
        raise DatabaseFault(why) from error
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
