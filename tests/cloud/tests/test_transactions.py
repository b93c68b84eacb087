"""The Data API: sessions and transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.cloud.data_api import Limits
from tests.cloud.postgres import Postgres
from tests.cloud.tests.data_api import (
    CLUSTER,
    DATABASE,
    SECRET,
    Database,
    Response,
    serve,
    text,
    wait_until,
)

# Sessions


def test_a_call_leaves_nothing_in_its_session(db: Database) -> None:
    db.run("SET work_mem = '77MB'")
    db.run("CREATE TEMPORARY TABLE passing AS SELECT 1")
    assert db.value("SHOW work_mem") != "77MB"
    assert "42P01" in db.error("SELECT * FROM passing")
    db.run("SELECT count(*) FROM pg_advisory_lock(77)")
    assert db.directly("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_a_begin_in_sql_is_rolled_back_with_its_call(db: Database) -> None:
    db.run("BEGIN")
    db.run("INSERT INTO item (name) VALUES ('a')")
    assert db.directly("SELECT count(*) FROM item") == [(1,)]


def test_a_transaction_keeps_its_session(db: Database) -> None:
    transaction = db.begin()
    db.run("SET search_path = pg_catalog", transactionId=transaction)
    db.run("CREATE TEMPORARY TABLE mine ON COMMIT DROP AS SELECT 5 AS x", transactionId=transaction)
    assert db.value("SELECT x FROM pg_temp.mine", transactionId=transaction) == 5
    assert db.value("SHOW search_path", transactionId=transaction) == "pg_catalog"
    db.rollback(transaction)
    assert db.value("SHOW search_path") == '"$user", public'


def test_sessions_run_in_utc_and_a_transaction_may_change_that(db: Database) -> None:
    assert db.value("SHOW TimeZone") == "UTC"
    transaction = db.begin()
    for setting in ("TimeZone = 'Asia/Tokyo'", "DateStyle = 'German'", "bytea_output = 'escape'"):
        db.run(f"SET {setting}", transactionId=transaction)
    moment = "SELECT '2024-01-15 12:34:56'::timestamptz"
    assert db.value(moment, transactionId=transaction) == "2024-01-15 03:34:56"
    assert db.value("SELECT '\\xff'::bytea", transactionId=transaction) == b"\xff"
    db.rollback(transaction)


def test_sessions_that_the_server_ended_are_replaced(db: Database) -> None:
    db.value("SELECT 1")
    ended = db.directly(
        "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity "
        "WHERE application_name = 'rds-data-api'"
    )
    assert ended[0][0] >= 1
    assert db.value("SELECT 1") == 1


def test_idle_sessions_are_kept_until_they_are_released(db: Database) -> None:
    db.value("SELECT 1")
    assert sessions_of(db) >= 1
    db.api.release_sessions()
    wait_until(lambda: sessions_of(db) == 0)


# Transactions


def test_commit_and_rollback(db: Database) -> None:
    transaction = db.begin()
    assert 11 <= len(transaction) <= 192
    db.run("INSERT INTO item (name) VALUES ('a')", transactionId=transaction)
    assert db.value("SELECT count(*) FROM item") == 0
    assert db.value("SELECT count(*) FROM item", transactionId=transaction) == 1
    assert db.commit(transaction) == "Transaction Committed"
    assert db.value("SELECT count(*) FROM item") == 1
    transaction = db.begin()
    db.run("DELETE FROM item", transactionId=transaction)
    assert db.rollback(transaction) == "Rollback Complete"
    assert db.value("SELECT count(*) FROM item") == 1


def test_an_ended_transaction_is_not_found(db: Database) -> None:
    transaction = db.begin()
    db.commit(transaction)
    for use in (db.commit, db.rollback):
        with pytest.raises(db.client.exceptions.TransactionNotFoundException) as caught:
            use(transaction)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        message = caught.value.response["Error"]["Message"]
        assert message == f"Transaction {transaction} is not found."
    assert "is not found" in db.error("SELECT 1", transactionId="invented")


def test_a_failed_statement_leaves_the_transaction_open_but_aborted(db: Database) -> None:
    transaction = db.begin()
    db.run("SAVEPOINT s", transactionId=transaction)
    assert "22012" in db.error("SELECT 1 / 0", transactionId=transaction)
    assert db.error("SELECT 1", transactionId=transaction) == (
        "DatabaseErrorException: ERROR: current transaction is aborted, "
        "commands ignored until end of transaction block; SQLState: 25P02"
    )
    db.run("ROLLBACK TO s", transactionId=transaction)
    assert db.value("SELECT 1", transactionId=transaction) == 1
    assert db.rollback(transaction) == "Rollback Complete"


def test_the_commit_of_an_aborted_transaction_says_committed_and_is_not(db: Database) -> None:
    before = db.api.empty_commits
    transaction = db.begin()
    db.run("INSERT INTO item (name) VALUES ('a')", transactionId=transaction)
    db.error("SELECT 1 / 0", transactionId=transaction)
    assert db.commit(transaction) == "Transaction Committed"
    assert db.value("SELECT count(*) FROM item") == 0
    assert db.api.empty_commits == before + 1
    db.commit(db.begin())
    assert db.api.empty_commits == before + 1


def test_a_commit_that_fails_commits_nothing(db: Database) -> None:
    sql = "ALTER TABLE counter ADD CONSTRAINT late UNIQUE (label) DEFERRABLE INITIALLY DEFERRED"
    db.run(sql)
    transaction = db.begin()
    sql = "INSERT INTO counter (label) VALUES ('a'), ('a')"
    db.run(sql, transactionId=transaction)
    with pytest.raises(db.client.exceptions.DatabaseErrorException, match="SQLState: 23505"):
        db.commit(transaction)
    assert db.value("SELECT count(*) FROM counter") == 0
    assert "is not found" in db.error("SELECT 1", transactionId=transaction)
    db.run("ALTER TABLE counter DROP CONSTRAINT late")


@pytest.mark.parametrize("begun_with", [{}, {"database": DATABASE}])
def test_a_transaction_belongs_to_the_database_it_was_begun_with(
    db: Database, begun_with: dict[str, str]
) -> None:
    begun = db.client.begin_transaction(resourceArn=CLUSTER, secretArn=SECRET, **begun_with)
    transaction = begun["transactionId"]
    other = DATABASE if not begun_with else "postgres"
    error = db.error("SELECT 1", transactionId=transaction, database=other)
    assert error == "ValidationException: Database name is not the same as transaction"
    db.rollback(transaction)


def test_sql_that_ends_the_transaction_ends_it_for_the_service(db: Database) -> None:
    transaction = db.begin()
    db.run("INSERT INTO item (name) VALUES ('a')", transactionId=transaction)
    db.run("COMMIT", transactionId=transaction)
    error = db.error("SELECT 1", transactionId=transaction)
    assert error.endswith("One previous call resulted in a termination of your transaction.")
    assert db.value("SELECT count(*) FROM item") == 1


@contextmanager
def blocked_statement(db: Database, transaction: str, **options: Any) -> Iterator[Future[Response]]:
    """A statement in `transaction` that waits for a lock until the block ends."""
    sql = "SELECT count(*) FROM pg_advisory_xact_lock(4711)"
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(db.dsn) as holder:
        holder.execute("SELECT pg_advisory_lock(4711)")
        future = pool.submit(db.run, sql, transactionId=transaction, **options)
        wait_until(lambda: db.directly(waiting) == [(1,)])
        yield future
        holder.execute("SELECT pg_advisory_unlock(4711)")


def test_a_transaction_runs_one_statement_at_a_time(db: Database) -> None:
    transaction = db.begin()
    message = "Transaction is still running a query"
    with blocked_statement(db, transaction) as statement:
        error = db.error("SELECT 1", transactionId=transaction)
        assert error == f"DatabaseErrorException: {message}"
        for use in (db.commit, db.rollback):
            with pytest.raises(db.client.exceptions.DatabaseErrorException, match=message):
                use(transaction)
        assert db.value("SELECT 1") == 1  # Others are not concerned.
        assert not statement.done()
    assert statement.result()["records"] == [[{"longValue": 1}]]
    assert db.commit(transaction) == "Transaction Committed"


def test_a_transaction_whose_session_the_server_ended_is_not_found(db: Database) -> None:
    transaction = db.begin()
    process = db.value("SELECT pg_backend_pid()", transactionId=transaction)
    assert db.directly(f"SELECT pg_terminate_backend({process}, 60000)") == [(True,)]
    error = db.error("SELECT 1", transactionId=transaction)
    assert error.startswith("TransactionNotFoundException: ")


def sessions_of(db: Database) -> int:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rds-data-api'"
    count: int = db.directly(sql)[0][0]
    return count


def test_an_idle_transaction_is_rolled_back(server: Postgres, db: Database) -> None:
    setting = "idle_in_transaction_session_timeout"
    assert db.value(f"SHOW {setting}") == "3min"
    with serve(server, Limits(idle_seconds=0.2)) as hasty:
        assert hasty.value(f"SHOW {setting}") == "200ms"
    with serve(server) as patient:
        transaction = patient.begin()
        patient.run("INSERT INTO item (name) VALUES ('a')", transactionId=transaction)
        assert patient.api.open_transactions == 1
        patient.run(f"SET LOCAL {setting} = '100ms'", transactionId=transaction)
        wait_until(lambda: patient.api.open_transactions == 0)
        error = patient.error("SELECT 1", transactionId=transaction)
        expected = f"Transaction {transaction} is not found. Transaction may be expired."
        assert error == f"TransactionNotFoundException: {expected}"
        assert patient.value("SELECT count(*) FROM item") == 0


def test_a_transaction_has_a_longest_life(server: Postgres, db: Database) -> None:
    with serve(server, Limits(transaction_seconds=0.3)) as hasty:
        transaction = hasty.begin()
        sql = "SELECT count(*) FROM pg_sleep(30)"
        error = hasty.error(sql, transactionId=transaction)
        assert error.startswith("TransactionNotFoundException: ")
        assert error.endswith("Transaction may be expired.")


@contextmanager
def impatient(db: Database) -> Iterator[None]:
    """Statements that begin in the block have 0.2 seconds; those around it the usual 45."""
    usual, db.api.limits.statement_seconds = db.api.limits.statement_seconds, 0.2
    try:
        yield
    finally:
        db.api.limits.statement_seconds = usual


def test_a_statement_has_45_seconds(db: Database) -> None:
    assert db.api.limits.statement_seconds == 45
    sql = "INSERT INTO item (name) SELECT 'late' FROM pg_sleep(20)"
    timed_out = db.client.exceptions.StatementTimeoutException
    with impatient(db), pytest.raises(timed_out) as caught:
        db.run(sql)
    response: Mapping[str, Any] = caught.value.response
    assert response["dbConnectionId"] > 0
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)'"
    assert db.directly(running) == [(0,)]
    assert db.value("SELECT count(*) FROM item") == 0


def test_a_statement_that_timed_out_aborts_its_transaction(db: Database) -> None:
    transaction = db.begin()
    db.run("INSERT INTO item (name) VALUES ('a')", transactionId=transaction)
    with impatient(db):
        error = db.error("SELECT count(*) FROM pg_sleep(20)", transactionId=transaction)
    assert error.startswith("StatementTimeoutException: ")
    assert db.error("SELECT 1", transactionId=transaction).endswith("SQLState: 25P02")
    db.rollback(transaction)
    assert db.value("SELECT count(*) FROM item") == 0


def test_a_statement_may_continue_after_its_timeout(db: Database) -> None:
    sql = "INSERT INTO item (name) SELECT 'late' FROM pg_advisory_xact_lock(4711)"
    with psycopg.connect(db.dsn) as holder:
        holder.execute("SELECT pg_advisory_lock(4711)")
        with impatient(db):
            error = db.error(sql, continueAfterTimeout=True)
    assert error.startswith("StatementTimeoutException: ")
    wait_until(lambda: db.value("SELECT count(*) FROM item") == 1)


def test_a_transaction_is_busy_while_its_statement_continues(db: Database) -> None:
    transaction = db.begin()
    with (
        impatient(db),
        blocked_statement(db, transaction, continueAfterTimeout=True) as statement,
    ):
        with pytest.raises(db.client.exceptions.StatementTimeoutException):
            statement.result()
        error = db.error("SELECT 1", transactionId=transaction)
        assert error.endswith("Transaction is still running a query")
    committed: list[str] = []

    def is_committed() -> bool:
        try:
            committed.append(db.commit(transaction))
        except db.client.exceptions.DatabaseErrorException:
            return False
        return True

    wait_until(is_committed)
    assert committed == ["Transaction Committed"]


def test_many_threads_at_once(db: Database) -> None:
    def insert(number: int) -> None:
        if number % 2:
            transaction = db.begin()
            db.run(
                "INSERT INTO item (name) VALUES (:n)",
                text("n", f"{number}"),
                transactionId=transaction,
            )
            db.commit(transaction)
        else:
            db.run("INSERT INTO item (name) VALUES (:n)", text("n", f"{number}"))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(insert, range(100)))
    assert db.directly("SELECT count(*), sum(name::int) FROM item") == [(100, 4950)]
    assert Counter(made.path for made in db.api.calls) == {
        "/Execute": 100,
        "/BeginTransaction": 50,
        "/CommitTransaction": 50,
    }
