"""The Data API: faults."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.cloud.tests.data_api import CLUSTER, SECRET, Database, outcomes, wait_until

RESUMING = "DatabaseResumingException"


def test_resuming_for_a_number_of_calls_after_some_that_went_well(db: Database) -> None:
    db.api.faults.resume(times=2, skip=1)
    assert outcomes(db, 4) == ["ok", RESUMING, RESUMING, "ok"]
    assert db.api.faults.injected == {RESUMING: 2}


def test_resuming_for_some_time_from_the_first_call_on(db: Database) -> None:
    db.api.faults.resume(seconds=0.3)
    started = time.monotonic()
    with pytest.raises(db.client.exceptions.DatabaseResumingException, match="auto-paused"):
        db.begin()
    wait_until(lambda: outcomes(db, 1) == ["ok"])
    assert time.monotonic() - started >= 0.3
    assert outcomes(db, 3) == ["ok", "ok", "ok"]


def test_resuming_does_not_concern_the_end_of_a_transaction(db: Database) -> None:
    transaction = db.begin()
    db.api.faults.resume()
    assert outcomes(db, 3) == [RESUMING] * 3
    assert db.commit(transaction) == "Transaction Committed"
    db.api.faults.clear()
    assert outcomes(db, 1) == ["ok"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InternalServerErrorException", 500),
        ("ServiceUnavailableError", 503),
        ("DatabaseUnavailableException", 504),
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_the_service_fails_before_or_after_the_statement(
    db: Database, code: str, status: int, after: bool
) -> None:
    db.api.faults.fail(code, after=after, sql="insert into item")
    with pytest.raises(ClientError) as caught:
        db.run("INSERT INTO item (name) VALUES ('a')")
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert db.value("SELECT count(*) FROM item") == int(after)


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_cut_before_or_after_the_statement(db: Database, after: bool) -> None:
    db.api.faults.cut(after=after, path="/Execute", sql="INSERT")
    with pytest.raises(ConnectionClosedError):
        db.run("INSERT INTO item (name) VALUES ('a')")
    assert db.value("SELECT count(*) FROM item") == int(after)


def test_a_connection_cut_after_the_commit(db: Database) -> None:
    db.api.faults.cut_after_commit()
    transaction = db.begin()
    db.run("INSERT INTO item (name) VALUES ('a')", transactionId=transaction)
    with pytest.raises(ConnectionClosedError):
        db.commit(transaction)
    with pytest.raises(db.client.exceptions.TransactionNotFoundException):
        db.commit(transaction)
    assert db.value("SELECT count(*) FROM item") == 1


@pytest.mark.parametrize(
    ("state", "words"), [("40P01", "deadlock detected"), ("40001", "could not serialize access")]
)
def test_the_database_itself_raises_an_error(db: Database, state: str, words: str) -> None:
    db.api.faults.database_error(state, sql="item")
    transaction = db.begin()
    insert = "INSERT INTO item (name) VALUES ('a')"
    error = db.error(insert, transactionId=transaction)
    assert error.startswith(f"DatabaseErrorException: ERROR: {words}")
    assert error.endswith(f"SQLState: {state}")
    assert "25P02" in db.error(insert, transactionId=transaction)
    db.rollback(transaction)
    assert outcomes(db, 1, insert) == ["ok"]
    assert db.value("SELECT count(*) FROM item") == 1


def test_a_serialization_failure_at_the_commit(db: Database) -> None:
    db.api.faults.database_error("40001", path="/CommitTransaction")
    transaction = db.begin()
    db.run("INSERT INTO item (name) VALUES ('a')", transactionId=transaction)
    with pytest.raises(db.client.exceptions.DatabaseErrorException, match="SQLState: 40001"):
        db.commit(transaction)
    with pytest.raises(db.client.exceptions.TransactionNotFoundException):
        db.commit(transaction)
    assert db.value("SELECT count(*) FROM item") == 0


def test_a_transaction_vanishes(db: Database) -> None:
    db.api.faults.vanish(skip=1)
    transaction = db.begin()
    assert outcomes(db, 2) == ["ok", "ok"]  # Calls without a transaction do not count.
    insert = "INSERT INTO item (name) VALUES ('a')"
    db.run(insert, transactionId=transaction)
    error = db.error("SELECT 1", transactionId=transaction)
    assert error.startswith(f"TransactionNotFoundException: Transaction {transaction} is not found")
    with pytest.raises(db.client.exceptions.TransactionNotFoundException):
        db.commit(transaction)
    assert db.value("SELECT count(*) FROM item") == 0


def test_a_transaction_pretends_to_be_busy(db: Database) -> None:
    db.api.faults.still_running(times=2)
    transaction = db.begin()
    insert = "INSERT INTO item (name) VALUES ('a')"
    seen = outcomes(db, 3, insert, transactionId=transaction)
    assert seen == ["DatabaseErrorException", "DatabaseErrorException", "ok"]
    db.commit(transaction)
    assert db.value("SELECT count(*) FROM item") == 1


@pytest.mark.parametrize("after", [False, True])
def test_a_statement_pretends_to_time_out(db: Database, after: bool) -> None:
    db.api.faults.time_out(after=after)
    transaction = db.begin()
    insert = "INSERT INTO item (name) VALUES ('a')"
    assert outcomes(db, 1, insert, transactionId=transaction) == ["StatementTimeoutException"]
    if after:
        assert db.commit(transaction) == "Transaction Committed"
    else:
        assert "is not found" in db.error("SELECT 1", transactionId=transaction)
    assert db.value("SELECT count(*) FROM item") == int(after)


def test_the_database_pretends_to_be_full(db: Database) -> None:
    db.api.faults.connection_limit(times=1)
    with pytest.raises(db.client.exceptions.DatabaseErrorException, match="SQLState: 53300"):
        db.begin()
    assert outcomes(db, 1) == ["ok"]
    db.rollback(db.begin())


def test_faults_choose_their_calls_and_take_turns(db: Database) -> None:
    db.api.faults.fail("ServiceUnavailableError", sql="2", times=2)
    db.api.faults.fail("InternalServerErrorException", skip=3)
    assert outcomes(db, 1, "SELECT 1") == ["ok"]
    assert outcomes(db, 4, "SELECT 2") == [
        "ServiceUnavailableError",
        "ServiceUnavailableError",
        "ok",
        "ok",
    ]
    assert outcomes(db, 2, "SELECT 3") == ["InternalServerErrorException", "ok"]


def test_faults_count_right_under_many_threads(db: Database) -> None:
    db.api.faults.fail("ServiceUnavailableError", times=20)
    with ThreadPoolExecutor(8) as pool:
        seen = Counter(
            code for codes in pool.map(lambda _: outcomes(db, 10), range(8)) for code in codes
        )
    assert seen == {"ServiceUnavailableError": 20, "ok": 60}


def test_botocore_sends_a_commit_again_whose_answer_was_lost(db: Database) -> None:
    client = boto3.client(
        "rds-data",
        endpoint_url=db.client.meta.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    transaction = db.begin()
    db.run("INSERT INTO item (name) VALUES ('a')", transactionId=transaction)
    db.api.faults.cut_after_commit()
    with pytest.raises(client.exceptions.TransactionNotFoundException):
        client.commit_transaction(resourceArn=CLUSTER, secretArn=SECRET, transactionId=transaction)
    client.close()
    assert db.value("SELECT count(*) FROM item") == 1


def test_latency_is_added_to_every_call(db: Database) -> None:
    db.api.faults.latency = 0.05
    assert outcomes(db, 3) == ["ok"] * 3
    assert all(made.seconds >= 0.05 for made in db.api.calls)
