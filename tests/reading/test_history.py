"""What the report tells of earlier days: the trend of findings, and what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from observability.reading.report import make_report
from tests.bench.estate import generate_estate
from tests.cloud import EmbeddedCloud
from tests.reading.conftest import settings_for
from tests.reading.pages import Page

# Of schema.sql, where it has them; a database without them has no history to tell.
TABLES = """
CREATE TABLE IF NOT EXISTS daily_counts (
    account_id BIGINT, day DATE, measure TEXT, dimension TEXT, value NUMERIC);
CREATE TABLE IF NOT EXISTS changes (
    account_id BIGINT, document_id BIGINT, table_name TEXT, row_id BIGINT, row_key JSONB,
    change TEXT, old_values JSONB, new_values JSONB);
TRUNCATE daily_counts, changes"""

COUNTS = """
INSERT INTO daily_counts (account_id, day, measure, dimension, value)
SELECT a, current_date - d, measure, dimension, value * d
FROM generate_series(1, 2) a, generate_series(1, 3) d,
    (VALUES ('open_findings', 'CRITICAL', 1), ('open_findings', 'HIGH', 2),
            ('open_findings', 'UNRATED', 5), ('resources', 'CRITICAL', 100))
        x (measure, dimension, value)"""

CHANGES = """
INSERT INTO changes (account_id, document_id, table_name, row_id, row_key, change, new_values)
SELECT d.account_id, d.id, x.table_name, x.row_id, CAST(x.row_key AS jsonb), x.change,
       CAST(x.new_values AS jsonb)
FROM documents d, (VALUES
        ('kms_keys', 1, '{"key_id": "k-1"}', 'gone', '{}'),
        ('findings', 1, '{"finding_id": "f"}', 'created', '{}'),
        ('secrets_manager_secrets', 1, '{"arn": "a"}', 'updated', '{"rotation_enabled": true}'),
        ('services', 1, '{"service": "EC2"}', 'updated', '{"cost": 1}'))
    x (table_name, row_id, row_key, change, new_values)
WHERE d.account_id = 1 AND d.period_end >= current_date - 1"""
"""Of today's document and of yesterday's."""


@pytest.fixture
def page(embedded: EmbeddedCloud, database: str, credentials: None) -> Page:
    """The report of two accounts with some days of history."""
    with psycopg.connect(embedded.postgres.dsn_for(database), autocommit=True) as connection:
        generate_estate(connection, 2, 20)
        connection.execute("UPDATE findings SET title = 'Open bucket' WHERE id = 1")
        connection.execute("UPDATE accounts SET account_name = 'shop' WHERE id = 1")
        connection.execute("SET session_replication_role = replica")
        connection.execute(TABLES)
        connection.execute(COUNTS)
        connection.execute(CHANGES)
    return Page(make_report(settings_for(embedded, database))[0])


def test_the_trend_of_findings_is_that_of_the_daily_counts(page: Page) -> None:
    """Both regions of an account count; another measure does not."""
    today = datetime.now(UTC).date()
    rows = page.table("findings", "Findings per day")
    days = [today - timedelta(days=n) for n in (1, 2, 3)]
    assert [row[0] for row in rows] == [f"{day.day} {day:%b %Y}" for day in days]
    assert [row[1:] for row in rows] == [
        [str(2 * d), str(4 * d), "0", str(10 * d), "1"] for d in (1, 2, 3)
    ]


def test_changes_are_those_of_the_last_documents(page: Page) -> None:
    """Yesterday's are not told again; a finding has its title, and costs are only counted."""
    things = page.table("changes", "Things")
    account = "shop 100000000001"
    assert things == [
        [account, "gone", "kms keys", "k-1", ""],
        [account, "created", "findings", "Open bucket", ""],
        [account, "updated", "secrets manager secrets", "a", "rotation enabled"],
    ]
    counted = {row[0]: row[1:] for row in page.table("changes", "All changes")}
    assert counted["services"] == ["0", "1", "0", "0", "1"]
    assert counted["kms keys"] == ["0", "0", "1", "0", "1"]
