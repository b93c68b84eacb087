"""Rows of earlier senders and of databases that exist, in today's words."""

from __future__ import annotations

import psycopg

from observability.database.schema import split_statements
from tests import documents
from tests.conftest import SCHEMA
from tests.documents import Document, document
from tests.warehouse import Warehouse


def earlier() -> Document:
    """What the sender wrote before: other words, and numbers where now is a truth beside them."""
    made = document()
    [rule] = made["security"]["waf_rules"]
    del rule["rate_limit_requests"]
    made["security"]["waf_rules"] = [
        {**rule, "rate_limit": 2000, "waf_version": "WAFv2"},
        {**rule, "rule_name": "none", "rate_limit": None, "waf_version": "WAFv2"},
    ]
    [advice] = made["compute_optimizer"]
    del advice["current_performance_risk"]
    advice |= {"performance_risk": "VeryLow", "resource_type": "EbsVolume"}
    [plan] = made["ri_sp_savings"]
    plan["reservation_type"] = "SavingsPlan"
    [resource, bucket] = made["service_resources"]
    made["service_resources"] = [
        {**resource, "resource_type": "Volume", "resource_id": "vol-1"},
        {**resource, "resource_type": "Subnet", "resource_id": "subnet-1"},
        {**bucket, "resource_type": "Bucket", "state": None},
    ]
    return made


TODAY = {
    "SELECT rate_limit_requests, waf_version FROM waf_rules_detailed ORDER BY 1": [
        (2000, "v2"),
        (None, "v2"),
    ],
    "SELECT performance_risk, current_performance_risk, resource_type FROM compute_optimizer": [
        (None, "VeryLow", "EBS")
    ],
    "SELECT reservation_type FROM ri_sp_daily_savings": [("Savings Plan",)],
    "SELECT service_name, resource_type FROM service_resources ORDER BY 1": [
        ("EBS", "Volume"),
        ("S3", "Bucket"),
        ("VPC", "Subnet"),
    ],
    "SELECT state FROM service_resources WHERE service_name = 'S3'": [("Active",)],
}


def assert_in_todays_words(warehouse: Warehouse) -> None:
    for query, expected in TODAY.items():
        assert [tuple(row.values()) for row in warehouse.query(query)] == expected, query


def test_documents_of_earlier_senders_load_in_todays_words(warehouse: Warehouse) -> None:
    """Also those that the archive has: a rebuild makes no other rows than today's."""
    warehouse.load(earlier(), documents.key())
    assert_in_todays_words(warehouse)
    limits = warehouse.query("SELECT rate_limit FROM waf_rules_detailed WHERE rule_name = 'rate'")
    assert limits == [{"rate_limit": True}]


BACK = """
DO 'DECLARE v record; BEGIN
    FOR v IN SELECT relname FROM pg_class
             WHERE relnamespace = ''public''::regnamespace AND relkind = ''v'' LOOP
        EXECUTE format(''DROP VIEW IF EXISTS %I CASCADE'', v.relname);
    END LOOP;
END';
ALTER TABLE waf_rules_detailed DROP COLUMN rate_limit;
ALTER TABLE waf_rules_detailed RENAME COLUMN rate_limit_requests TO rate_limit;
ALTER TABLE compute_optimizer DROP COLUMN performance_risk;
ALTER TABLE compute_optimizer RENAME COLUMN current_performance_risk TO performance_risk;
ALTER TABLE products ALTER COLUMN position TYPE integer USING 0;
ALTER TABLE products ALTER COLUMN position SET NOT NULL;
ALTER TABLE documents DROP COLUMN with_meta;
UPDATE waf_rules_detailed SET waf_version = 'WAFv2';
UPDATE compute_optimizer SET resource_type = 'EbsVolume';
UPDATE ri_sp_daily_savings SET reservation_type = 'SavingsPlan';
UPDATE service_resources SET service_name = 'EC2' WHERE resource_type <> 'Bucket';
UPDATE service_resources SET state = NULL WHERE resource_type = 'Bucket';
"""
"""From today's schema to the one before, for what differs."""


def test_a_database_that_exists_says_the_same_in_todays_words(warehouse: Warehouse) -> None:
    """Its rows are converted once; applying the schema again changes nothing more."""
    warehouse.load(earlier(), documents.key())
    statements = split_statements(SCHEMA.read_text())
    with psycopg.connect(warehouse.embedded.postgres.dsn_for(warehouse.database)) as connection:
        connection.execute(BACK.encode())
        for _ in range(2):
            for statement in statements:
                connection.execute(statement.encode())
    assert_in_todays_words(warehouse)
    rules = warehouse.query("SELECT rate_limit, rate_limit_requests AS n FROM waf_rules_detailed")
    assert {(row["rate_limit"], row["n"]) for row in rules} == {(True, 2000), (False, None)}
    assert {"position": None} in warehouse.query("SELECT position FROM products")
    columns = """SELECT data_type FROM information_schema.columns
        WHERE table_name = 'products' AND column_name = 'position'"""
    assert warehouse.query(columns) == [{"data_type": "text"}]
    warehouse.query("INSERT INTO products (name, position) VALUES ('x', 'first')", fetch=False)
