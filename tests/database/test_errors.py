"""What errors of the Data API and of S3 mean, by the words that AWS and PostgreSQL use."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    FlexibleChecksumError,
    NoCredentialsError,
    SSLError,
)
from urllib3.exceptions import SSLError as BrokenTls

from observability.database.errors import aws_meaning, database_meaning
from observability.errors import DatabaseFault, Rejected, Transient
from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import document
from tests.faults import in_several_calls
from tests.warehouse import Warehouse

DATABASE = "DatabaseErrorException"


def answer(code: str, message: str, status: int = 400) -> ClientError:
    made: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(made, "ExecuteStatement")


PASSING = [
    (DATABASE, 'FATAL: password authentication failed for user "receiver"; SQLState: 28P01'),
    (DATABASE, 'FATAL: role "receiver" is not permitted to log in; SQLState: 28000'),
    (DATABASE, "FATAL: terminating connection due to transaction timeout; SQLState: 25P04"),
    (DATABASE, "FATAL: terminating connection due to administrator command; SQLState: 57P01"),
    (DATABASE, "error communicating with database: Broken pipe (os error 32)"),
    (DATABASE, "unexpected end of file"),
    ("InvalidSecretException", "The Secrets Manager secret used with the request isn't valid."),
    ("SecretsErrorException", "The request timed out retrieving the secret."),
    ("SecretsErrorException", "Secrets Manager timeout"),
    ("TransactionNotFoundException", "Transaction AbC= is not found. Transaction may be expired."),
    ("NotFoundException", "Transaction AbC= is not found"),
    ("BadRequestException", "Transaction AbC= Is Not Found"),
    ("BadRequestException", "Communications link failure\n\nThe last packet sent"),
    # Only a race meets our own keys: rows are told apart by them before they are written.
    (DATABASE, 'ERROR: duplicate key value violates unique constraint "products_key"; '
     "SQLState: 23505"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message"), PASSING)
def test_what_passes_is_waited_for(code: str, message: str) -> None:
    assert isinstance(database_meaning(answer(code, message)), Transient)


LASTING = [
    ("SecretsErrorException", "Secrets Manager can't find the specified secret."),
    ("BadRequestException", "Database name is not the same as transaction"),
    ("NotFoundException", "The resource is not found"),
    ("HttpEndpointNotEnabledException", "HttpEndpoint is not enabled for resource arn"),
    ("AccessDeniedException", "User is not authorized"),
    (DATABASE, 'ERROR: relation "no_such" does not exist; Position: 15; SQLState: 42P01'),
]


@pytest.mark.parametrize(("code", "message"), LASTING)
def test_what_lasts_is_told_at_once(code: str, message: str) -> None:
    error = answer(code, message)
    assert database_meaning(error) is error


FAULTS = {
    'duplicate key value violates unique constraint "kms_keys_pkey"; SQLState: 23505':
        "the sequence of kms_keys is behind",
    'duplicate key value violates unique constraint "people_key"; SQLState: 23505': "people_key",
    'insert or update on table "kms_keys" violates foreign key constraint "team_fk"; '
    "SQLState: 23503": "team_fk",
    'update or delete on table "logs" violates foreign key constraint "n" on table "notes"; '
    "SQLState: 23503": "notes",
    'new row for relation "services" violates check constraint "positive"; SQLState: 23514':
        "positive",
    'null value in column "team" of relation "services" violates not-null constraint; '
    "SQLState: 23502": "team",
    # One that schema.sql lets be empty: NOT NULL is somebody's.
    'null value in column "cost" of relation "services" violates not-null constraint; '
    "SQLState: 23502": "cost",
    "stack depth limit exceeded; SQLState: 54001": "stack depth",
    'nextval: reached maximum value of sequence "services_id_seq" (9); SQLState: 2200H':
        "services_id_seq",
    'index row size 4016 exceeds btree version 4 maximum 2704 for index "by_title"; '
    "SQLState: 54000": "by_title",
    "ON CONFLICT DO UPDATE command cannot affect row a second time; SQLState: 21000": "21000",
}  # fmt: skip


@pytest.mark.parametrize(("message", "named"), FAULTS.items())
def test_what_is_the_databases_fault_is_told_by_name(message: str, named: str) -> None:
    meaning = database_meaning(answer(DATABASE, f"ERROR: {message}"))
    assert isinstance(meaning, DatabaseFault)
    assert named in str(meaning)


def test_only_values_are_refused() -> None:
    missing = 'null value in column "service" of relation "services" violates not-null constraint'
    meaning = database_meaning(answer(DATABASE, f"ERROR: {missing}; SQLState: 23502"))
    assert isinstance(meaning, Rejected)


@pytest.mark.parametrize(
    "error",
    [
        FlexibleChecksumError(error_msg="Expected checksum A did not match calculated checksum: B"),
        SSLError(endpoint_url="https://s3", error=OSError("EOF occurred")),
        answer("InternalError", "We encountered an internal error.", 500),
    ],
)
def test_answers_that_are_damaged_are_asked_for_again(error: Exception) -> None:
    assert isinstance(aws_meaning(error, "S3"), Transient)


def test_what_is_missing_on_this_side_is_told_at_once() -> None:
    error = NoCredentialsError()
    assert aws_meaning(error, "S3") is error


class Breaking(io.BytesIO):
    """A body whose connection breaks."""

    def __init__(self, error: Exception) -> None:
        super().__init__(b"{")
        self.error = error

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        yield self.read(size)
        raise self.error


@pytest.mark.parametrize("error", [BrokenTls("bad record mac"), ConnectionResetError(104, "reset")])
def test_a_body_whose_connection_breaks_is_read_again(
    warehouse: Warehouse, error: Exception
) -> None:
    """botocore hands on what TLS and the socket raise under a body."""
    chunks = warehouse.receiver.s3.chunks(Breaking(error))
    assert next(chunks) == b"{"
    with pytest.raises(Transient):
        next(chunks)


@pytest.mark.parametrize("path", ["/CommitTransaction", "/Execute"])
@pytest.mark.parametrize("code", ["NotFoundException", "BadRequestException"])
def test_a_transaction_that_is_lost_is_done_again(
    warehouse: Warehouse, code: str, path: str
) -> None:
    """At COMMIT nobody knows whether it was done: to load a document again changes no row."""
    faults = warehouse.embedded.data_api.faults
    skip = 0 if path == "/CommitTransaction" else 2
    faults.fail(code, "Transaction AbC= is not found", path=path, skip=skip, after=True)
    made = in_several_calls(document())
    assert warehouse.load(made, documents.key()).status is FileStatus.LOADED
    assert faults.injected.total() == 1
    assert warehouse.query("SELECT count(*) AS n FROM documents") == [{"n": 1}]
    assert warehouse.query("SELECT count(*) AS n FROM kms_keys") == [{"n": 4}]


def test_a_password_that_stays_wrong_is_told_with_what_to_do(warehouse: Warehouse) -> None:
    message = 'FATAL: password authentication failed for user "receiver"; SQLState: 28P01'
    faults = warehouse.embedded.data_api.faults
    faults.fail("DatabaseErrorException", message, path="/Execute", times=None)
    object.__setattr__(warehouse.settings, "patience", 0.5)
    result = warehouse.load(document(), documents.key())
    assert result.status is FileStatus.DEFERRED
    assert "AURORA_SECRET_ARN" in result.reasons[0]
