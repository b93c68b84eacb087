"""Rows of earlier senders and of databases that exist, in today's words."""

from __future__ import annotations

import psycopg

from observability.database.schema import split_statements
from tests import documents
from tests.conftest import SCHEMA
from tests.documents import Document, document
from tests.warehouse import Warehouse

ARN = "arn:aws"


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
    [group] = made["security"]["security_hub"]
    for found in group["findings"]:
        found |= {"service": "Security Hub", "generator": "aws-foundational"}
    del made["config"]["rules_without_result"]
    made["config"]["total_rules"] = 7
    made["account"] |= {"product": None, "customer_name": None, "category": ""}
    [resource, bucket] = made["service_resources"]
    del resource["arn"]
    made["service_resources"] = [
        {**resource, "resource_type": "Volume", "resource_id": "vol-1"},
        {**resource, "resource_type": "Subnet", "resource_id": "subnet-1"},
        {**bucket, "resource_type": "Bucket", "state": None},
        *(
            {**bucket, "service_name": service, "resource_type": kind, "resource_id": arn}
            | {"resource_name": name, "state": "active"}
            for service, kind, name, arn in NAMED
        ),
    ]
    return made


NAMED = [
    ("AutoScaling", "AutoScalingGroup", "shop/web", f"{ARN}:autoscaling:eu-west-1:1:"
     "autoScalingGroup:6a-4b:autoScalingGroupName/shop/web"),
    ("ELB", "LoadBalancer", "front", f"{ARN}:elasticloadbalancing:eu-west-1:1:"
     "loadbalancer/app/front/50dc6c495c0c9188"),
    ("Lambda", "Function", "pay", f"{ARN}:lambda:eu-west-1:1:function:pay"),
]  # fmt: skip
"""What was known by its ARN: service, type, name, ARN."""

TODAY = {
    "SELECT rate_limit_requests, waf_version FROM waf_rules_detailed ORDER BY 1": [
        (2000, "v2"),
        (None, "v2"),
    ],
    "SELECT performance_risk, current_performance_risk, resource_type FROM compute_optimizer": [
        (None, "VeryLow", "EBS")
    ],
    "SELECT reservation_type FROM ri_sp_daily_savings": [("Savings Plan",)],
    "SELECT service_name, resource_type FROM service_resources WHERE arn IS NULL ORDER BY 1": [
        ("EBS", "Volume"),
        ("S3", "Bucket"),
        ("VPC", "Subnet"),
    ],
    """SELECT service_name, resource_type, resource_id, arn FROM service_resources
       WHERE arn IS NOT NULL ORDER BY 1""": NAMED,
    "SELECT DISTINCT service, generator FROM findings": [("AwsS3Bucket", "Security Hub")],
    "SELECT service, total_findings FROM security": [("Security Hub", 2)],
    "SELECT total_rules, rules_without_result FROM config_reports": [(3, 4)],
    """SELECT partner_name, customer_name, category, p.name FROM accounts a
       JOIN product_accounts l ON l.account_id = a.id JOIN products p ON p.id = l.product_id""": [
        ("Partner", "None", "None", "None")
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
    limits = warehouse.query("SELECT rate_limit FROM waf_rules_detailed ORDER BY rule_name DESC")
    assert limits == [{"rate_limit": True}, {"rate_limit": False}]


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
UPDATE service_resources SET service_name = 'EC2' WHERE service_name IN ('EBS', 'VPC');
UPDATE service_resources SET state = NULL WHERE resource_type = 'Bucket';
UPDATE service_resources SET resource_id = arn WHERE arn IS NOT NULL;
ALTER TABLE service_resources DROP COLUMN arn;
UPDATE findings SET service = 'Security Hub', generator = 'aws-foundational';
UPDATE config_reports SET total_rules = total_rules + rules_without_result;
ALTER TABLE config_reports DROP COLUMN rules_without_result;
DELETE FROM product_accounts;
DELETE FROM products WHERE name = 'None';
INSERT INTO products (name, position) VALUES ('Shop', 0);
INSERT INTO product_accounts (product_id, account_id, document_id, gone_at)
    SELECT p.id, a.id, a.document_id, now() FROM products p, accounts a;
UPDATE accounts SET customer_name = NULL, category = '';
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
