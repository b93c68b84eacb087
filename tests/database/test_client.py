"""Faults of the Data API: what passes changes no row, what lasts leaves the file in data/."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import psycopg
import pytest

import receiver
from observability.receiving.result import FileStatus
from tests import documents
from tests.cloud import ApiRequest
from tests.documents import document
from tests.faults import Plan, assert_as_undisturbed, at_call, keys, put, receive, restated, sweep
from tests.warehouse import Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
KEY = documents.key(NEXT)
BEGIN, EXECUTE, COMMIT = "/BeginTransaction", "/Execute", "/CommitTransaction"


# The Data API: faults that pass

PASSING: dict[str, tuple[Plan, str]] = {
    "resuming at the first call": (lambda f: f.resume(times=2), "resuming"),
    "resuming in the middle": (lambda f: f.resume(path=EXECUTE, skip=2, times=2), "resuming"),
    "500 at begin": (
        lambda f: f.fail("InternalServerErrorException", path=BEGIN),
        "InternalServerError",
    ),
    "500 in the middle": (
        lambda f: f.fail("InternalServerErrorException", path=EXECUTE, skip=2),
        "InternalServerError",
    ),
    "500 although it was done": (
        lambda f: f.fail("InternalServerErrorException", path=EXECUTE, skip=3, after=True),
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
        lambda f: f.fail("DatabaseUnavailableException", path=EXECUTE, skip=3),
        "DatabaseUnavailable",
    ),
    "cut at begin": (lambda f: f.cut(path=BEGIN), "no answer"),
    "cut after begin": (lambda f: f.cut(path=BEGIN, after=True), "no answer"),
    "cut before the lock": (lambda f: f.cut(path=EXECUTE), "no answer"),
    "cut after the lock": (lambda f: f.cut(path=EXECUTE, after=True), "no answer"),
    "cut before the rows": (lambda f: f.cut(sql="run_steps"), "no answer"),
    "cut after the rows": (lambda f: f.cut(sql="run_steps", after=True), "no answer"),
    "cut before COMMIT": (lambda f: f.cut(path=COMMIT), "no answer"),
    "cut after COMMIT": (lambda f: f.cut_after_commit(), "no answer"),
    "statement timeout": (lambda f: f.time_out(sql="run_steps"), "StatementTimeout"),
    "statement timeout although done": (lambda f: f.time_out(skip=1, after=True), "StatementTime"),
    "transaction vanished": (lambda f: f.vanish(skip=2), "TransactionNotFound"),
    "transaction vanished at commit": (lambda f: f.vanish(path=COMMIT), "TransactionNotFound"),
    "deadlock": (lambda f: f.database_error("40P01", skip=2), "40P01"),
    "deadlock at the lock": (lambda f: f.database_error("40P01"), "40P01"),
    "serialization failure": (lambda f: f.database_error("40001", skip=3), "40001"),
    "serialization failure at commit": (
        lambda f: f.database_error("40001", path=COMMIT),
        "40001",
    ),
    "lock timeout": (lambda f: f.database_error("55P03"), "55P03"),
    "still running a query": (lambda f: f.still_running(skip=2), "still running"),
    "still running at commit": (lambda f: f.still_running(path=COMMIT), "still running"),
    "connection limit": (lambda f: f.connection_limit(times=2), "53300"),
}
"""What goes wrong, and the words that the story must have."""

TWICE = {"resuming at the first call", "resuming in the middle", "connection limit"}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_changes_no_row(
    warehouse: Warehouse, story: io.StringIO, name: str
) -> None:
    plan, words = PASSING[name]
    made = (documents.key(DAY), document(DAY)), (KEY, restated())
    faults = warehouse.embedded.data_api.faults
    warehouse.load(made[0][1], made[0][0])
    plan(faults)
    assert warehouse.load(restated(), KEY).outcome is FileStatus.LOADED
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
            {**key, "key_id": f"key-{n}", "description": f"{n}" * 1_000_000} for n in numbers
        ]
    put(warehouse, second)
    warehouse.load(first, documents.key(DAY))
    faults = warehouse.embedded.data_api.faults
    faults.cut(sql="run_steps", skip=2, after=True)
    assert sweep(warehouse)[KEY].outcome is FileStatus.LOADED
    assert faults.injected["cut"] == 1
    rows = warehouse.rows()
    assert [row["key_id"] for row in rows["kms_keys"] if row["gone_at"]] == ["key-0"]
    assert_as_undisturbed(warehouse, (documents.key(DAY), first), (KEY, second))


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
            assert warehouse.load(restated(), KEY).outcome is FileStatus.LOADED
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
    assert warehouse.load(restated(), KEY).outcome is FileStatus.LOADED
    assert ended
    assert "trying again" in story.getvalue()
    assert_as_undisturbed(warehouse, (documents.key(DAY), document(DAY)), (KEY, restated()))


# The Data API: faults that do not pass

LASTING: dict[str, tuple[Plan, str]] = {
    "resuming at the first call": (lambda f: f.resume(), "resuming"),
    "resuming at a file's first call": (lambda f: f.resume(path=BEGIN), "resuming"),
    "resuming in the middle": (lambda f: f.resume(sql="INTO documents"), "resuming"),
    "500": (lambda f: f.fail("InternalServerErrorException", path=BEGIN, times=None), "Internal"),
    "503": (
        lambda f: f.fail("ServiceUnavailableError", sql="INTO documents", times=None),
        "ServiceUnavailable",
    ),
    "cut": (lambda f: f.cut(times=None), "no answer"),
    "cut after a statement": (
        lambda f: f.cut(sql="INTO documents", after=True, times=None),
        "no answer",
    ),
    "statement timeout": (lambda f: f.time_out(sql="INTO documents", times=None), "Timeout"),
    "transaction vanishes": (lambda f: f.vanish(times=None), "TransactionNotFound"),
    "deadlock": (lambda f: f.database_error("40P01", sql="INTO documents", times=None), "40P01"),
    "still running a query": (lambda f: f.still_running(times=None), "still running"),
    "connection limit": (lambda f: f.connection_limit(times=None), "53300"),
}


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_that_lasts_leaves_the_file_in_data(warehouse: Warehouse, name: str) -> None:
    plan, words = LASTING[name]
    put(warehouse, document(NEXT))
    plan(warehouse.embedded.data_api.faults)
    code, lines = receive(warehouse, "--patience", "0.5")
    assert code == 1
    assert keys(warehouse, "") == [KEY]
    assert [line for line in lines if " FAIL " in line and words in line], lines
    assert warehouse.query("SELECT FROM documents") == []
    warehouse.embedded.data_api.faults.clear()
    assert sweep(warehouse)[KEY].outcome is FileStatus.LOADED
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


def test_the_patience_is_for_all_files_together(warehouse: Warehouse) -> None:
    accounts = [f"4444000000{n:02}" for n in range(8)]
    for account in accounts:
        put(warehouse, document(account=account), documents.key(account=account))
    impatient = receiver.start(replace(warehouse.settings, patience=1.0, workers=1))
    faults = warehouse.embedded.data_api.faults
    faults.resume(path=BEGIN)
    results = receiver.load_all(impatient, receiver.list_data(impatient))
    assert {result.outcome for result in results} == {FileStatus.DEFERRED}
    most_tries_of_the_first = 3
    assert faults.injected.total() < most_tries_of_the_first + len(accounts)
    assert len(keys(warehouse, "data/")) == len(accounts)
