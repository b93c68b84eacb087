"""What all views have in common, and that they find their rows fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from observability.database.rights import rights_sql
from observability.reading.report.queries import PARAMETERS, QUERIES
from tests.bench.estate import FIRST, generate_estate
from tests.bench.plans import big_tables, scanned_tables
from tests.cloud import EmbeddedCloud
from tests.conftest import SCHEMA
from tests.database.estates import YESTERDAY, cost_rows, full, load, quiet, view
from tests.warehouse import Warehouse


def test_each_view_begins_with_the_account_and_takes_no_name_of_the_sample(
    warehouse: Warehouse,
) -> None:
    """The 42 views of the public sample all begin with `view_`."""
    columns = warehouse.query("""
        SELECT v.viewname::text AS name, array_agg(c.column_name::text) AS columns,
               max(c.data_type) FILTER (WHERE c.column_name = 'account_id') AS type
        FROM pg_views v
        JOIN information_schema.columns c ON c.table_name = v.viewname
        WHERE v.schemaname = 'public' GROUP BY 1""")
    assert len(columns) > 15
    for row in columns:
        assert {"account_id", "account_name", "customer_name"} <= set(row["columns"]), row["name"]
        assert row["type"] == "character varying", row["name"]
        assert not row["name"].startswith("view_")


def test_the_schema_is_applied_again_under_the_views_of_others(warehouse: Warehouse) -> None:
    load(warehouse, quiet() | {"service": cost_rows([(YESTERDAY, "S3", "Requests", "2.5")])})
    warehouse.query("CREATE VIEW theirs AS SELECT * FROM daily_costs", fetch=False)
    warehouse.query(SCHEMA.read_text(), fetch=False)
    assert view(warehouse, "theirs", "unblended_cost") == [Decimal("2.5")]


def test_no_table_or_view_shows_a_reader_what_is_personal(warehouse: Warehouse) -> None:
    """Not in what has changed either, nor where somebody adds a view."""
    for day in (YESTERDAY - timedelta(days=1), YESTERDAY):
        made, mark = quiet(day), f"personal to {day}"
        account, ticket = made["account"], full("support_tickets") | {"case_id": "case-1"}
        account["account_email"] = account["contact_info"]["full_name"] = mark
        account["alternate_contacts"]["billing"]["email"] = mark
        made["support_tickets"] = [ticket | {"subject": mark, "submitted_by": mark}]
        load(warehouse, made)
    with psycopg.connect(warehouse.embedded.postgres.dsn_for(warehouse.database)) as connection:
        connection.execute(rights_sql(make=True).encode())
        connection.execute(f'SET ROLE "{warehouse.database}_reader"'.encode())
        seen: dict[str, str] = dict(connection.execute(READABLE).fetchall())
        assert {"changes", "accounts", "account_overview", "support_tickets"} < {*seen}
        for name, columns in seen.items():
            text = f"SELECT string_agg(CAST(r AS text), '') FROM (SELECT {columns} FROM {name}) r"
            [found] = connection.execute(text.encode()).fetchone() or [""]
            assert "personal to" not in (found or ""), name
        connection.rollback()


READABLE = """
SELECT c.relname::text, string_agg(quote_ident(a.attname), ', ')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND has_column_privilege(c.oid, a.attnum, 'SELECT')
GROUP BY 1"""
"""What the current user may read, with its columns."""


# Speed: with 60 accounts and 40 days, what grows with time has 2,400 rows or more

ACCOUNTS, DAYS, BIG = 60, 40, 2_000
ONE_ACCOUNT = f"account_id = '{FIRST + 7}'"
ONE_WEEK = "day >= current_date - 7"
SINCE_YESTERDAY = "changed_at > now() - interval '1 day'"

FILTERS: Mapping[str, Sequence[str]] = {
    "document_statuses": (ONE_ACCOUNT,),
    "freshness": (ONE_ACCOUNT, "true"),
    "account_overview": (ONE_ACCOUNT, "true"),
    "cost_sources": (ONE_ACCOUNT, "true"),
    "daily_costs": (ONE_ACCOUNT, ONE_WEEK, f"{ONE_ACCOUNT} AND {ONE_WEEK}"),
    "daily_tag_costs": (ONE_ACCOUNT, f"{ONE_ACCOUNT} AND {ONE_WEEK}"),
    "month_to_date_costs": (ONE_ACCOUNT, "true"),
    "weekly_cost_changes": (ONE_ACCOUNT, "difference > 0"),
    "current_reservations": (ONE_ACCOUNT, "true"),
    "savings_opportunities": (ONE_ACCOUNT,),
    "unsettled_findings": (ONE_ACCOUNT,),
    "fixed_findings": (ONE_ACCOUNT,),
    "daily_measures": (ONE_ACCOUNT, f"measure = 'open_findings' AND {ONE_WEEK}"),
    "open_findings": (ONE_ACCOUNT, f"{ONE_ACCOUNT} AND severity = 'CRITICAL'"),
    "daily_compliance": (ONE_ACCOUNT, ONE_WEEK),
    "non_compliant_rules": (ONE_ACCOUNT,),
    "security_hygiene": (ONE_ACCOUNT,),
    "upcoming_events": (ONE_ACCOUNT,),
    "missing_patches": (ONE_ACCOUNT,),
    "existing_resources": (ONE_ACCOUNT,),
    "recent_changes": (ONE_ACCOUNT, f"{ONE_ACCOUNT} AND {SINCE_YESTERDAY}", SINCE_YESTERDAY),
}
"""What readers ask each view for; `true`: all of it, where it tells of the newest days only."""


@pytest.fixture(scope="module")
def estate(running_cloud: EmbeddedCloud) -> Iterator[psycopg.Connection[Any]]:
    """A database in which an organization has been observed for long, with its statistics."""
    name = running_cloud.create_database()
    with psycopg.connect(running_cloud.postgres.dsn_for(name), autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
        generate_estate(connection, ACCOUNTS, DAYS)
        # Reading all of a table that is this small would cost less than the pages of one account.
        connection.execute("SET random_page_cost = 1.1")
        yield connection
    running_cloud.postgres.drop_database(name)


def test_each_view_is_asked_as_readers_do(estate: psycopg.Connection[Any]) -> None:
    views = estate.execute("SELECT viewname FROM pg_views WHERE schemaname = 'public'")
    assert {name for (name,) in views} == FILTERS.keys()


@pytest.mark.parametrize("name", FILTERS)
def test_no_view_reads_a_big_table_from_end_to_end(
    estate: psycopg.Connection[Any], name: str
) -> None:
    big = big_tables(estate, BIG)
    history = {"documents", "logs", "services", "cost_reports", "config_reports", "findings"}
    assert history | {"ri_sp_daily_savings", "health_events", "config_inventory"} <= big
    for condition in FILTERS[name]:
        query = f"SELECT * FROM {name} WHERE {condition}"
        found = estate.execute(f"EXPLAIN (FORMAT JSON) {query}".encode()).fetchall()[0][0]
        assert big.isdisjoint(scanned_tables(found)), condition
        assert estate.execute(f"{query} LIMIT 1".encode()).fetchall(), condition


def test_the_report_finds_what_changed_last_without_reading_all_changes(
    estate: psycopg.Connection[Any],
) -> None:
    query = QUERIES["changes"]
    for name, value in PARAMETERS.items():
        query = query.replace(f":{name}", str(value))
    [[plan]] = estate.execute(f"EXPLAIN (FORMAT JSON) {query}".encode()).fetchall()
    assert {"changes", "documents"}.isdisjoint(scanned_tables(plan))
    [[answer]] = estate.execute(query.encode()).fetchall()
    [told] = answer["tables"]
    assert told["updated"] == 10 * told["accounts"] == 10 * 2 * ACCOUNTS


def test_findings_are_looked_up_by_their_keys_where_the_planner_knows_nothing_of_them(
    warehouse: Warehouse,
) -> None:
    """As for count_day, which counts while the first document of an account is being loaded."""
    plan = "\n".join(
        row["QUERY PLAN"]
        for row in warehouse.query("EXPLAIN SELECT * FROM unsettled_findings WHERE account_row = 1")
    )
    assert "Anti Join" not in plan
    keys = ("findings_key", "inspector_findings_key", "guard_duty_findings_key")
    assert all(
        f"Index Scan using {key} " in plan or f"Only Scan using {key} " in plan for key in keys
    )
