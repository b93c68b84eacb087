"""Sessions of the database behind the Data API: single statements with a deadline, and a pool."""

from __future__ import annotations

import re
import select
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from .errors import ServiceError
from .scanner import Statement
from .values import BINARY_FORMAT, Bound

COMMAND_SECONDS = 60.0
MOST_IDLE_SESSIONS = 48

COPYING = (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH)

# What the server says while it refuses a connection; libpq hands on no SQLState there.
REFUSALS = (
    (re.compile(r'FATAL: +(database ".*" does not exist)'), "3D000"),
    (re.compile(r"FATAL: +(sorry, too many clients already)"), "53300"),
    (re.compile(r"FATAL: +(remaining connection slots are reserved .*)"), "53300"),
    (re.compile(r"FATAL: +(too many connections for .*)"), "53300"),
)


@dataclass
class Limits:
    """The service's limits. A test lowers one to meet it soon; the defaults are AWS's.

    Times are in seconds, sizes in bytes. `row_bytes` is documented as 65,536 but was not seen
    enforced for PostgreSQL; None leaves it out.
    """

    statement_seconds: float = 45.0
    idle_seconds: float = 180.0
    transaction_seconds: float = 86_400.0
    request_bytes: int = 4 * 1024 * 1024
    result_bytes: int = 1024 * 1024
    formatted_bytes: int = 10 * 1024 * 1024
    row_bytes: int | None = None


class StatementTimedOutError(Exception):
    """The statement is still running at its deadline."""


class SessionLostError(Exception):
    """The server ended the session, so its transaction is gone."""


class Session:
    """One connection to the database. Not for use by two threads at once."""

    def __init__(self, conninfo: str, database: str, user: str) -> None:
        self.database = database
        self.user = user
        self._connection = pq.PGconn.connect(conninfo.encode())
        if self._connection.status != pq.ConnStatus.OK:
            raise _refusal(self._connection.get_error_message())
        self._poll = select.poll()
        self._poll.register(self._connection.socket, select.POLLIN)

    @property
    def process_id(self) -> int:
        return self._connection.backend_pid

    @property
    def status(self) -> pq.TransactionStatus:
        return pq.TransactionStatus(self._connection.transaction_status)

    def is_lost(self) -> bool:
        """Whether the server ended this idle session: it would have said so by now."""
        return self._connection.status != pq.ConnStatus.OK or bool(self._poll.poll(0))

    def run(
        self, statement: Statement, parameters: Sequence[Bound], seconds: float
    ) -> pq.abc.PGresult:
        """Run one statement and return its result, an error of the server included.

        Raises StatementTimedOutError (the statement is left running) and SessionLostError.
        """
        try:
            self._connection.send_query_params(
                statement.text,
                [parameter.data for parameter in parameters],
                [parameter.oid for parameter in parameters],
                [parameter.format for parameter in parameters],
                BINARY_FORMAT,
            )
        except psycopg.OperationalError as error:
            raise SessionLostError(str(error)) from error
        return self.result(time.monotonic() + seconds)

    def command(self, text: bytes) -> pq.abc.PGresult:
        """Run a statement of the service's own."""
        return self.run(Statement(text, ()), (), COMMAND_SECONDS)

    def result(self, deadline: float) -> pq.abc.PGresult:
        """Wait for the result of the running statement until `deadline` (monotonic)."""
        first: pq.abc.PGresult | None = None
        try:
            while True:
                self._wait(deadline)
                result = self._connection.get_result()
                if result is None:
                    break
                first = first or result
                if result.status in COPYING:
                    self.close()
                    return result
        except psycopg.OperationalError as error:
            # The server's last words, if any, say why it ended the session.
            if first is None:
                raise SessionLostError(str(error)) from error
        if first is None:
            raise SessionLostError("no result")
        return first

    def _wait(self, deadline: float) -> None:
        while self._connection.is_busy():
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise StatementTimedOutError
            self._connection.consume_input()

    def cancel(self) -> None:
        """Stop the running statement and wait until it has stopped."""
        self._connection.get_cancel().cancel()
        self.result(time.monotonic() + COMMAND_SECONDS)

    def reset(self) -> bool:
        """Make the session as good as new; False if it is lost."""
        try:
            if self.status != pq.TransactionStatus.IDLE:
                self.command(b"ROLLBACK")
            return self.command(b"DISCARD ALL").status == pq.ExecStatus.COMMAND_OK
        except (SessionLostError, StatementTimedOutError):
            return False

    def close(self) -> None:
        self._connection.finish()


class SessionPool:
    """Idle sessions, the longest idle first. What it hands out is as good as new."""

    def __init__(self, dsn_for: Callable[[str], str], limits: Limits) -> None:
        self._dsn_for = dsn_for
        self._limits = limits
        self._lock = threading.Lock()
        self._idle: list[Session] = []

    def take(self, database: str, user: str) -> Session:
        """An unused session; a new one if none is idle. Raises ServiceError if refused."""
        while session := self._take_idle(database, user):
            if not session.is_lost():
                return session
            session.close()
        return Session(self._conninfo(database, user), database, user)

    def _take_idle(self, database: str, user: str) -> Session | None:
        with self._lock:
            for index in reversed(range(len(self._idle))):
                if (self._idle[index].database, self._idle[index].user) == (database, user):
                    return self._idle.pop(index)
        return None

    def give_back(self, session: Session) -> None:
        """Take a session back, whatever state it is in."""
        if not session.reset():
            session.close()
            return
        with self._lock:
            self._idle.append(session)
            surplus = self._idle.pop(0) if len(self._idle) > MOST_IDLE_SESSIONS else None
        if surplus is not None:
            surplus.close()

    def close(self) -> None:
        """Close the idle sessions, as is necessary before their database can be dropped."""
        with self._lock:
            sessions, self._idle = self._idle, []
        for session in sessions:
            session.close()

    def _conninfo(self, database: str, user: str) -> str:
        # The server itself ends transactions that are idle or open for too long.
        settings = {
            "TimeZone": "UTC",
            "idle_in_transaction_session_timeout": f"{self._limits.idle_seconds * 1000:.0f}",
            "transaction_timeout": f"{self._limits.transaction_seconds * 1000:.0f}",
        }
        return make_conninfo(
            self._dsn_for(database),
            user=user,
            client_encoding="UTF8",
            application_name="rds-data-api",
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
        )


def _refusal(message: str) -> ServiceError:
    for pattern, state in REFUSALS:
        if match := pattern.search(message):
            return ServiceError("DatabaseErrorException", f"FATAL: {match[1]}; SQLState: {state}")
    return ServiceError("DatabaseUnavailableException")
