"""What one account's documents say is its own: the report still tells of the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from observability.reading.report import make_report
from observability.reading.report.charts import lines
from observability.reading.report.facts import visible
from observability.reading.report.words import UNKNOWN, day, moment
from tests.bench.estate import generate_estate
from tests.cloud import EmbeddedCloud
from tests.reading.conftest import settings_for
from tests.reading.pages import Page

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
ACCOUNT = """INSERT INTO accounts (id, account_id, account_name, region)
    VALUES (99, '666666666666', 'evil', 'us-east-1')"""
COST = "INSERT INTO services (account_id, service, date_from, date_to, cost, currency) "

ATTACKS = {
    "costs of days to come": f"{COST} SELECT 99, 'x', d, d + 1, 1, 'USD'"
    " FROM unnest(CAST('{2999-01-01,9999-12-31}' AS date[])) d",
    "costs of the first day of all": f"{COST} VALUES (99, 'x', '0001-01-01', '0001-01-02', 1,"
    " 'USD')",
    "many currencies": f"{COST} SELECT 99, 'x' || n, current_date - 1, current_date, 1, 'c' || n"
    " FROM generate_series(1, 20000) n",
    "currencies without end": f"{COST} SELECT 99, 'x' || n, current_date - 1, current_date, 1,"
    " n || repeat('c', 600000) FROM generate_series(1, 3) n",
    "rules of days to come": """INSERT INTO config_reports (account_id, date_from, total_rules,
        compliant_rules, non_compliant_rules) VALUES (99, '2999-01-01', 2, 1, 1)""",
    "counts of days to come": """INSERT INTO daily_counts (account_id, day, measure, dimension,
        value) VALUES (99, current_date + 365, 'open_findings', 'HIGH', 1)""",
    "a clock that is ahead": """INSERT INTO documents (account_id, bucket, key, etag, size_bytes,
        last_modified, interval, period_start, period_end, collected_at, day_order, time_order)
        SELECT 99, 'b', 'k', 'e', 1, now(), 'DAILY', current_date, current_date + 1,
            now() + interval '23 hours', 'x', 'x'""",
    "what is no character": f"{COST} SELECT 99, 'x' || chr(65535) || chr(65534), current_date - 1,"
    " current_date, 100000, 'USD'",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_others_are_told_as_before(
    embedded: EmbeddedCloud, database: str, credentials: None, attack: str
) -> None:
    settings = settings_for(embedded, database)
    with psycopg.connect(embedded.postgres.dsn_for(database), autocommit=True) as connection:
        generate_estate(connection, 2, 20)
        connection.execute(CHANGE)
        before = Page(make_report(settings)[0])
        connection.execute(ACCOUNT)
        connection.execute(ATTACKS[attack].encode())
    after = Page(make_report(settings)[0])
    label = "Cost of the last 7 days"
    assert f" to {YESTERDAY.day} {YESTERDAY:%b %Y}" in after.tiles[label][-1]
    costs = [page.table("costs", "Values per day") for page in (before, after)]
    assert [row[0] for row in costs[0]] == [row[0] for row in costs[1]]
    for place in SAME:
        assert before.table(*place) == after.table(*place), place
        assert after.table(*place)


SAME = (
    ("compliance", "Values per day"),
    ("findings", "Findings per day"),
    ("changes", "Things"),
    ("changes", "All changes"),
)
CHANGE = """INSERT INTO changes (account_id, document_id, table_name, row_id, row_key, change)
    SELECT account_id, id, 'kms_keys', 1, '{"key_id": "k-1"}', 'gone' FROM documents
    WHERE account_id = 1 AND period_end = current_date;
    UPDATE documents SET collected_at = collected_at - interval '1 day'"""


def test_a_chart_takes_no_text_that_xml_does_not() -> None:
    """lxml, which pygal uses where it is installed, raises for these: they are escaped."""
    name = visible("a\uffff\ufffeb\x00c")
    assert name == r"a\uffff\ufffeb\u0000c"
    assert name in lines("t", ["1"], [("0", name, [1.0])], str).svg


def test_times_that_only_postgresql_knows_are_unknown() -> None:
    """A document may tell of the year 1 or 9999, in any time zone."""
    for told in ("0001-12-31T10:00:00+00:00 BC", "0001-12-26 BC", "10000-01-01", "infinity"):
        assert (day(told), moment(told)) == (UNKNOWN, UNKNOWN)
    assert moment("9999-12-31T23:59:00-12:00") == UNKNOWN
    assert moment("2026-11-27T03:12:00+00:00") == "27 Nov 2026, 03:12"
