"""`make demo`: an AWS account through the whole pipeline on one machine, then a short report.

It starts the embedded cloud, runs receiver.py --init-schema, sender.py and receiver.py as a user
would, with nothing but the documented environment, and reads the database.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from tests.cloud import Cloud, EmbeddedCloud, Size, generate

ROOT = Path(__file__).parents[2]
ACCOUNT = "111122223333"
REGIONS = ("us-east-1", "eu-west-1")
SHOWN_SERVICES = 8
SHOWN_CERTIFICATES = 5
WHOLE = ("account_id",)
"""Columns that stay on a line however narrow the terminal is."""
KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|COLORTERM|NO_COLOR|COLUMNS|LINES|LANG|LC_\w+|TZ|TMPDIR"
    r"|PYTHON\w*|LD_LIBRARY_PATH"
)
"""Variables of the user's environment that a demo runs with."""

ACCOUNTS = """
SELECT a.account_id, a.region, a.account_name AS name, a.customer_name AS customer, a.category,
       string_agg(p.name, ', ' ORDER BY p.name) AS products
FROM accounts a
LEFT JOIN product_accounts pa ON pa.account_id = a.id AND pa.gone_at IS NULL
LEFT JOIN products p ON p.id = pa.product_id
GROUP BY a.id ORDER BY 1, 2"""

COSTS = """
SELECT s.service, min(s.date_from) AS first_day, max(s.date_from) AS last_day,
       round(sum(s.cost), 4) AS cost, min(s.currency) AS currency
FROM services s GROUP BY s.service ORDER BY sum(s.cost) DESC LIMIT %s"""

FINDINGS = """
SELECT f.severity, count(*) AS open
FROM findings f
WHERE f.status NOT IN ('RESOLVED', 'SUPPRESSED') AND f.record_state = 'ACTIVE'
GROUP BY f.severity
ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFORMATIONAL'], f.severity)"""

COMPLIANCE = """
SELECT a.region, r.date_from AS day, r.compliant_rules AS compliant, r.total_rules AS rules,
       r.compliance_score AS score,
       (SELECT count(*) FROM non_compliant_resources n
        WHERE n.account_id = a.id AND n.status = 'OPEN') AS open_resources
FROM config_reports r JOIN accounts a ON a.id = r.account_id ORDER BY 1, 2"""

CERTIFICATES = """
SELECT a.region, c.domain_name, c.not_after::date AS expires,
       c.not_after::date - current_date AS days_left, c.in_use
FROM certificates c JOIN accounts a ON a.id = c.account_id
WHERE c.gone_at IS NULL AND c.not_after > now() ORDER BY c.not_after LIMIT %s"""

TABLES = """
SELECT relname::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"""


def main() -> None:
    """Run the demo; ends with the exit code of a script that failed."""
    started = time.monotonic()
    account = generate(ACCOUNT, Size.small(), 1, datetime.now(UTC).date(), REGIONS)
    with EmbeddedCloud(Cloud.of(account)) as embedded:
        more = {"REGIONS": ",".join(REGIONS), "RESERVED_CAPACITY": "1"}
        environment = embedded.environment(ACCOUNT) | more
        run(environment, "receiver.py", "--init-schema")
        run(environment, "sender.py")
        run(environment, "receiver.py")
        with psycopg.connect(embedded.postgres.dsn_for(environment["DB_NAME"])) as connection:
            report(connection)
    print(f"\ndone in {time.monotonic() - started:.0f} s")


def run(
    environment: dict[str, str], script: str, *arguments: str, codes: Sequence[int] = (0,)
) -> None:
    """Run a script of the project with this environment added to what `forget_settings` has left.

    The demo ends if the script does with another exit code than is expected.
    """
    print(f"\n$ {' '.join((script, *arguments))}", flush=True)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / script), *arguments], env=os.environ | environment
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C is for the script as well, which tells what has become of its work
        raise
    if code not in codes:
        sys.exit(code or 1)


def report(connection: psycopg.Connection[Any]) -> None:
    """Print what a user would ask the database first."""
    show(connection, "Accounts", ACCOUNTS)
    show(connection, "Cost by service", COSTS, [SHOWN_SERVICES])
    show(connection, "Open findings by severity", FINDINGS)
    show(connection, "Compliance", COMPLIANCE)
    show(connection, "Certificates that expire first", CERTIFICATES, [SHOWN_CERTIFICATES])
    names = [name for (name,) in connection.execute(TABLES).fetchall()]
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in names)
    rows = connection.execute(counts.encode()).fetchall()
    print("\nRows per table")
    width = max(Console().width // 32, 1)
    for line in (rows[i : i + width] for i in range(0, len(rows), width)):
        print("  " + "  ".join(f"{name:<24}{count:>6}" for name, count in line))


def show(
    connection: psycopg.Connection[Any], title: str, query: str, values: Sequence[Any] = ()
) -> None:
    """Print a query's rows as a table; on a narrow terminal columns not in WHOLE are folded."""
    cursor = connection.execute(query.encode(), values)
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in cursor.description or ():
        table.add_column(column.name, no_wrap=column.name in WHOLE, overflow="fold")
    for row in cursor.fetchall():
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)


def forget_settings() -> None:
    """Keep of the user's environment what any program needs: no AWS, proxy or script's settings."""
    for name in [name for name in os.environ if not KEPT.fullmatch(name)]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def command(demo: Callable[[], None]) -> None:
    """Run a demo as a command: Ctrl-C ends its cloud, then it, without a traceback."""
    forget_settings()
    try:
        demo()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    command(main)
