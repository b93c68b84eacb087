"""--adopt-schema: a database of the public sample is taken over, all of it or nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

import receiver
from observability.errors import DatabaseFault, UsageError
from observability.receiving.adoption import adopt
from observability.receiving.result import FileStatus
from observability.receiving.setup import init_schema
from tests import documents
from tests.documents import document
from tests.receiving import foreign_schema
from tests.warehouse import Warehouse

Output = pytest.CaptureFixture[str]


@pytest.fixture
def theirs(warehouse: Warehouse) -> Warehouse:
    """A database with the sample's tables, and nothing of ours."""
    with psycopg.connect(warehouse.embedded.postgres.dsn_for(warehouse.database)) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        foreign_schema.make(connection)
    return warehouse


def take_over(warehouse: Warehouse, name: str = "sample") -> int:
    return adopt(warehouse.settings, name, receiver.start)


def values(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in warehouse.query(query)]


TABLES = """SELECT n.nspname AS schema, count(*) AS n FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'sample') AND c.relkind IN ('r', 'v') GROUP BY 1 ORDER BY 1"""


def test_init_schema_changes_nothing_of_it_and_says_what_to_do(theirs: Warehouse) -> None:
    before = values(theirs, TABLES)
    with pytest.raises(UsageError, match="--adopt-schema sample"):
        init_schema(theirs.settings)
    with pytest.raises(UsageError, match="--adopt-schema sample"):
        receiver.start(theirs.settings)
    assert values(theirs, TABLES) == before


def test_its_rows_are_ours_with_their_lineage(theirs: Warehouse, capsys: Output) -> None:
    assert take_over(theirs) == 0
    accounts = "SELECT account_id, region, account_name, joined_timestamp, category FROM accounts"
    joined = datetime(2020, 2, 29, tzinfo=UTC)
    assert values(theirs, f"{accounts} ORDER BY 1") == [
        (documents.ACCOUNT, documents.REGION, "Shop", joined, "Both"),
        ("444455556666", theirs.settings.region, None, None, "None"),
    ]
    for query, expected in ROWS.items():
        assert values(theirs, query) == expected, query
    keys = values(theirs, "SELECT key, with_meta FROM documents ORDER BY 1")
    assert keys[0] == (f"adopted/sample/{documents.ACCOUNT}/{documents.REGION}", False)
    said = capsys.readouterr().out
    assert "left out of documents without meta: inventory_applications 1" in said
    assert "2 files (2 loaded)" in said


ROWS: dict[str, list[tuple[Any, ...]]] = {
    "SELECT date_from, CAST(cost AS integer), usage_types FROM services ORDER BY 1": [
        (date(2026, 11, 9), 3, "a,b"),
        (date(2026, 11, 10), 6, "Aggregated"),
        (date(2026, 11, 11), 7, "Aggregated"),
    ],
    "SELECT count(*) FROM service_costs": [(2,)],
    "SELECT CAST(amount AS integer) FROM cost_forecasts": [(8,)],
    "SELECT service, total_findings, high_count FROM security": [("Config", 1, 1)],
    "SELECT finding_id, detector_id FROM guard_duty_findings": [("finding-1", None)],
    """SELECT resource_id, annotation, r.date_from FROM non_compliant_resources n
       JOIN config_reports r ON r.id = n.config_report_id ORDER BY 1""": [
        ("gone", None, date(2026, 11, 10)),
        ("logs", "new", date(2026, 11, 11)),
    ],
    "SELECT service_name, resource_id, state FROM service_resources ORDER BY 1, 2": [
        ("ELB", "back", "active"),
        ("ELB", "front", "active"),
        ("Lambda", "pay", "Active"),
    ],
    "SELECT resource_type FROM config_inventory": [("AWS::EC2::Instance",)],
    "SELECT rate_limit FROM waf_rules_detailed": [(True,)],
    "SELECT name FROM inventory_applications": [("curl",)],
    "SELECT count(*) FROM application_signals": [(1,)],
    "SELECT subscription_id FROM ri_sp_daily_savings": [("p-1",)],
    "SELECT cost_status, message_type, message, position FROM logs l JOIN log_messages m "
    "ON m.log_id = l.id ORDER BY 4": [("Fail", "cost", "denied", 0), ("Fail", "INFO", "x", 1)],
    "SELECT city FROM contact_info": [("Berlin",)],
    "SELECT contact_type, full_name FROM alternate_contacts": [("billing", "Ada")],
    "SELECT name, owner, position FROM products ORDER BY 1": [
        ("None", "System", None),  # the second account's document names no product
        ("Search", "System", None),
        ("Shop", "Ada", "first"),
    ],
    """SELECT a.account_id, p.name, l.document_id IS NULL FROM product_accounts l
       JOIN products p ON p.id = l.product_id JOIN accounts a ON a.id = l.account_id
       ORDER BY 1, 2""": [
        (documents.ACCOUNT, "Search", False),
        (documents.ACCOUNT, "Shop", True),
        ("444455556666", "Shop", True),
    ],
}


def test_its_views_read_our_tables(theirs: Warehouse, capsys: Output) -> None:
    assert take_over(theirs) == 0
    assert "3 views created" in capsys.readouterr().out
    assert values(theirs, "SELECT account, risk FROM risks") == [(documents.ACCOUNT, 2)]
    comment = "SELECT obj_description('public.risks'::regclass)"
    assert values(theirs, comment) == [("how 'risky' it is",)]
    reads = """SELECT DISTINCT c.relnamespace::regnamespace::text FROM pg_depend d
        JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = d.refobjid
        WHERE r.ev_class = 'public.everything'::regclass AND c.relkind = 'r'"""
    assert values(theirs, reads) == [("public",)]


def test_a_view_keeps_its_options(theirs: Warehouse) -> None:
    """One that reads with the rights of its caller would else read with those of its owner."""
    theirs.query("ALTER VIEW risks SET (security_invoker = true)", fetch=False)
    assert take_over(theirs) == 0
    options = "SELECT reloptions FROM pg_class WHERE oid = 'public.risks'::regclass"
    assert values(theirs, options) == [(["security_invoker=true"],)]


def test_a_view_that_cannot_be_created_costs_itself(theirs: Warehouse, capsys: Output) -> None:
    theirs.query(
        """ALTER TABLE kms_keys ADD COLUMN of_theirs integer;
           CREATE VIEW broken AS SELECT of_theirs FROM kms_keys""",
        fetch=False,
    )
    assert take_over(theirs) == 1
    said = capsys.readouterr().out
    assert "3 views created" in said
    assert "the view broken is not created: " in said
    assert "of_theirs" in said


def test_it_can_be_run_again_and_beside_our_documents(theirs: Warehouse) -> None:
    """Overlapping days are not doubled, and what our document does not list is gone."""
    assert take_over(theirs) == 0
    rows = theirs.rows()
    assert take_over(theirs) == 0
    assert theirs.rows() == rows

    made = document(date(2026, 11, 20))
    made["security"]["kms"] = []
    assert theirs.load(made, documents.key(date(2026, 11, 20))).status is FileStatus.LOADED
    past = document(date(2026, 11, 10))
    past["meta"]["collected_at"] = "2026-11-21T00:00:00+00:00"
    assert theirs.load(past, documents.key(date(2026, 11, 10))).status is FileStatus.LOADED
    before = theirs.rows()
    assert take_over(theirs) == 0
    assert theirs.rows() == before
    day = "SELECT DISTINCT usage_types FROM services WHERE date_from = '2026-11-10'"
    assert ("Aggregated",) not in values(theirs, day)
    gone = "SELECT gone_at IS NULL FROM kms_keys WHERE key_id = 'old'"
    assert values(theirs, gone) == [(False,)]


def test_it_is_all_or_nothing(theirs: Warehouse) -> None:
    """A table of somebody's stands where schema.sql makes a view: nothing has moved then."""
    theirs.query("CREATE TABLE freshness (x integer)", fetch=False)
    before = values(theirs, TABLES)
    with pytest.raises(DatabaseFault, match="freshness"):
        take_over(theirs)
    assert values(theirs, TABLES) == before
    theirs.query("DROP TABLE freshness", fetch=False)
    assert take_over(theirs) == 0


def test_an_account_that_cannot_be_loaded_costs_itself(theirs: Warehouse, capsys: Output) -> None:
    theirs.query("DROP VIEW risks; DROP VIEW everything", fetch=False)
    theirs.query("ALTER TABLE accounts ALTER account_id TYPE text", fetch=False)
    theirs.query(
        "UPDATE accounts SET account_id = 'far too long a number' WHERE id = 3", fetch=False
    )
    assert take_over(theirs) == 1
    assert "(1 loaded, 1 rejected)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("public", "a name of"),
        ("Sample", "a name of"),
        ('x"; DROP TABLE accounts', "a name of"),
        ("pg_sample", "a name of"),
        ("taken", "has tables already"),
        ("table", "a word of SQL"),
    ],
)
def test_a_name_that_will_not_do_is_refused(theirs: Warehouse, name: str, words: str) -> None:
    theirs.query("CREATE SCHEMA taken CREATE TABLE accounts (id integer)", fetch=False)
    with pytest.raises(UsageError, match=words):
        take_over(theirs, name)


def test_without_its_tables_there_is_nothing_to_take(warehouse: Warehouse) -> None:
    with pytest.raises(UsageError, match="neither in public nor there"):
        take_over(warehouse)


def test_rows_of_any_size_come_over(theirs: Warehouse) -> None:
    """Rows of more than an answer has room for: many at once, and a single one."""
    theirs.query(
        """INSERT INTO kms_keys (account_id, key_id, description)
           SELECT 2, 'many-' || n, repeat('ä', 20000) FROM generate_series(1, 60) n;
           INSERT INTO kms_keys (account_id, key_id, description)
           VALUES (2, 'huge', repeat('é', 100000))""",
        fetch=False,
    )
    assert take_over(theirs) == 0
    sizes = "SELECT length(description), count(*) FROM kms_keys GROUP BY 1 ORDER BY 1 NULLS FIRST"
    assert values(theirs, sizes) == [(None, 2), (20_000, 60), (100_000, 1)]
