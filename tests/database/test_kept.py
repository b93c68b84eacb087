"""Statements that the database keeps: documents name them, and bring those that it lacks."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import date

import psycopg
import pytest

from observability.database.kept import digest
from observability.errors import DatabaseFault
from observability.receiving.result import FileStatus
from observability.receiving.setup import init_schema
from tests import documents
from tests.database.test_unchanged import day_with
from tests.database.waiting import wait_for_lock
from tests.documents import document
from tests.warehouse import Warehouse


def kept(warehouse: Warehouse) -> int:
    [row] = warehouse.query("SELECT count(*) AS n FROM statements")
    return int(row["n"])


def load(warehouse: Warehouse, large: bool = False) -> FileStatus:
    """Load a document of one request or, if `large`, of several."""
    made = day_with("abcdefgh", 0, description="long " * 200_000) if large else document()
    about = made["meta"]
    key = documents.key(date.fromisoformat(about["period"]["start"]), about["account_id"])
    return warehouse.load(made, key).status


@pytest.mark.parametrize("large", [False, True], ids=["one request", "several"])
def test_statements_that_the_database_lacks_are_kept_and_carried_out(
    warehouse: Warehouse, large: bool
) -> None:
    """As after an update of the receiver that needed no other schema."""
    assert load(warehouse, large) is FileStatus.LOADED
    expected = warehouse.rows()
    warehouse.empty()
    warehouse.query("DELETE FROM statements", fetch=False)
    assert load(warehouse, large) is FileStatus.LOADED
    assert warehouse.rows() == expected
    there = kept(warehouse)
    assert there > 40
    assert load(warehouse, large) is FileStatus.LOADED
    assert kept(warehouse) == there


@pytest.mark.parametrize("large", [False, True], ids=["one request", "several"])
def test_a_trial_leaves_no_statement_in_the_database(warehouse: Warehouse, large: bool) -> None:
    warehouse.query("DELETE FROM statements", fetch=False)
    warehouse.receiver = replace(warehouse.receiver, dry_run=True)
    assert load(warehouse, large) is FileStatus.LOADABLE
    assert kept(warehouse) == 0


def test_init_schema_keeps_all_that_documents_need_and_forgets_what_is_old(
    warehouse: Warehouse,
) -> None:
    needed = kept(warehouse)
    old, young = (f"SELECT {number}" for number in (1, 2))
    warehouse.query("DELETE FROM statements WHERE id % 2 = 0", fetch=False)
    for sql, days in ((old, 91), (young, 89)):
        warehouse.query(
            f"INSERT INTO statements (digest, sql, created_at) "
            f"VALUES ('{digest(sql)}', '{sql}', now() - interval '{days} days')",
            fetch=False,
        )
    warehouse.query("UPDATE statements SET created_at = now() - interval '1 year' WHERE sql <> "
                    f"'{young}'", fetch=False)  # fmt: skip
    init_schema(warehouse.settings)
    assert warehouse.query("SELECT sql FROM statements WHERE length(sql) < 20") == [{"sql": young}]
    assert kept(warehouse) == needed + 1
    for large in (False, True):
        assert load(warehouse, large) is FileStatus.LOADED
    assert kept(warehouse) == needed + 1


def test_no_other_text_stands_under_the_digest_of_a_statement(warehouse: Warehouse) -> None:
    """Whoever loads a document carries it out with their own rights."""
    for changed in (
        "UPDATE statements SET sql = sql || ' '",
        f"INSERT INTO statements (digest, sql) VALUES ('{digest('SELECT 1')}', 'SELECT 2')",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            warehouse.query(changed, fetch=False)


def test_statements_that_cannot_be_kept_are_a_failure_with_its_reason(
    warehouse: Warehouse,
) -> None:
    for statement in (
        "DELETE FROM statements",
        "CREATE FUNCTION of_theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER of_theirs BEFORE INSERT ON statements"
        " FOR EACH ROW EXECUTE FUNCTION of_theirs()",
    ):
        warehouse.query(statement, fetch=False)
    with pytest.raises(DatabaseFault, match="rows of the table statements were not written"):
        load(warehouse)
    assert warehouse.query("SELECT FROM accounts") == []


def test_a_receiver_waits_for_another_that_keeps_the_same(warehouse: Warehouse) -> None:
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    done: list[FileStatus] = []
    loading = threading.Thread(target=lambda: done.append(load(warehouse)))
    with psycopg.connect(dsn) as other:
        texts = other.execute("SELECT digest, sql FROM statements").fetchall()
        other.execute("DELETE FROM statements")
        other.commit()
        with other.cursor() as cursor:
            cursor.executemany("INSERT INTO statements (digest, sql) VALUES (%s, %s)", texts)
        loading.start()
        try:
            wait_for_lock(warehouse, "INSERT INTO statements", loading)
        finally:
            other.commit()
            loading.join()
    assert done == [FileStatus.LOADED]
    assert kept(warehouse) == len(texts)


def test_a_receiver_of_version_1_0_brings_its_statements(warehouse: Warehouse) -> None:
    """Release 1.0 calls run_steps itself, with the texts."""
    none = "SELECT CAST(1 AS bigint), CAST(2 AS bigint), CAST(3 AS bigint)"
    steps = json.dumps([{"sql": none, "rows": [], "scopes": []}])
    answer = warehouse.query(f"SELECT * FROM run_steps(CAST(0 AS integer), '{steps}')")
    assert answer == [{"created": 1, "updated": 2, "gone": 3}]


def test_a_statement_that_was_forgotten_meanwhile_is_no_wrong_value(warehouse: Warehouse) -> None:
    steps = json.dumps([{"sql": digest("SELECT 1"), "rows": [], "scopes": []}])
    with pytest.raises(psycopg.errors.SerializationFailure, match="forgotten meanwhile"):
        warehouse.query(f"SELECT * FROM run_steps(0, '{steps}')")
