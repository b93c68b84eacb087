"""Faults of the Data API: what passes changes no row, what lasts leaves the file in data/."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import psycopg
import pytest

import receiver
from observability.errors import DatabaseFault
from observability.receiving.result import FileStatus
from tests import documents
from tests.cloud import ApiRequest
from tests.documents import Document, document
from tests.faults import (
    Plan,
    assert_as_undisturbed,
    at_call,
    in_several_calls,
    keys,
    put,
    receive,
    restated,
    sweep,
)
from tests.warehouse import Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
KEY = documents.key(NEXT)
BEGIN, EXECUTE, COMMIT = "/BeginTransaction", "/Execute", "/CommitTransaction"


# The Data API: faults that pass

LOAD = "load_document"
"""In the statement that loads a document, or a part of one."""

ONE_CALL: dict[str, tuple[Plan, str]] = {
    "resuming": (lambda f: f.resume(times=2), "resuming"),
    "500": (lambda f: f.fail("InternalServerErrorException"), "InternalServerError"),
    "500 although it was done": (
        lambda f: f.fail("InternalServerErrorException", after=True),
        "InternalServerError",
    ),
    "503": (lambda f: f.fail("ServiceUnavailableError"), "ServiceUnavailable"),
    "503 although it was done": (
        lambda f: f.fail("ServiceUnavailableError", after=True),
        "ServiceUnavailable",
    ),
    "504": (lambda f: f.fail("DatabaseUnavailableException"), "DatabaseUnavailable"),
    "cut before it": (lambda f: f.cut(), "no answer"),
    "cut after it": (lambda f: f.cut(after=True), "no answer"),
    "statement timeout": (lambda f: f.time_out(), "StatementTimeout"),
    "statement timeout although done": (lambda f: f.time_out(after=True), "StatementTimeout"),
    "deadlock": (lambda f: f.database_error("40P01"), "40P01"),
    "serialization failure": (lambda f: f.database_error("40001"), "40001"),
    "lock timeout": (lambda f: f.database_error("55P03"), "55P03"),
    "connection limit": (lambda f: f.connection_limit(path=EXECUTE, times=2), "53300"),
}
"""What goes wrong with the one call of a small document, and the words that the story must have."""

TRANSACTION: dict[str, tuple[Plan, str]] = {
    "resuming at the first call": (lambda f: f.resume(times=2), "resuming"),
    "resuming in the middle": (lambda f: f.resume(path=EXECUTE, skip=2, times=2), "resuming"),
    "500 at begin": (
        lambda f: f.fail("InternalServerErrorException", path=BEGIN),
        "InternalServerError",
    ),
    "500 in the middle": (
        lambda f: f.fail("InternalServerErrorException", path=EXECUTE, skip=1),
        "InternalServerError",
    ),
    "500 although it was done": (
        lambda f: f.fail("InternalServerErrorException", path=EXECUTE, skip=2, after=True),
        "InternalServerError",
    ),
    "500 although it was committed": (
        lambda f: f.fail("InternalServerErrorException", path=COMMIT, after=True),
        "InternalServerError",
    ),
    "503 in the middle": (
        lambda f: f.fail("ServiceUnavailableError", path=EXECUTE, skip=1),
        "ServiceUnavailable",
    ),
    "503 at commit": (lambda f: f.fail("ServiceUnavailableError", path=COMMIT), "Unavailable"),
    "504 in the middle": (
        lambda f: f.fail("DatabaseUnavailableException", path=EXECUTE, skip=2),
        "DatabaseUnavailable",
    ),
    "cut at begin": (lambda f: f.cut(path=BEGIN), "no answer"),
    "cut after begin": (lambda f: f.cut(path=BEGIN, after=True), "no answer"),
    "cut before the lock": (lambda f: f.cut(sql=LOAD), "no answer"),
    "cut after the lock": (lambda f: f.cut(sql=LOAD, after=True), "no answer"),
    "cut before the last rows": (lambda f: f.cut(sql=LOAD, skip=1), "no answer"),
    "cut after the last rows": (lambda f: f.cut(sql=LOAD, skip=1, after=True), "no answer"),
    "cut before COMMIT": (lambda f: f.cut(path=COMMIT), "no answer"),
    "cut after COMMIT": (lambda f: f.cut_after_commit(), "no answer"),
    "statement timeout": (lambda f: f.time_out(sql=LOAD), "StatementTimeout"),
    "statement timeout although done": (lambda f: f.time_out(skip=1, after=True), "StatementTime"),
    "transaction vanished": (lambda f: f.vanish(skip=2), "TransactionNotFound"),
    "transaction vanished at commit": (lambda f: f.vanish(path=COMMIT), "TransactionNotFound"),
    "deadlock": (lambda f: f.database_error("40P01", skip=2), "40P01"),
    "deadlock at the lock": (lambda f: f.database_error("40P01", sql=LOAD), "40P01"),
    "serialization failure": (lambda f: f.database_error("40001", skip=2), "40001"),
    "serialization failure at commit": (
        lambda f: f.database_error("40001", path=COMMIT),
        "40001",
    ),
    "lock timeout": (lambda f: f.database_error("55P03", sql=LOAD), "55P03"),
    "still running a query": (lambda f: f.still_running(skip=2), "still running"),
    "still running at commit": (lambda f: f.still_running(path=COMMIT), "still running"),
    "connection limit": (lambda f: f.connection_limit(times=2), "53300"),
}
"""The same for a document that takes several calls: a table, a part, the rest, each an EXECUTE."""

TWICE = {"resuming", "resuming at the first call", "resuming in the middle", "connection limit"}


@pytest.mark.parametrize("name", ONE_CALL)
def test_a_fault_of_the_one_call_changes_no_row(
    warehouse: Warehouse, story: io.StringIO, name: str
) -> None:
    """Also where it was done and the answer lost: it asks itself whether it was."""
    plan, words = ONE_CALL[name]
    faults = warehouse.embedded.data_api.faults
    warehouse.load(document(DAY), documents.key(DAY))
    put(warehouse, restated())
    warehouse.embedded.data_api.forget_calls()
    plan(faults)
    once = replace(warehouse.receiver, again=False)
    [result] = receiver.load_all(once, receiver.list_data(once))
    assert result.status is FileStatus.LOADED
    struck = 2 if name in TWICE else 1
    assert faults.injected.total() == struck
    calls = warehouse.embedded.data_api.calls
    assert [LOAD in call.sql for call in calls] == [True] * (struck + 1)
    assert ("was loaded before" in story.getvalue()) == ("done" in name or "after" in name)
    assert words in story.getvalue()
    assert keys(warehouse, "data/") == []
    assert_as_undisturbed(warehouse, (documents.key(DAY), document(DAY)), (KEY, restated()))


@pytest.mark.parametrize("name", TRANSACTION)
def test_a_fault_of_a_transaction_changes_no_row(
    warehouse: Warehouse, story: io.StringIO, name: str
) -> None:
    plan, words = TRANSACTION[name]
    large = in_several_calls(restated())
    made = (documents.key(DAY), document(DAY)), (KEY, large)
    faults = warehouse.embedded.data_api.faults
    warehouse.load(made[0][1], made[0][0])
    plan(faults)
    assert warehouse.load(large, KEY).status is FileStatus.LOADED
    assert faults.injected.total() == (2 if name in TWICE else 1)
    assert words in story.getvalue()
    assert keys(warehouse, "data/") == []
    assert_as_undisturbed(warehouse, *made)


@pytest.mark.parametrize(
    "plan", [lambda f: f.cut(), lambda f: f.fail("ServiceUnavailableError", times=2)]
)
def test_a_fault_at_the_very_first_call_of_a_run_passes(warehouse: Warehouse, plan: Plan) -> None:
    put(warehouse, document(NEXT))
    plan(warehouse.embedded.data_api.faults)
    code, _ = receive(warehouse)
    assert (code, keys(warehouse, "data/")) == (0, [])
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


def test_a_fault_in_a_listing_of_several_batches_changes_no_row(warehouse: Warehouse) -> None:
    first, second = document(DAY), document(NEXT)
    for made, numbers in ((first, range(12)), (second, range(1, 12))):
        key = made["security"]["kms"][0]
        made["security"]["kms"] = [
            {**key, "key_id": f"key-{n}", "description": f"{n % 10}" * 1_000_000} for n in numbers
        ]
    put(warehouse, second)
    warehouse.load(first, documents.key(DAY))
    faults = warehouse.embedded.data_api.faults
    faults.cut(sql=LOAD, skip=2, after=True)
    assert sweep(warehouse)[KEY].status is FileStatus.LOADED
    assert faults.injected["cut"] == 1
    rows = warehouse.rows()
    assert [row["key_id"] for row in rows["kms_keys"] if row["gone_at"]] == ["key-0"]
    assert_as_undisturbed(warehouse, (documents.key(DAY), first), (KEY, second))


def test_after_a_call_that_was_refused_no_other_one_is_sent(warehouse: Warehouse) -> None:
    """The next one was made meanwhile."""
    warehouse.query("ALTER TABLE kms_keys ADD CHECK (key_id <> 'key-1')", fetch=False)
    warehouse.embedded.data_api.forget_calls()
    with pytest.raises(DatabaseFault, match="violates check constraint"):
        warehouse.load(in_several_calls(document(NEXT)), KEY)
    within = [call for call in warehouse.embedded.data_api.calls if call.transaction]
    assert [call.path for call in within if call.outcome != "ok"] == [EXECUTE]
    assert within[-1].path == "/RollbackTransaction"
    assert within[-2].outcome != "ok"


def test_after_the_end_of_the_run_the_next_call_is_not_sent(warehouse: Warehouse) -> None:
    """It was made before that, and waited for the one before."""
    put(warehouse, in_several_calls(document(NEXT)))
    database = warehouse.receiver.db

    def end(_: ApiRequest) -> None:
        database.deadline = time.monotonic()

    first = at_call(2)  # after that which makes the temporary table
    warehouse.embedded.switches.intercept("rds-data", "ExecuteStatement", end, predicate=first)
    warehouse.embedded.data_api.forget_calls()
    assert sweep(warehouse)[KEY].status is FileStatus.DEFERRED
    assert [call.outcome for call in warehouse.embedded.data_api.calls if LOAD in call.sql] == [
        "ok"
    ]
    assert keys(warehouse, "data/") == [KEY]


def test_of_a_document_that_was_loaded_before_only_the_first_call_is_sent(
    warehouse: Warehouse,
) -> None:
    """It tells so. The next one was made meanwhile."""
    large = in_several_calls(document(NEXT))
    first = warehouse.load(large, KEY)
    put(warehouse, large)
    warehouse.embedded.data_api.forget_calls()
    once = replace(warehouse.receiver, again=False)
    [result] = receiver.load_all(once, receiver.list_data(once))
    assert result.status is FileStatus.LOADED
    assert result.counters["kms_keys"]["SKIPPED"] == first.counters["kms_keys"]["TOTAL"] == 4
    assert [call.outcome for call in warehouse.embedded.data_api.calls if LOAD in call.sql] == [
        "ok"
    ]


def test_a_real_lock_is_waited_for_and_a_real_timeout_is_borne(
    warehouse: Warehouse, story: io.StringIO
) -> None:
    warehouse.load(document(DAY), documents.key(DAY))
    api = warehouse.embedded.data_api
    usual = api.limits.statement_seconds
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    with psycopg.connect(dsn) as somebody:
        somebody.execute("SELECT FROM accounts FOR UPDATE")

        def give(seconds: float) -> Callable[[ApiRequest], None]:
            return lambda _: setattr(api.limits, "statement_seconds", seconds)

        statements = partial(warehouse.embedded.switches.intercept, "rds-data", "ExecuteStatement")
        statements(give(0.5), predicate=at_call(1))
        statements(give(usual), predicate=at_call(1), after=True)  # the others may be slow
        statements(lambda _: somebody.commit(), predicate=at_call(2))
        try:
            assert warehouse.load(restated(), KEY).status is FileStatus.LOADED
        finally:
            api.limits.statement_seconds = usual
    assert "StatementTimeoutException" in story.getvalue()
    assert_as_undisturbed(warehouse, (documents.key(DAY), document(DAY)), (KEY, restated()))


def test_sessions_that_the_server_ends_are_borne(warehouse: Warehouse, story: io.StringIO) -> None:
    warehouse.load(document(DAY), documents.key(DAY))
    failover = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    ended: list[object] = []
    warehouse.embedded.switches.intercept(
        "rds-data",
        "ExecuteStatement",
        lambda _: ended.extend(warehouse.query(failover)),
        predicate=at_call(3),
    )
    large = in_several_calls(restated())
    assert warehouse.load(large, KEY).status is FileStatus.LOADED
    assert ended
    assert "trying again" in story.getvalue()
    assert_as_undisturbed(warehouse, (documents.key(DAY), document(DAY)), (KEY, large))


# The Data API: faults that do not pass

LASTING: dict[str, tuple[Plan, str]] = {
    "resuming at the first call": (lambda f: f.resume(), "resuming"),
    "resuming at a file's first call": (lambda f: f.resume(sql=LOAD), "resuming"),
    "500": (
        lambda f: f.fail("InternalServerErrorException", sql=LOAD, times=None),
        "Internal",
    ),
    "503": (
        lambda f: f.fail("ServiceUnavailableError", sql=LOAD, times=None),
        "ServiceUnavailable",
    ),
    "cut": (lambda f: f.cut(times=None), "no answer"),
    "statement timeout": (lambda f: f.time_out(sql=LOAD, times=None), "Timeout"),
    "deadlock": (lambda f: f.database_error("40P01", sql=LOAD, times=None), "40P01"),
    "connection limit": (
        lambda f: f.connection_limit(path=EXECUTE, times=None),
        "53300",
    ),
}
LASTING_IN_TRANSACTION: dict[str, tuple[Plan, str]] = {
    "resuming at begin": (lambda f: f.resume(path=BEGIN), "resuming"),
    "resuming in the middle": (lambda f: f.resume(sql=LOAD), "resuming"),
    "500": (lambda f: f.fail("InternalServerErrorException", path=BEGIN, times=None), "Internal"),
    "503": (
        lambda f: f.fail("ServiceUnavailableError", sql=LOAD, times=None),
        "ServiceUnavailable",
    ),
    "cut after a statement": (lambda f: f.cut(sql=LOAD, after=True, times=None), "no answer"),
    "statement timeout": (lambda f: f.time_out(sql=LOAD, times=None), "Timeout"),
    "transaction vanishes": (lambda f: f.vanish(times=None), "TransactionNotFound"),
    "deadlock": (lambda f: f.database_error("40P01", sql=LOAD, times=None), "40P01"),
    "still running a query": (lambda f: f.still_running(times=None), "still running"),
    "connection limit": (lambda f: f.connection_limit(times=None), "53300"),
}


def assert_it_waits(warehouse: Warehouse, plan: Plan, words: str, made: Document) -> None:
    """The file stays in data/ and nothing of it is loaded, until the fault has passed."""
    put(warehouse, made)
    plan(warehouse.embedded.data_api.faults)
    code, lines = receive(warehouse, "--patience", "0.5")
    assert code == 1
    assert keys(warehouse, "") == [KEY]
    assert [line for line in lines if " FAIL " in line and words in line], lines
    assert warehouse.query("SELECT FROM documents") == []
    warehouse.embedded.data_api.faults.clear()
    assert sweep(warehouse)[KEY].status is FileStatus.LOADED
    assert_as_undisturbed(warehouse, (KEY, made))


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_that_lasts_leaves_the_file_in_data(warehouse: Warehouse, name: str) -> None:
    assert_it_waits(warehouse, *LASTING[name], document(NEXT))


@pytest.mark.parametrize("name", LASTING_IN_TRANSACTION)
def test_a_fault_that_lasts_in_a_transaction_leaves_the_file_in_data(
    warehouse: Warehouse, name: str
) -> None:
    assert_it_waits(warehouse, *LASTING_IN_TRANSACTION[name], in_several_calls(document(NEXT)))


def test_answers_that_are_always_lost_leave_the_file_in_data(warehouse: Warehouse) -> None:
    """It is loaded, but nobody knows; the next receiver is told so by the database."""
    put(warehouse, document(NEXT))
    faults = warehouse.embedded.data_api.faults
    faults.cut(sql=LOAD, after=True, times=None)
    code, lines = receive(warehouse, "--patience", "0.5")
    assert (code, keys(warehouse, "")) == (1, [KEY])
    assert [line for line in lines if " FAIL " in line and "no answer" in line], lines
    faults.clear()
    code, lines = receive(warehouse)
    assert (code, keys(warehouse, "data/")) == (0, [])
    assert [line for line in lines if "was loaded before" in line], lines
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


def test_the_patience_is_for_all_files_together(warehouse: Warehouse) -> None:
    accounts = [f"4444000000{n:02}" for n in range(8)]
    for account in accounts:
        put(warehouse, document(account=account), documents.key(account=account))
    impatient = receiver.start(replace(warehouse.settings, patience=1.0, workers=1))
    faults = warehouse.embedded.data_api.faults
    faults.resume()
    results = receiver.load_all(impatient, receiver.list_data(impatient))
    assert {result.status for result in results} == {FileStatus.DEFERRED}
    most_tries_of_the_first = 3
    assert faults.injected.total() < most_tries_of_the_first + len(accounts)
    assert len(keys(warehouse, "data/")) == len(accounts)
