"""What the database tells of itself: BI tools show the comments of tables, views and columns."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.cloud import EmbeddedCloud

SCHEMA = (Path(__file__).parents[2] / "schema.sql").read_text()
RELATIONS = """
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')"""


@pytest.fixture
def comments(embedded: EmbeddedCloud, database: str) -> dict[str, str | None]:
    """The comment of each table and view, and of each `table.column`."""
    statement = f"""
        SELECT c.relname::text, obj_description(c.oid, 'pg_class') {RELATIONS}
        UNION ALL
        SELECT c.relname || '.' || a.attname, col_description(c.oid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.oid IN (SELECT c.oid {RELATIONS})"""
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        return dict(connection.execute(statement.encode()).fetchall())


def test_every_table_view_and_column_says_what_it_is(comments: dict[str, str | None]) -> None:
    assert {"accounts", "freshness", "services.cost", "freshness.failing_since"} <= comments.keys()
    assert [name for name, comment in comments.items() if not comment] == []


def test_a_comment_is_one_line_of_plain_text(comments: dict[str, str | None]) -> None:
    assert comments["services.usage_types"] == "usage type, such as BoxUsage:t3.micro (USAGE_TYPE)"
    wrapped = comments["cost_reports.potential_monthly_savings"]
    assert wrapped is not None
    assert wrapped.startswith("what could be saved a month")
    assert wrapped.endswith("estimatedTotalDedupedSavings)")
    assert [name for name, text in comments.items() if text != " ".join((text or "").split())] == []


def test_columns_that_are_not_ours_keep_their_comments(embedded: EmbeddedCloud) -> None:
    """A schema that is applied again describes its own columns only."""
    name = embedded.create_database()
    with psycopg.connect(embedded.postgres.dsn_for(name), autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
        connection.execute("ALTER TABLE kms_keys ADD COLUMN owner TEXT")
        connection.execute("COMMENT ON COLUMN kms_keys.owner IS 'the team'")
        connection.execute("COMMENT ON COLUMN kms_keys.arn IS 'something else'")
        connection.execute(SCHEMA.encode())
        found = connection.execute("""
            SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
            WHERE attrelid = 'kms_keys'::regclass AND attname IN ('arn', 'owner')""")
        assert dict(found.fetchall()) == {"arn": "ARN of the key (Arn)", "owner": "the team"}
    embedded.postgres.drop_database(name)
