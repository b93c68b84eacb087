"""Statements that the database keeps: documents name them, and bring those that it lacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import psycopg
import pytest

import receiver
from observability.database.kept import digest
from observability.errors import DatabaseFault
from observability.receiving.result import FileStatus
from observability.receiving.setup import init_schema
from tests import documents
from tests.conftest import ANALYTICS
from tests.database.test_unchanged import day_with
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
    with pytest.raises(DatabaseFault, match="the table statements leaves out"):
        load(warehouse)
    assert warehouse.query("SELECT FROM accounts") == []


def test_receivers_that_keep_the_same_at_once_both_succeed(warehouse: Warehouse) -> None:
    warehouse.query("DELETE FROM statements", fetch=False)
    accounts = [str(int(ANALYTICS) + number) for number in range(1, 5)]
    for account in accounts:
        body = documents.encode(document(account=account))
        key = documents.key(account=account)
        warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body)
    results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert [result.status for result in results] == [FileStatus.LOADED] * len(accounts)
