"""The Data API: requests and their limits, batches, the record of calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.rdsdata.errors import HTTP_STATUS
from tests.cloud.tests.data_api import (
    CLUSTER,
    SECRET,
    Database,
    Response,
    call,
    ids,
    outcomes,
    text,
)

# Requests and their limits


def body_of(size: int) -> bytes:
    """A request of exactly `size` bytes; JSON may be followed by spaces."""
    return json.dumps({**ids(), "sql": "SELECT 1"}).encode().ljust(size)


def test_a_request_has_at_most_4_mib_with_its_headers(db: Database) -> None:
    headers = {"Content-Type": "application/json"}
    header_size = len("Content-Type: application/json\r\n")
    limit = 4 * 1024 * 1024
    assert db.api.handle("/Execute", headers, body_of(limit - header_size)).status == 200
    answer = db.api.handle("/Execute", headers, body_of(limit - header_size + 1))
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == "ValidationException"


def test_a_large_parameter_passes(db: Database) -> None:
    content = "é" * 500_000
    assert db.value("SELECT md5(:p) = md5(repeat('é', 500000))", text("p", content)) is True


def test_sql_has_at_most_65536_characters(db: Database) -> None:
    longest = "SELECT 1 -- ".ljust(65_536, "é")
    assert db.value(longest) == 1
    assert "at 'sql' failed to satisfy constraint" in db.error(longest + "é")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("resourceArn", "arn:aws:rd"),
        ("resourceArn", "a" * 571),
        ("secretArn", "a" * 571),
        ("database", "d" * 65),
        ("schema", "s" * 65),
        ("transactionId", "t" * 193),
    ],
)
def test_identifiers_have_limits(db: Database, member: str, value: str) -> None:
    answer = call(db.api, "/Execute", sql="SELECT 1", **{member: value})
    assert answer.headers["x-amzn-ErrorType"] == "ValidationException"
    assert f"at '{member}'" in json.loads(answer.body)["message"]


@pytest.mark.parametrize(
    ("path", "request_", "code"),
    [
        ("/ExecuteSql", {"sql": "SELECT 1"}, "UnknownOperationException"),
        ("/Execute", {}, "ValidationException"),
        ("/Execute", {"sql": "SELECT 1", "schema": "public"}, "ValidationException"),
        ("/BatchExecute", {"sql": "SELECT 1", "schema": "public"}, "ValidationException"),
        ("/BeginTransaction", {"schema": "public"}, "ValidationException"),
        ("/CommitTransaction", {}, "ValidationException"),
        ("/Execute", {"sql": "SELECT 1", "formatRecordsAs": "CSV"}, "ValidationException"),
        ("/Execute", {"sql": "SELECT 1\0"}, "ValidationException"),
        ("/Execute", {"sql": "SELECT 1 -- \ud800"}, "SerializationException"),
        ("/Execute", {"sql": 1}, "SerializationException"),
        ("/Execute", {"sql": "SELECT 1", "parameters": {}}, "SerializationException"),
        ("/BatchExecute", {"sql": "SELECT 1", "parameterSets": [1]}, "SerializationException"),
        ("/Execute", {"sql": "SELECT 1", "continueAfterTimeout": 1}, "SerializationException"),
        (
            "/Execute",
            {"sql": "SELECT 1", "resourceArn": CLUSTER + "2"},
            "HttpEndpointNotEnabledException",
        ),
        ("/Execute", {"sql": "SELECT 1", "secretArn": SECRET + "2"}, "SecretsErrorException"),
    ],
)
def test_requests_are_checked(
    db: Database, path: str, request_: Mapping[str, Any], code: str
) -> None:
    answer = call(db.api, path, **request_)
    assert answer.headers["x-amzn-ErrorType"] == code
    assert answer.status == HTTP_STATUS[code]
    assert json.loads(answer.body)["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"\xff"', b"[" * 100_000, b"\xff\xfe{\0}\0"])
def test_a_body_must_be_a_json_object(db: Database, body: bytes) -> None:
    answer = db.api.handle("/Execute", {}, body)
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == "SerializationException"


# BatchExecute


def batch(db: Database, sql: str, sets: list[list[Any]], **options: Any) -> list[Response]:
    answer = db.client.batch_execute_statement(**ids(), sql=sql, parameterSets=sets, **options)
    return [dict(result) for result in answer["updateResults"]]


def test_a_batch_runs_once_per_set_and_counts_nothing(db: Database) -> None:
    sql = "INSERT INTO item (name, price) VALUES (:n, :p::numeric) RETURNING id"
    sets = [[text("n", f"{i}"), text("p", "1.5")] for i in range(3)]
    assert batch(db, sql, sets) == [{"generatedFields": []}] * 3
    assert db.value("SELECT count(*) FROM item") == 3


def test_a_batch_without_sets_runs_nothing_and_with_an_empty_set_once(db: Database) -> None:
    sql = "INSERT INTO counter (label) VALUES ('x')"
    assert batch(db, sql, []) == []
    assert call(db.api, "/BatchExecute", sql=sql).status == 200
    assert db.value("SELECT count(*) FROM counter") == 0
    assert batch(db, sql, [[]]) == [{"generatedFields": []}]
    assert db.value("SELECT count(*) FROM counter") == 1


def test_a_batch_is_atomic_only_in_a_transaction(db: Database) -> None:
    sql = "INSERT INTO item (name) VALUES (:n)"
    sets = [[text("n", "a")], [text("n", "a")]]
    with pytest.raises(db.client.exceptions.DatabaseErrorException, match="23505"):
        batch(db, sql, sets)
    assert db.value("SELECT count(*) FROM item") == 1
    db.run("DELETE FROM item")
    transaction = db.begin()
    with pytest.raises(db.client.exceptions.DatabaseErrorException, match="23505"):
        batch(db, sql, sets, transactionId=transaction)
    db.rollback(transaction)
    assert db.value("SELECT count(*) FROM item") == 0


def test_a_batch_with_one_bad_set_runs_nothing(db: Database) -> None:
    sets = [[text("n", "a")], [text("m", "b")]]
    with pytest.raises(ClientError, match="Cannot find parameter: n"):
        batch(db, "INSERT INTO item (name) VALUES (:n)", sets)
    assert db.value("SELECT count(*) FROM item") == 0


# The record of calls


def test_calls_are_recorded(db: Database) -> None:
    transaction = db.begin()
    db.run("SELECT 1", transactionId=transaction)
    db.error("SELECT 1 / 0", transactionId=transaction)
    db.rollback(transaction)
    db.api.faults.cut(path="/Execute")
    outcomes(db, 1, "SELECT 5")
    seen = [(made.path, made.sql, bool(made.transaction), made.outcome) for made in db.api.calls]
    assert seen == [
        ("/BeginTransaction", "", False, "ok"),
        ("/Execute", "SELECT 1", True, "ok"),
        ("/Execute", "SELECT 1 / 0", True, "DatabaseErrorException"),
        ("/RollbackTransaction", "", True, "ok"),
        ("/Execute", "SELECT 5", False, "cut"),
    ]
    assert all(made.seconds >= 0 and made.request_bytes > 100 for made in db.api.calls)
    assert db.api.calls[1].response_bytes == len(
        '{"records":[[{"longValue":1}]],"numberOfRecordsUpdated":0}'
    )
    db.api.forget_calls()
    assert db.api.calls == []
