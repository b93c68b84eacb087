"""The shorter ways than a merge, in what they might pass over: what they find is not always as
documents left it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

import receiver
from observability.database.client import DBManager
from observability.database.merge import LOAD_SQL
from observability.errors import DatabaseFault
from observability.receiving.result import FileResult, FileStatus
from observability.settings.receiver import Settings
from tests import documents
from tests.database.test_unchanged import DAY, counts, day_with, load, stored
from tests.database.waiting import wait_for_lock
from tests.documents import Document, document
from tests.faults import put
from tests.warehouse import Warehouse

EVENTS = ("findings", "guard_duty_findings", "inspector_findings", "health_events")


def change(warehouse: Warehouse, *statements: str) -> None:
    for statement in statements:
        warehouse.query(statement, fetch=False)


def of_documents(warehouse: Warehouse, table: str) -> set[str]:
    rows = warehouse.query(f"SELECT d.key FROM {table} t JOIN documents d ON d.id = t.document_id")
    return {row["key"] for row in rows}


class ShorterOnly(DBManager):
    """The receiver's database in which what has a shorter way fails where that is not taken."""

    def __init__(self, settings: Settings, way: str) -> None:
        super().__init__(settings)
        self.way = way

    def execute(self, sql: str, parameters: Any, *more: Any, **others: Any) -> list[list[Any]]:
        if sql == LOAD_SQL:
            steps = json.loads(parameters["steps"])
            for step in steps:
                step["sql"] = "SELECT 1 / 0" if self.way in step else step["sql"]
            parameters = {**parameters, "steps": json.dumps(steps)}
        return super().execute(sql, parameters, *more, **others)


def test_what_is_first_and_what_is_unchanged_takes_no_merge(warehouse: Warehouse) -> None:
    usual = warehouse.receiver
    warehouse.receiver = replace(usual, db=ShorterOnly(warehouse.settings, "insert"))
    first, same = day_with("ab", 0), day_with("ab", 0)
    same["meta"]["collected_at"] = same["meta"]["collected_at"].replace("T03", "T04")
    assert first["meta"] != same["meta"]
    assert load(warehouse, first) == counts(2, 0, 0, 0)
    warehouse.receiver = replace(usual, db=ShorterOnly(warehouse.settings, "unchanged"))
    assert load(warehouse, same) == counts(0, 0, 2, 0)
    with pytest.raises(DatabaseFault):
        load(warehouse, day_with("a", 1))


def test_of_two_rows_with_one_key_one_stays_also_without_the_index(warehouse: Warehouse) -> None:
    """As where somebody has dropped it, or a database was restored without it."""
    change(warehouse, "DROP INDEX kms_keys_key")
    made = document()
    [key] = made["security"]["kms"]
    made["security"]["kms"] = [key, {**key, "description": "the second"}]
    assert warehouse.load(made, documents.key()).status is FileStatus.LOADED
    assert warehouse.query("SELECT description FROM kms_keys") == [
        {"description": key["description"]}
    ]


def test_what_does_not_stay_of_two_versions_may_break_a_constraint(warehouse: Warehouse) -> None:
    change(warehouse, "ALTER TABLE findings ADD CHECK (status <> 'ODD')")
    made = document()
    findings = made["security"]["security_hub"][0]["findings"]
    odd = {**findings[0], "status": "ODD", "updated_at": "2020-01-01T00:00:00+00:00"}
    findings.append(odd)
    assert warehouse.load(made, documents.key()).status is FileStatus.LOADED
    found = warehouse.query(f"SELECT status FROM findings WHERE finding_id = '{odd['finding_id']}'")
    assert found == [{"status": findings[0]["status"]}]


def test_a_new_account_may_have_rows_that_no_document_made(warehouse: Warehouse) -> None:
    """As where somebody's trigger links each new account to a product."""
    change(
        warehouse,
        """CREATE FUNCTION of_theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO products (name) VALUES ('Shop') ON CONFLICT DO NOTHING;
            INSERT INTO product_accounts (product_id, account_id)
            SELECT p.id, NEW.id FROM products p WHERE p.name = 'Shop';
            RETURN NEW; END $$""",
        "CREATE TRIGGER of_theirs AFTER INSERT ON accounts"
        " FOR EACH ROW EXECUTE FUNCTION of_theirs()",
    )
    made = document()
    made["account"]["product"] = "Shop,Web"
    assert warehouse.load(made, documents.key()).status is FileStatus.LOADED
    linked = warehouse.query("""
        SELECT p.name FROM product_accounts l JOIN products p ON p.id = l.product_id""")
    assert sorted(row["name"] for row in linked) == ["Shop", "Web"]


def test_what_is_new_exists_whatever_default_somebody_gave_a_column(warehouse: Warehouse) -> None:
    change(warehouse, "ALTER TABLE kms_keys ALTER gone_at SET DEFAULT now()")
    load(warehouse, day_with("ab", 0))
    assert stored(warehouse) == {"a": (None, 0), "b": (None, 0)}


def test_of_two_documents_of_one_time_events_stay_with_the_first(warehouse: Warehouse) -> None:
    """As where an archived copy is loaded beside the document that it is of."""
    first = documents.key(DAY)
    copy = first.replace(".json", ".copy.json")
    for key in (first, copy):
        assert warehouse.load(document(DAY), key).status is FileStatus.LOADED
    assert {table: of_documents(warehouse, table) for table in EVENTS} == {
        table: {first} for table in EVENTS
    }


def test_a_listing_counts_also_when_its_document_was_deleted(warehouse: Warehouse) -> None:
    load(warehouse, day_with("ab", 0))
    load(warehouse, day_with("b", 4))
    change(warehouse, f"DELETE FROM documents WHERE period_start = '{DAY + timedelta(4)}'")
    assert load(warehouse, day_with("b", 2)) == counts(0, 0, 1, 1)
    [gone] = warehouse.query("SELECT CAST(gone_at AS date) FROM kms_keys WHERE key_id = 'a'")
    assert gone["gone_at"] == DAY + timedelta(3)


@pytest.fixture
def held(warehouse: Warehouse) -> Any:
    """A lock for which documents wait that have support cases."""
    with psycopg.connect(warehouse.embedded.postgres.dsn_for(warehouse.database)) as connection:
        connection.execute("LOCK TABLE support_tickets IN SHARE MODE")
        yield connection


def test_a_trigger_that_comes_while_the_first_document_is_inserted_is_seen(
    warehouse: Warehouse,
) -> None:
    """It leaves rows out, which must not count as rows that the document has twice."""
    results: list[FileResult] = []
    put(warehouse, document(), documents.key())
    [file] = warehouse.receiver.s3.list_files("data/")
    loading = threading.Thread(
        target=lambda: results.append(receiver.load_safely(warehouse.receiver, file))
    )
    with psycopg.connect(warehouse.embedded.postgres.dsn_for(warehouse.database)) as theirs:
        theirs.execute(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN NULL; END $$"
        )
        theirs.execute(
            "CREATE TRIGGER theirs BEFORE INSERT ON kms_keys"
            " FOR EACH ROW EXECUTE FUNCTION nothing()"
        )
        loading.start()
        wait_for_lock(warehouse, "load_document", loading)
    loading.join()
    [result] = results
    assert result.status is FileStatus.FAILED
    assert "the trigger theirs on kms_keys" in result.reasons[0]


def only_costs(region: str) -> Document:
    """A document without meta that has costs of services and nothing else."""
    made = document(region=region, meta=False)
    kept = ("account", "service", "logs")
    return {name: part if name in kept else type(part)() for name, part in made.items()}


def test_costs_of_two_regions_that_load_at_once_count_once(warehouse: Warehouse, held: Any) -> None:
    """The first document without meta comes while one with meta is being loaded."""
    ours, theirs = "us-east-1", "eu-west-1"
    done: list[FileStatus] = []

    def load_ours() -> None:
        made = document(region=ours)
        done.append(warehouse.load(made, documents.key(region=ours)).status)

    loading = threading.Thread(target=load_ours)
    loading.start()
    try:
        wait_for_lock(warehouse, "load_document", loading)
        done.append(warehouse.load(only_costs(theirs), documents.key(region=theirs)).status)
    finally:
        held.rollback()
        loading.join()
    assert done == [FileStatus.LOADED, FileStatus.LOADED]
    regions = warehouse.query("""
        SELECT DISTINCT a.region FROM services s JOIN accounts a ON a.id = s.account_id""")
    assert [row["region"] for row in regions] == [ours]
