"""How long the report takes, and how large it is, over an organization of a month."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import psycopg

from tests.bench.estate import generate_estate
from tests.bench.harness import MIB, ROOT, Line, Results, account, run, running_cloud
from tests.cloud import Size

SECTION = "Report"
MOST_SECONDS = 2.0
TIMES = 5


def measure(results: Results, accounts: int, days: int) -> None:
    """Write the report with a database that is warm: the best of some times."""
    with running_cloud(account(Size.empty())) as embedded, tempfile.TemporaryDirectory() as folder:
        database = embedded.create_database()
        with psycopg.connect(embedded.postgres.dsn_for(database), autocommit=True) as connection:
            connection.execute((ROOT / "schema.sql").read_bytes())
            rows = generate_estate(connection, accounts, days)
        target = Path(folder) / "report.html"
        size = f"{accounts:,} accounts, {days} days, {rows / 1e6:.1f} million rows"
        costs = [
            run(embedded, "receiver.py", "--report", str(target), "-v", DB_NAME=database)
            for _ in range(TIMES)
        ]
        best = min(costs, key=lambda cost: cost.seconds)
        page = target.read_text()
        share = best.seconds / MOST_SECONDS
        results.add(
            SECTION,
            Line("whole command", f"{best.seconds:.2f} s", size, share, f"{MOST_SECONDS} s",
                 share <= 1),
            Line("the command's own CPU", f"{best.cpu:.2f} s", size),
            Line("the page", f"{len(page.encode()) / 1024:.0f} KiB", size,
                 len(page.encode()) / MIB, "1 MiB", len(page.encode()) <= MIB),
            Line("elements of the page", f"{len(re.findall('<[a-z]', page)):,}", size),
        )  # fmt: skip
