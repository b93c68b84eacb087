"""The RDS Data API, one call at a time, and what its errors mean."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any

from observability.aws.receiver_clients import connect, observe
from observability.database.catalogue import (
    CATALOGUE_SQL,
    Catalogue,
    Names,
    catalogue_of,
    newer,
    own_names,
    parse_names,
    version_of,
)
from observability.database.errors import RESUMING, database_meaning
from observability.database.schema import own_schema
from observability.errors import Transient
from observability.log import Log, log_account, log_event
from observability.settings.receiver import Settings
from observability.stopping import backoff, wait

if TYPE_CHECKING:
    from mypy_boto3_rds_data import RDSDataServiceClient
    from mypy_boto3_rds_data.type_defs import ExecuteStatementResponseTypeDef, SqlParameterTypeDef

Value = str | int | bool

TURN: ContextVar[Callable[[], None] | None] = ContextVar("TURN", default=None)
"""What this thread's statement waits for before it is sent."""


class DBManager:
    """The database through the RDS Data API: statements, transactions, waiting for it to wake.

    Retries are all here and in `load_file`: the SDK's own would run a statement twice.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        log_account(settings.cluster_arn.split(":")[4])
        self.client: RDSDataServiceClient = connect("rds-data", settings, attempts=1)
        self.calls = observe(self.client)
        self.client.meta.events.register("before-call.rds-data.ExecuteStatement", wait_for_turn)
        self.gave_up = threading.Event()
        self.deadline = math.inf
        self.reach = math.inf
        """Seconds, if less than `patience`, to wait for an endpoint that takes no connection."""
        self.log = Log()

    def begin(self, deadline: float) -> None:
        """Begin a run that has until a time (monotonic); what an earlier one met is forgotten."""
        self.deadline = deadline
        self.gave_up.clear()

    def check_time(self) -> None:
        """Raise Transient once the run's time is used up; nobody waits any longer then."""
        if time.monotonic() > self.deadline:
            self.gave_up.set()
            raise Transient("the run's time is used up")

    def call(self, operation: str, **parameters: Any) -> Any:
        """One call of the Data API, waiting out a database that is resuming.

        Nothing was run then. Whatever else may pass is waited out only outside transactions,
        where a call may be repeated. Raises Transient for what may pass, Rejected for values that
        the database cannot take, DatabaseFault for what it refuses beside, botocore's ClientError
        for the rest.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.exceptions import ConnectionError as NotConnected

        started, logged = time.monotonic(), ""
        target = {
            "resourceArn": self.settings.cluster_arn,
            "secretArn": self.settings.secret_arn,
        }
        for attempt in count():
            self.check_time()
            try:
                return getattr(self.client, operation)(**target, **parameters)
            except (BotoCoreError, ClientError) as error:
                meaning = database_meaning(error)
                alone = isinstance(meaning, Transient) and "transactionId" not in parameters
                briefly = isinstance(error, NotConnected) and self.reach < self.settings.patience
                deadline = started + (self.reach if briefly else self.settings.patience)
                late = self.gave_up.is_set() or time.monotonic() > deadline
                if late or not (alone or RESUMING in str(error)):
                    raise meaning from error
                if not briefly and logged != (logged := str(meaning)):  # what repeats, once
                    log_event("INFO", f"waiting for the database: {meaning}", attempt=attempt + 1)
                wait(backoff(attempt))
        raise AssertionError("count() has no end")

    def execute(
        self,
        sql: str,
        parameters: Mapping[str, Value],
        transaction: str | None = None,
        *,
        turn: Callable[[], None] | None = None,
        **more: Any,
    ) -> list[list[Any]]:
        """Run one statement and return its records as plain values.

        `turn` is called once the request is encoded, just before it is sent, and may wait there: of
        a transaction the Data API runs one statement at a time.
        """
        if transaction:
            more["transactionId"] = transaction
        token = TURN.set(turn)
        try:
            answer: ExecuteStatementResponseTypeDef = self.call(
                "execute_statement",
                database=self.settings.database,
                sql=sql,
                parameters=[parameter(name, value) for name, value in parameters.items()],
                **more,
            )
        finally:
            TURN.reset(token)
        return [[cell(f) for f in record] for record in answer.get("records", [])]

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[str]:
        """A transaction: committed at the end if `keep`, rolled back otherwise and on errors."""
        begun = self.call("begin_transaction", database=self.settings.database)
        transaction: str = begun["transactionId"]
        committed = False
        try:
            yield transaction
            if keep:
                self.call("commit_transaction", transactionId=transaction)
                committed = True
        finally:
            if not committed:  # or perhaps it is, and only the answer was lost
                self.roll_back(transaction)

    def roll_back(self, transaction: str) -> None:
        """Free the transaction's locks now; if that fails the Data API does it after 3 minutes."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client.rollback_transaction(
                resourceArn=self.settings.cluster_arn,
                secretArn=self.settings.secret_arn,
                transactionId=transaction,
            )
        except (BotoCoreError, ClientError) as error:
            meaning = database_meaning(error)
            log_event("INFO", f"rollback not confirmed: {meaning}")

    def catalogue(self) -> Catalogue:
        """Columns, types and keys; raises UsageError where the schema is missing or too old.

        A newer schema is logged once.
        """
        names, own = self.names(), own_schema()
        found = catalogue_of(names, own)
        if (version := version_of(names)) > own.version:
            self.log.log_once(newer(version, own))
        return found

    def schema_version(self) -> int:
        """The version of a schema that has all that is needed; raises UsageError like catalogue."""
        names = self.names()
        catalogue_of(names, own_schema())
        return version_of(names)

    def names(self, transaction: str | None = None) -> Names:
        """Of what schema.sql names, what there is."""
        [[answer]] = self.execute(CATALOGUE_SQL, {"own": own_names()}, transaction)
        return parse_names(answer)


def wait_for_turn(**_: Any) -> None:
    """At botocore's event before-call, which comes when the body has been made."""
    if turn := TURN.get():
        turn()


def parameter(name: str, value: Value) -> SqlParameterTypeDef:
    if isinstance(value, bool):
        return {"name": name, "value": {"booleanValue": value}}
    if isinstance(value, int):
        return {"name": name, "value": {"longValue": value}}
    return {"name": name, "value": {"stringValue": value}}


def cell(value: Mapping[str, Any]) -> Any:
    """The Python value of a Data API field."""
    if value.get("isNull"):
        return None
    return next(iter(value.values()))
