"""A strict RDS Data API over a real PostgreSQL, without its transport.

What is strict about it: parameters are bound with the types that AWS declares for them, so a cast
that is missing fails here as it fails there; sizes, names and ids are checked; a transaction runs
one statement at a time; results are rendered, limited and refused as on Aurora PostgreSQL.

    HTTP request -> DataApi.handle -> checks -> planned fault? -> operation -> HttpAnswer
                                                                      |
                                                       a pooled session or a transaction's
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from psycopg import pq

from .rdsdata.errors import (
    EXPIRED,
    TERMINATED,
    ServiceError,
    database_error,
    invalid,
    transaction_not_found,
)
from .rdsdata.faults import CUT, DataApiFaults, Fault
from .rdsdata.requests import Request, check_request, parse_request
from .rdsdata.results import execute_answer, too_large
from .rdsdata.scanner import PARAMETER_NAME, Statement, scan
from .rdsdata.sessions import (
    Limits,
    Session,
    SessionLostError,
    SessionPool,
    StatementTimedOutError,
)
from .rdsdata.values import Bound, bind

__all__ = ["ApiCall", "DataApi", "DataApiFaults", "Fault", "HttpAnswer", "Limits"]

LOG_LENGTH = 100_000
LONGEST_STATEMENT_SECONDS = 86_400.0
# How many ended transactions are remembered with the reason of their end.
REMEMBERED = 10_000

# SQLStates with which the server ends a session for its transaction's idleness or age.
TRANSACTION_TIMEOUTS = ("25P03", "25P04")

COPY_MESSAGES = {
    pq.ExecStatus.COPY_IN: "CopyInResponse",
    pq.ExecStatus.COPY_OUT: "CopyOutResponse",
    pq.ExecStatus.COPY_BOTH: "CopyBothResponse",
}


@dataclass(frozen=True)
class HttpAnswer:
    """An answer for the transport. `cut`: close the connection without answering."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool = False


@dataclass(frozen=True)
class ApiCall:
    """What one call was and did. `outcome` is "ok", "cut" or the error's code.

    `started` is monotonic; the bytes are those of the bodies.
    """

    path: str
    sql: str
    transaction: str
    started: float
    seconds: float
    request_bytes: int
    response_bytes: int
    outcome: str


@dataclass(frozen=True)
class Transaction:
    """An open transaction. `busy` is held while one of its statements runs."""

    identifier: str
    session: Session
    database: str
    busy: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Lease:
    """A session for one call. `detached`: a statement goes on, its end releases the session."""

    session: Session
    release: Callable[[], None]
    transaction: Transaction | None = None
    detached: bool = False


class CutError(Exception):
    """A planned fault: end the connection without an answer."""


class DataApi:
    """The Data API of one cluster. `handle` may be called by many threads at once.

    Args:
        dsn_for: libpq's connection string of a database by name.
        cluster_arn: the only resource there is.
        secret_arn: the secret that opens it.
        default_database: for calls that name none. AWS takes the one named like the user.
        user: whom the secret stands for.
        limits: the service's limits, AWS's by default.

    Attributes:
        logins: the users that secrets stand for; more may be added.
        limits: may be changed; times of transactions concern new sessions only.
        faults: what shall go wrong.
        empty_commits: how many transactions were aborted when they were to be committed. The
            service answers "Transaction Committed" there, too, although nothing is.
    """

    def __init__(
        self,
        dsn_for: Callable[[str], str],
        *,
        cluster_arn: str,
        secret_arn: str,
        default_database: str,
        user: str = "postgres",
        limits: Limits | None = None,
    ) -> None:
        self.cluster_arn = cluster_arn
        self.logins = {secret_arn: user}
        self.limits = limits or Limits()
        self.faults = DataApiFaults()
        self.empty_commits = 0
        self._calls: deque[ApiCall] = deque(maxlen=LOG_LENGTH)
        self._default_database = default_database
        self._pool = SessionPool(dsn_for, self.limits)
        self._transactions: dict[str, Transaction] = {}
        self._ends: dict[str, str] = {}
        self._lock = threading.Lock()
        self._operations: dict[str, Callable[[Request, Fault | None], dict[str, Any]]] = {
            "/Execute": self._execute,
            "/BatchExecute": self._batch_execute,
            "/BeginTransaction": self._begin,
            "/CommitTransaction": self._commit,
            "/RollbackTransaction": self._rollback,
        }

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Carry out one request and answer it. AWS's errors are answers, too."""
        started = time.monotonic()
        request: Request = {}
        outcome = "ok"
        try:
            if path not in self._operations:
                raise ServiceError("UnknownOperationException", f"{path} is no operation")
            request = parse_request(headers, body, self.limits)
            answer = self._answer(path, request)
        except ServiceError as error:
            answer = _error_answer(error)
            outcome = error.code
        except CutError:
            answer = HttpAnswer(0, {}, b"", cut=True)
            outcome = CUT
        call = ApiCall(
            path=path,
            sql=str(request.get("sql", "")),
            transaction=str(request.get("transactionId", "")),
            started=started,
            seconds=time.monotonic() - started,
            request_bytes=len(body),
            response_bytes=len(answer.body),
            outcome=outcome,
        )
        with self._lock:
            self._calls.append(call)
        return answer

    @property
    def calls(self) -> list[ApiCall]:
        """What was done so far, the newest last; the last 100,000 calls."""
        with self._lock:
            return list(self._calls)

    @property
    def open_transactions(self) -> int:
        """How many transactions are neither committed, rolled back nor expired."""
        self._sweep()
        with self._lock:
            return len(self._transactions)

    def forget_calls(self) -> None:
        """Start the record of calls anew."""
        with self._lock:
            self._calls.clear()

    def close(self) -> None:
        """Roll back what is open and close every session. No call may be under way."""
        with self._lock:
            transactions = list(self._transactions.values())
            self._transactions.clear()
        for transaction in transactions:
            transaction.session.close()
        self.release_sessions()

    def release_sessions(self) -> None:
        """Close the idle sessions, so that a database can be dropped or copied."""
        self._pool.close()

    # One request

    def _answer(self, path: str, request: Request) -> HttpAnswer:
        check_request(path, request)
        self._check_identity(request)
        if self.faults.latency:
            time.sleep(self.faults.latency)
        fault = self.faults.take(path, request.get("sql", ""), "transactionId" in request)
        if fault and not fault.after and not fault.sql_state:
            self._strike(fault, request)
        answer = self._operations[path](request, fault)
        body = _encode(answer)
        formatted = "formattedRecords" in answer
        if len(body) > (self.limits.formatted_bytes if formatted else self.limits.result_bytes):
            raise too_large()
        if fault and fault.after:
            self._strike(fault, request)
        return HttpAnswer(200, _headers(), body)

    def _check_identity(self, request: Request) -> None:
        if request["resourceArn"] != self.cluster_arn:
            raise ServiceError(
                "HttpEndpointNotEnabledException",
                f"HttpEndpoint is not enabled for resource {request['resourceArn']}",
            )
        if request["secretArn"] not in self.logins:
            raise ServiceError(
                "SecretsErrorException", "Secrets Manager can't find the specified secret."
            )

    def _strike(self, fault: Fault, request: Request) -> NoReturn:
        """Let a planned fault happen."""
        identifier = request.get("transactionId", "")
        if fault.ends_transaction and identifier:
            with self._lease(request) as lease:
                self._end(lease.transaction, TERMINATED)
        if fault.code == CUT:
            raise CutError
        if fault.code == "TransactionNotFoundException":
            raise transaction_not_found(identifier, EXPIRED)
        raise ServiceError(fault.code, fault.message)

    # Operations

    def _execute(self, request: Request, fault: Fault | None) -> dict[str, Any]:
        statement = scan(request["sql"])
        parameters = _bind_all(statement, request.get("parameters", []))
        keep_running = request.get("continueAfterTimeout", False)
        with self._lease(request) as lease:
            result = self._run(lease, statement, parameters, fault, keep_running)
            return execute_answer(lease.session, result, request, self.limits)

    def _batch_execute(self, request: Request, fault: Fault | None) -> dict[str, Any]:
        """Run the statement once per parameter set, each committed for itself as AWS may do."""
        statement = scan(request["sql"])
        sets = [_bind_all(statement, each) for each in request.get("parameterSets", [])]
        with self._lease(request) as lease:
            for parameters in sets:
                self._run(lease, statement, parameters, fault)
        return {"updateResults": [{"generatedFields": []} for _ in sets]}

    def _begin(self, request: Request, fault: Fault | None) -> dict[str, Any]:
        self._sweep()
        database = request.get("database", "")
        session = self._session(request)
        lease = Lease(session, lambda: None)
        try:
            self._run(lease, Statement(b"BEGIN", ()), (), fault)
        except ServiceError:
            self._pool.give_back(session)
            raise
        identifier = base64.b64encode(secrets.token_bytes(90)).decode()
        with self._lock:
            self._transactions[identifier] = Transaction(identifier, session, database)
        return {"transactionId": identifier}

    def _commit(self, request: Request, fault: Fault | None) -> dict[str, Any]:
        with self._lease(request) as lease:
            try:
                result = self._run(lease, Statement(b"COMMIT", ()), (), fault)
            finally:
                self._end(lease.transaction, "")
        if result.command_status == b"ROLLBACK":
            with self._lock:
                self.empty_commits += 1
        return {"transactionStatus": "Transaction Committed"}

    def _rollback(self, request: Request, fault: Fault | None) -> dict[str, Any]:
        with self._lease(request) as lease:
            self._end(lease.transaction, "")
        return {"transactionStatus": "Rollback Complete"}

    # Sessions and transactions

    def _session(self, request: Request) -> Session:
        """A session of the user and with the database that a call names."""
        database = request.get("database") or self._default_database
        return self._pool.take(database, self.logins[request["secretArn"]])

    @contextmanager
    def _lease(self, request: Request) -> Iterator[Lease]:
        """The session for a call: its transaction's, or a fresh one."""
        if "transactionId" in request:
            lease = self._lease_of_transaction(request)
        else:
            session = self._session(request)
            lease = Lease(session, lambda: self._pool.give_back(session))
        try:
            yield lease
        finally:
            if not lease.detached:
                lease.release()

    def _lease_of_transaction(self, request: Request) -> Lease:
        identifier = request["transactionId"]
        with self._lock:
            transaction = self._transactions.get(identifier)
            if transaction is None:
                raise transaction_not_found(identifier, self._ends.get(identifier, ""))
            if request.get("database", transaction.database) != transaction.database:
                raise invalid("Database name is not the same as transaction")
            # Under the lock, so that it is not ended between being found and being taken.
            if not transaction.busy.acquire(blocking=False):
                raise ServiceError("DatabaseErrorException", "Transaction is still running a query")
        if transaction.session.is_lost():
            self._end(transaction, EXPIRED)
            transaction.busy.release()
            raise transaction_not_found(identifier, EXPIRED)
        return Lease(transaction.session, transaction.busy.release, transaction)

    def _end(self, transaction: Transaction | None, reason: str) -> None:
        """Forget a transaction, rolled back unless it is committed. The caller holds `busy`."""
        if transaction is None:
            return
        with self._lock:
            known = self._forget(transaction, reason)
        if known:
            self._pool.give_back(transaction.session)

    def _forget(self, transaction: Transaction, reason: str) -> bool:
        """Whether it was known. `reason` is what its next user is told. The lock is held."""
        known = self._transactions.pop(transaction.identifier, None)
        self._ends[transaction.identifier] = reason
        if len(self._ends) > REMEMBERED:
            self._ends.pop(next(iter(self._ends)))
        return known is not None

    def _sweep(self) -> None:
        """Forget the transactions that the server ended and nobody asks for."""
        with self._lock:
            idle = [each for each in self._transactions.values() if not each.busy.locked()]
            lost = [each for each in idle if each.session.is_lost()]
            for transaction in lost:
                self._forget(transaction, EXPIRED)
        for transaction in lost:
            transaction.session.close()

    def _run(
        self,
        lease: Lease,
        statement: Statement,
        parameters: Sequence[Bound],
        fault: Fault | None,
        keep_running: bool = False,
    ) -> pq.abc.PGresult:
        """Run a statement and return its result. Raises ServiceError for every failure."""
        if fault and fault.sql_state:
            statement, parameters = fault.raising(), ()
        try:
            result = lease.session.run(statement, parameters, self.limits.statement_seconds)
        except StatementTimedOutError as error:
            raise self._time_out(lease, keep_running) from error
        except SessionLostError as error:
            self._end(lease.transaction, TERMINATED)
            raise ServiceError("DatabaseUnavailableException") from error
        self._check_transaction(lease, result)
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise database_error(result)
        if message := COPY_MESSAGES.get(pq.ExecStatus(result.status)):
            raise ServiceError("DatabaseErrorException", f"execute: unexpected message: {message}")
        return result

    def _check_transaction(self, lease: Lease, result: pq.abc.PGresult) -> None:
        """Forget the transaction if the statement, or the server meanwhile, has ended it."""
        transaction = lease.transaction
        if transaction is None or lease.session.status in (
            pq.TransactionStatus.INTRANS,
            pq.TransactionStatus.INERROR,
        ):
            return
        self._end(transaction, TERMINATED)
        state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        if state in TRANSACTION_TIMEOUTS:
            raise transaction_not_found(transaction.identifier, EXPIRED)

    def _time_out(self, lease: Lease, keep_running: bool) -> ServiceError:
        """Cancel the statement, which aborts its transaction, or let it go on by itself."""
        process = lease.session.process_id
        if keep_running:
            lease.detached = True
            threading.Thread(target=_wait_and_release, args=(lease,), daemon=True).start()
        else:
            lease.session.cancel()
        return ServiceError("StatementTimeoutException", "Request timed out", process)


def _wait_and_release(lease: Lease) -> None:
    """See a statement through that goes on after its call was answered."""
    try:
        lease.session.result(time.monotonic() + LONGEST_STATEMENT_SECONDS)
    except (SessionLostError, StatementTimedOutError):
        lease.session.close()
    finally:
        lease.release()


def _bind_all(statement: Statement, parameters: Sequence[Mapping[str, Any]]) -> list[Bound]:
    """The values in the order of `$1`, `$2`, ... Each name must fit exactly one parameter."""
    values: dict[str, Mapping[str, Any]] = {}
    for parameter in parameters:
        name = parameter.get("name")
        if not isinstance(name, str) or not PARAMETER_NAME.fullmatch(name):
            raise invalid(f"Named parameter syntax is invalid, input: {name}")
        if name in values:
            raise invalid(f"Parameter {name} is given twice")
        values[name] = parameter
    for name in statement.names:
        if name not in values:
            raise invalid(f"Cannot find parameter: {name}")
    for name in values:
        if name not in statement.names:
            raise invalid(f"Parameter {name} is not used by the statement")
    return [bind(values[name]) for name in statement.names]


def _encode(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _headers() -> dict[str, str]:
    return {"Content-Type": "application/json", "x-amzn-RequestId": secrets.token_hex(16)}


def _error_answer(error: ServiceError) -> HttpAnswer:
    content: dict[str, Any] = {"message": error.message} if error.message else {}
    if error.connection_id is not None:
        content["dbConnectionId"] = error.connection_id
    headers = _headers() | {"x-amzn-ErrorType": error.code}
    return HttpAnswer(error.status, headers, _encode(content))
