"""What errors of S3 and of the RDS Data API mean for a file: passing, refused, or a fault.

The Data API hands on one line of PostgreSQL's error, `ERROR: <words>; SQLState: <state>`, and not
the name of the constraint or table: they are read from the words, which are PostgreSQL's own
(https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

from __future__ import annotations

import re

from observability.database.schema import own_schema
from observability.errors import (
    DatabaseFault,
    NotAsNoted,
    Rejected,
    Transient,
    Unreachable,
    ValueRefused,
)

PASSING_STATES = (
    "08",
    "25006",
    "25P02",
    "25P03",
    "25P04",
    "26000",
    "40",
    "53",
    "55",
    "57",
)
"""Connection, read-only while it fails over, a transaction that is broken or timed out, a prepared
statement that a pooled session has lost, rollback, resources, locks, operator.
"""
LOGIN_STATES = ("28P01", "28000")
"""The database's password is not the secret's: for some seconds of each rotation."""
FAULT_STATES = ("0A000", "21", "23", "2200H", "42501", "428C9", "54")
"""Constraints, sequences, rights, columns and limits that are not about a value. 0A000 is of a rule
that somebody added: PostgreSQL then cannot tell which rows were written.
"""
POSTGRESQL_CLASSES = re.compile(
    "0[0-389ABFLPZ]|10|2[0-8BDF]|34|3[89BDF]|4[024]|5[34578]|72|F0|HV|XX", re.ASCII
)
"""Of PostgreSQL's own states; P0 and others are of what RAISE says in a function of somebody's."""

PASSING_CODES = {
    "ConditionalRequestConflict",
    "OperationAborted",
    "DatabaseResumingException",
    "DatabaseUnavailableException",
    "InternalFailure",
    "InternalServerErrorException",
    "InvalidResourceStateException",
    "RequestTimeout",
    "ServiceUnavailable",
    "ServiceUnavailableError",
    "SlowDown",
    "StatementTimeoutException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionNotFoundException",
}
RESUMING = "DatabaseResumingException"
STILL_RUNNING = "still running a query"
SECRET_CODES = ("InvalidSecretException", "SecretsErrorException")
LOST_CODES = ("BadRequestException", "DatabaseErrorException", "NotFoundException")
"""Codes under which the Data API may tell that a transaction, or its connection, is lost."""
LOST = re.compile(
    "transaction .*(is not found|may be expired)|communications link failure"
    "|error communicating with database|unexpected end of file|connection reset",
    re.IGNORECASE,
)
TIMED_OUT = re.compile("tim(ed|e) ?out", re.IGNORECASE)

KEY_TWICE = re.compile(r'duplicate key value violates unique constraint "(\w+)"')
CONSTRAINT = re.compile(r'constraint "(\w+)"')
NO_VALUE = re.compile(r'null value in column "(\w+)" of relation "(\w+)"')


def aws_meaning(error: Exception, service: str) -> Exception:
    """What an error of an AWS call means: Transient, Unreachable, or itself."""
    from botocore.exceptions import (
        ClientError,
        FlexibleChecksumError,
        HTTPClientError,
        IncompleteReadError,
    )
    from botocore.exceptions import ConnectionError as NotConnected

    # Timeouts, lost connections, endpoints that cannot be reached, bodies that break off.
    if isinstance(error, HTTPClientError | NotConnected | IncompleteReadError):
        advice = "; check REGION, network and VPC endpoint"
        more = advice if isinstance(error, NotConnected) else ""
        return Unreachable(f"no answer from {service}: {error}{more}")
    if isinstance(error, FlexibleChecksumError):  # of a body, so botocore does not try again
        return Transient(f"the answer of {service} is damaged: {error}")
    if not isinstance(error, ClientError):
        return error
    code = error.response["Error"].get("Code", "")
    message = error.response["Error"].get("Message", "")
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
    if code in (RESUMING, "DatabaseUnavailableException"):
        return Unreachable(f"{code}: {message[:300]}")
    if code in PASSING_CODES or status >= 500:
        return Transient(f"{code}: {without_values(message)}")
    return error


NOT_AS_NOTED_STATE = "OB001"
"""Of an error that schema.sql raises itself (`run_steps`)."""


def database_meaning(error: Exception) -> Exception:
    """What an error of the Data API means: aws_meaning's, or Rejected, or DatabaseFault."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return aws_meaning(error, "the RDS Data API")
    code = error.response["Error"].get("Code", "")
    message = error.response["Error"].get("Message", "")
    if state := re.search(r"SQLState: (\w{5})", message):
        return state_meaning(state[1], message) or error
    lost = code in LOST_CODES and LOST.search(message)
    rotates = code == SECRET_CODES[0] or (code == SECRET_CODES[1] and TIMED_OUT.search(message))
    if STILL_RUNNING in message or lost or rotates:
        return Transient(f"{code}: {without_values(message)}")
    return aws_meaning(error, "the RDS Data API")


def state_meaning(state: str, message: str) -> Exception | None:
    """What an error of PostgreSQL means; None: it is nothing that is expected."""
    text = without_values(message)
    if state == NOT_AS_NOTED_STATE:
        return NotAsNoted("rows that were passed over are not as they were")
    if state.startswith(LOGIN_STATES):
        advice = "a rotation takes seconds; else the secret (AURORA_SECRET_ARN) is wrong"
        return Transient(f"the database does not accept the password: {text}; {advice}")
    ours = KEY_TWICE.search(message)
    raced = ours and ours[1].removesuffix("_key") in own_schema().tables
    replanned = state == "0A000" and "cached plan" in message  # of before --init-schema
    if state.startswith(PASSING_STATES) or raced or replanned:  # our keys: met twice at once only
        return Transient(f"DatabaseErrorException: {text}")
    if refused := value_refused(state, message):
        return refused
    if state.startswith(FAULT_STATES):
        return DatabaseFault(f"the database refuses a row: {text}{advice_on(message)}")
    if not POSTGRESQL_CLASSES.match(state):
        return DatabaseFault(f"the database refuses a row: {text}", raised=True)
    return None


def value_refused(state: str, message: str) -> Rejected | None:
    """The refusal of a value, if it is that."""
    tables = own_schema().tables
    text = f"the database refuses a value: {without_values(message)}"
    if state == "23502" and (empty := NO_VALUE.search(message)):
        own = tables.get(empty[2], {}).get(empty[1])
        return Rejected(text) if own and own.required else None
    return ValueRefused(text) if state.startswith("22") and state != "2200H" else None


def advice_on(message: str) -> str:
    """What to do about a constraint that refuses a row, where that is known."""
    named = CONSTRAINT.search(message)
    if not named:
        return ""
    tables = own_schema().tables
    table = named[1].removesuffix("_pkey")
    if table in tables:
        sequence = f"pg_get_serial_sequence('{table}', 'id')"
        mended = f"SELECT setval({sequence}, (SELECT max(id) FROM {table}))"
        return f": the sequence of {table} is behind its rows; mend it with {mended}"
    ours = {f"{name}_{column}_fkey" for name, columns in tables.items() for column in columns}
    return "" if named[1] in ours else ": schema.sql has no such constraint, somebody added it"


def without_values(message: str) -> str:
    """An error of PostgreSQL without the values that it quotes after a colon."""
    return re.sub(r': "[^"]*"', "", message)[:300]
