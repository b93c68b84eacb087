"""How long views take over an organization that has been observed for long."""

from __future__ import annotations

import time

import psycopg

from tests.bench.estate import FIRST, generate_estate
from tests.bench.harness import ROOT, Line, Results, account, running_cloud
from tests.cloud import Size

SECTION = "Views"
ALL, ONE = "", f"WHERE account_id = '{FIRST + 7}'"
ASKED = {
    "account_overview": (ALL, ONE),
    "freshness": (ALL, ONE),
    "daily_costs": ("WHERE day >= current_date - 7", "WHERE day >= current_date - 30", ONE, ALL),
    "month_to_date_costs": (ALL,),
    "weekly_cost_changes": (ALL,),
    "savings_opportunities": (ALL,),
    "open_findings": (ALL, "WHERE severity = 'CRITICAL'", ONE),
    "daily_compliance": ("WHERE day >= current_date - 30", ONE),
    "non_compliant_rules": (ALL,),
    "security_hygiene": (ALL,),
    "upcoming_events": (ALL,),
    "missing_patches": (ALL,),
    "existing_resources": (ALL, ONE),
}


def measure(results: Results, accounts: int, days: int) -> None:
    """Ask each view as readers do: the better of two times, its rows read to the end."""
    with running_cloud(account(Size.empty())) as embedded:
        dsn = embedded.postgres.dsn_for(embedded.create_database())
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute((ROOT / "schema.sql").read_bytes())
            rows = generate_estate(connection, accounts, days)
            size = f"{accounts:,} accounts, {days} days, {rows / 1e6:.1f} million rows"
            for name, conditions in ASKED.items():
                for condition in conditions:
                    results.add(SECTION, timed(connection, f"{name} {condition}", size))


def timed(connection: psycopg.Connection[tuple[int]], view: str, size: str) -> Line:
    """How long all rows of a view, with a condition, take."""
    query = f"SELECT count(v) FROM (SELECT * FROM {view} OFFSET 0) v".encode()
    seconds, rows = [], 0
    for _ in range(2):
        started = time.perf_counter()
        rows = connection.execute(query).fetchall()[0][0]
        seconds.append(time.perf_counter() - started)
    return Line(f"{view}: {rows:,} rows".replace("WHERE ", "where "), f"{min(seconds):.3f} s", size)
