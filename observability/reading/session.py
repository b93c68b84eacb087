"""A transaction of the RDS Data API that can change nothing, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from observability.database.client import DBManager, parameter
from observability.errors import DatabaseFault, Rejected, Transient, UsageError
from observability.log import printable

READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

# Just under the 45 seconds of the Data API, so that PostgreSQL ends the statement and says so; what
# casts to text depend on; and what is good for few queries over many rows.
SETTINGS_SQL = """
SELECT set_config('statement_timeout', '44s', true), set_config('TimeZone', 'UTC', true),
       set_config('DateStyle', 'ISO', true), set_config('bytea_output', 'hex', true),
       set_config('work_mem', '64MB', true), set_config('jit', 'off', true)"""

STATE = re.compile(r"SQLState: (\w{5})")
POSITION = re.compile(r"; Position: (\d+)")
WRONG_QUERY_STATES = ("0A", "25001", "25006", "42")
"""Not supported, read-only transaction, syntax or access: the statement has to be another one."""
CANCELED = ("57014", "StatementTimeoutException")
TOO_LARGE = re.compile("exceeds? .*size limit", re.IGNORECASE)
INVALID = "(ValidationException)"


class TooLarge(Exception):
    """The answer has more than the 1 MiB that the Data API returns."""


@contextmanager
def read_only(db: DBManager, snapshot: str = "") -> Iterator[Reading]:
    """A transaction that sees one state of the database, and is rolled back in the end.

    With the `snapshot` of another one, which has to last until then, it sees the same state.
    """
    with db.transaction(keep=False) as transaction:
        reading = Reading(db, transaction)
        reading.execute(READ_ONLY)
        if snapshot:
            reading.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        reading.execute(SETTINGS_SQL)
        yield reading


class Reading:
    """A read-only transaction: each statement is one call."""

    def __init__(self, db: DBManager, transaction: str) -> None:
        self.db, self.transaction = db, transaction

    def execute(
        self, sql: str, parameters: Mapping[str, str | int] | None = None, before: int = 0
    ) -> list[list[Any]]:
        """The records of a statement; `before` characters of it are not the user's own.

        Raises UsageError for a statement that is wrong, DatabaseFault for one that fails, TooLarge,
        Transient, and botocore's ClientError for the rest.
        """
        return records(self.answer(sql, parameters or {}, before))

    def describe(self, sql: str, before: int = 0) -> list[tuple[str, str]]:
        """The columns of a statement that gives no rows: (label, PostgreSQL's type)."""
        answer = self.answer(sql, {}, before, includeResultMetadata=True)
        return [(one["label"], one["typeName"]) for one in answer.get("columnMetadata", ())]

    def answer(
        self, sql: str, parameters: Mapping[str, str | int], before: int, **more: Any
    ) -> Mapping[str, Any]:
        """The Data API's answer."""
        from botocore.exceptions import ClientError

        try:
            answer: Mapping[str, Any] = self.db.call(
                "execute_statement",
                database=self.db.settings.database,
                transactionId=self.transaction,
                sql=sql,
                parameters=[parameter(name, value) for name, value in parameters.items()],
                **more,
            )
        except (ClientError, DatabaseFault, Rejected, Transient) as error:
            raise query_meaning(error, before) from error
        return answer


def records(answer: Mapping[str, Any]) -> list[list[Any]]:
    """The records of an answer as plain values."""
    return [
        [None if field.get("isNull") else next(iter(field.values())) for field in record]
        for record in answer.get("records", ())
    ]


def query_meaning(error: Exception, before: int) -> Exception:
    """What an error of the database means to somebody who reads."""
    from botocore.exceptions import ClientError

    cause = error if isinstance(error, ClientError) else error.__cause__
    if not isinstance(cause, ClientError):
        return error
    code, message = cause.response["Error"]["Code"], cause.response["Error"]["Message"]
    state = STATE.search(message)
    if TOO_LARGE.search(message):
        return TooLarge(message)
    if code in CANCELED or (state and state[1] in CANCELED):
        return DatabaseFault(
            "the query takes more than the 45 s of the RDS Data API: narrow it down, or aggregate"
        )
    if INVALID in str(cause) or (state and state[1].startswith(WRONG_QUERY_STATES)):
        return UsageError(f"the database refuses the query: {words(message, before)}")
    if state and not isinstance(error, Transient):
        return DatabaseFault(f"the query fails: {words(message, before)}")
    return error


def words(message: str, before: int) -> str:
    """PostgreSQL's error in one line, with its place in the user's own text."""
    position = POSITION.search(message)
    at = int(position[1]) - before if position else 0
    answer = re.sub(r"; (Position: \d+|SQLState: \w{5})", "", message).removeprefix("ERROR: ")
    return printable(answer) + (f" (at character {at})" if at > 0 else "")
