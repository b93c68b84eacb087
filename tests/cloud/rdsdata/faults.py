"""Faults of the Data API on demand: which call goes wrong, how, and how often."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, replace

from .scanner import Statement

CUT = "cut"
RESUMING = "DatabaseResumingException"
# The operations for which AWS's model declares DatabaseResumingException.
MAY_RESUME = ("/Execute", "/BatchExecute", "/BeginTransaction")

SQL_STATES = {
    "40001": "could not serialize access due to concurrent update",
    "40P01": "deadlock detected",
    "53300": "sorry, too many clients already",
    "55P03": "canceling statement due to lock timeout",
    "57014": "canceling statement due to user request",
}


@dataclass
class Fault:
    """One planned fault.

    Args:
        code: the error to answer, or CUT for a connection that ends without an answer.
        message: the error's text.
        paths: the operations it concerns; empty for all.
        sql: a part of the statement's text, in any case; empty for all.
        skip: how many of the calls it concerns go well first.
        times: how many then go wrong; None for all.
        seconds: how long calls go wrong, from the first one on; None for no end in time.
        after: the call is carried out, only its answer is lost or replaced.
        sql_state: the database itself raises this error in place of the statement.
        ends_transaction: the call's transaction is rolled back and forgotten.
        in_transaction: it concerns only calls with a transactionId.
    """

    code: str
    message: str = ""
    paths: tuple[str, ...] = ()
    sql: str = ""
    skip: int = 0
    times: int | None = 1
    seconds: float | None = None
    after: bool = False
    sql_state: str = ""
    ends_transaction: bool = False
    in_transaction: bool = False
    _until: float | None = None

    def concerns(self, path: str, sql: str, in_transaction: bool) -> bool:
        """Whether it is about such a call, whether or not it is this one's turn."""
        return (
            (not self.paths or path in self.paths)
            and (in_transaction or not self.in_transaction)
            and self.sql.lower() in sql.lower()
        )

    def raising(self) -> Statement:
        """A statement with which the database raises `sql_state`."""
        text = (
            "DO $$BEGIN RAISE EXCEPTION USING "
            f"ERRCODE = '{self.sql_state}', MESSAGE = '{self.message}'; END$$"
        )
        return Statement(text.encode(), ())

    def is_due(self) -> bool:
        """Count one call that it concerns, and say whether that one goes wrong."""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.seconds is not None:
            now = time.monotonic()
            self._until = self._until or now + self.seconds
            if now >= self._until:
                return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


class DataApiFaults:
    """The switches of the Data API. Thread-safe; `clear` ends every fault.

    Each method plans one fault. What they share: `path` ("/Execute", "/CommitTransaction", ...)
    and `sql` (a part of the text) choose the calls, `skip` of which go well before `times` (None:
    all) go wrong. Of several faults for one call, the one planned first strikes.

    Attributes:
        latency: seconds that every call takes longer.
        injected: how often each code has struck.
    """

    def __init__(self) -> None:
        self.latency = 0.0
        self.injected: Counter[str] = Counter()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget all faults, the latency and the counts."""
        with self._lock:
            self._faults.clear()
            self.injected.clear()
            self.latency = 0.0

    def plan(self, fault: Fault) -> None:
        """Add a fault of any kind."""
        with self._lock:
            self._faults.append(fault)

    def take(self, path: str, sql: str, in_transaction: bool) -> Fault | None:
        """The fault that strikes this call, if any. Called once per call."""
        with self._lock:
            for fault in self._faults:
                if fault.concerns(path, sql, in_transaction) and fault.is_due():
                    self.injected[fault.code] += 1
                    return fault
        return None

    def resume(
        self,
        *,
        seconds: float | None = None,
        times: int | None = None,
        path: str = "",
        sql: str = "",
        skip: int = 0,
    ) -> None:
        """The database was paused: it resumes for `seconds`, or `times` calls, or for ever."""
        message = (
            "The Aurora DB instance db-embedded is resuming after being auto-paused. "
            "Please wait a few seconds and try again."
        )
        paths = (path,) if path else MAY_RESUME
        self.plan(Fault(RESUMING, message, paths, sql, skip, times, seconds))

    def fail(
        self,
        code: str,
        message: str = "",
        *,
        after: bool = False,
        path: str = "",
        sql: str = "",
        skip: int = 0,
        times: int | None = 1,
    ) -> None:
        """Answer with an error of the service: InternalServerErrorException (500),
        ServiceUnavailableError (503), DatabaseUnavailableException (504), ...

        `after`: the call is carried out, although the answer says otherwise.
        """
        self.plan(Fault(code, message, _paths(path), sql, skip, times, after=after))

    def cut(
        self,
        *,
        after: bool = False,
        path: str = "",
        sql: str = "",
        skip: int = 0,
        times: int | None = 1,
    ) -> None:
        """The connection ends without an answer, before or after the call is carried out."""
        self.plan(Fault(CUT, "", _paths(path), sql, skip, times, after=after))

    def cut_after_commit(self, *, skip: int = 0, times: int | None = 1) -> None:
        """The transaction is committed, and the connection ends before the answer."""
        self.cut(after=True, path="/CommitTransaction", skip=skip, times=times)

    def database_error(
        self,
        sql_state: str,
        *,
        path: str = "/Execute",
        sql: str = "",
        skip: int = 0,
        times: int | None = 1,
    ) -> None:
        """The database raises `sql_state` (40P01 deadlock, 40001 serialization failure, ...) in
        place of the statement. As with a real error, the transaction is then aborted.
        """
        message = SQL_STATES.get(sql_state, "injected error")
        code = "DatabaseErrorException"
        self.plan(Fault(code, message, _paths(path), sql, skip, times, sql_state=sql_state))

    def time_out(
        self,
        *,
        after: bool = False,
        path: str = "/Execute",
        sql: str = "",
        skip: int = 0,
        times: int | None = 1,
    ) -> None:
        """StatementTimeoutException at once, as after 45 seconds. The transaction is lost, where
        a real timeout leaves it aborted: AWS promises neither, so clients must bear both.

        `after`: the statement is carried out nevertheless, as with continueAfterTimeout.
        """
        fault = Fault("StatementTimeoutException", "Request timed out", _paths(path), sql, skip)
        self.plan(replace(fault, times=times, after=after, ends_transaction=not after))

    def vanish(
        self, *, path: str = "/Execute", sql: str = "", skip: int = 0, times: int | None = 1
    ) -> None:
        """The call's transaction is gone: rolled back, TransactionNotFoundException."""
        fault = Fault("TransactionNotFoundException", "", _paths(path), sql, skip, times)
        self.plan(replace(fault, ends_transaction=True, in_transaction=True))

    def still_running(
        self, *, path: str = "/Execute", sql: str = "", skip: int = 0, times: int | None = 1
    ) -> None:
        """`Transaction is still running a query`; nothing is run."""
        message = "Transaction is still running a query"
        fault = Fault("DatabaseErrorException", message, _paths(path), sql, skip, times)
        self.plan(replace(fault, in_transaction=True))

    def connection_limit(
        self, *, path: str = "/BeginTransaction", skip: int = 0, times: int | None = 1
    ) -> None:
        """The database has no connection left (53300)."""
        message = f"FATAL: {SQL_STATES['53300']}; SQLState: 53300"
        code = "DatabaseErrorException"
        self.plan(Fault(code, message, _paths(path), "", skip, times))


def _paths(path: str) -> tuple[str, ...]:
    return (path,) if path else ()
