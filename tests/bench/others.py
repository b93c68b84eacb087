"""The same number of rows through the Data API with what people would use instead.

awswrangler appends, it cannot upsert; row by row is the public sample's way. Neither checks values,
tells what is gone, or is all or nothing over several tables.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from tests import documents
from tests.bench.documents import DAY, many_rows
from tests.bench.harness import (
    ACCOUNT,
    REGION,
    ROOT,
    Line,
    Results,
    query,
    subprocess_environment,
)
from tests.bench.receiving import LATENCY, Warehouse
from tests.cloud import EmbeddedCloud

WRANGLER = ROOT / "build" / "others" / "bin" / "python"
SECTION = f"Receiver: beside others, with {LATENCY * 1000:.0f} ms per call"
ONE_BY_ONE = 100
"""Rows that are measured one by one; the time of all of them follows."""


def measure(embedded: EmbeddedCloud, results: Results, rows: int) -> None:
    """The receiver's whole process, awswrangler's call, and one upsert per row."""
    warehouse = Warehouse(embedded)
    warehouse.put(many_rows(2 * rows, ACCOUNT, REGION), documents.key(DAY, region=REGION))
    embedded.switches.latency = {"*": LATENCY}
    ours = warehouse.receive()
    embedded.switches.reset()
    made = rows_of(embedded, warehouse.database, rows)
    total = int(str(query(embedded, warehouse.database, TOTAL)[0][0]))
    per_row = ours.cost.seconds / total
    results.add(
        SECTION,
        Line(f"receiver.py, {total:,} rows, whole process", f"{ours.cost.seconds:.1f} s",
             f"{ours.calls} calls, {total / ours.cost.seconds:,.0f} rows/s"),
        wrangler_line(embedded, warehouse.database, made, per_row),
        one_by_one_line(embedded, warehouse.database, made[:ONE_BY_ONE], per_row),
    )  # fmt: skip
    warehouse.drop()


TOTAL = """
SELECT sum(CAST(c.value ->> 'TOTAL' AS integer)) FROM documents d, jsonb_each(d.counters) AS c"""


def rows_of(embedded: EmbeddedCloud, database: str, number: int) -> list[dict[str, str]]:
    """Rows of the largest table as texts."""
    found = query(embedded, database, f"SELECT to_jsonb(t) FROM config_inventory t LIMIT {number}")
    texts = [{n: v for n, v in row.items() if isinstance(v, str)} for (row,) in as_dicts(found)]
    common = set.intersection(*map(set, texts))
    return [{name: row[name] for name in sorted(common)} for row in texts]


def as_dicts(found: Sequence[Any]) -> Sequence[tuple[dict[str, Any]]]:
    return found


def wrangler_line(
    embedded: EmbeddedCloud, database: str, rows: list[dict[str, str]], per_row: float
) -> Line:
    """awswrangler.data_api.rds.to_sql, which makes the table and appends."""
    what = f"awswrangler.data_api.rds.to_sql, {len(rows):,} rows appended"
    if not WRANGLER.exists():
        return Line(what, "not installed: make bench-others")
    own = embedded.environment(ACCOUNT)
    given = {
        "rows": rows, "table": "appended", "database": database,
        "cluster": own["AURORA_CLUSTER_ARN"], "secret": own["AURORA_SECRET_ARN"],
    }  # fmt: skip
    embedded.data_api.forget_calls()
    embedded.switches.latency = {"*": LATENCY}
    done = subprocess.run(
        [str(WRANGLER), str(ROOT / "tests" / "bench" / "with_awswrangler.py")],
        input=json.dumps(given), env=subprocess_environment(own) | {"AWS_DEFAULT_REGION": REGION},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    embedded.switches.reset()
    if done.returncode:
        return Line(what, f"failed: {done.stderr.strip().splitlines()[-1][:200]}")
    return beside(what, float(done.stdout), len(rows), len(embedded.data_api.calls), per_row)


def one_by_one_line(
    embedded: EmbeddedCloud, database: str, rows: list[dict[str, str]], per_row: float
) -> Line:
    """INSERT … ON CONFLICT DO UPDATE, a call for each row."""
    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    client = embedded.client("rds-data", ACCOUNT)
    own = embedded.environment(ACCOUNT)
    place = {
        "resourceArn": own["AURORA_CLUSTER_ARN"], "secretArn": own["AURORA_SECRET_ARN"],
        "database": database,
    }  # fmt: skip
    kinds = ", ".join(f'"{name}" TEXT' for name in names)
    client.execute_statement(**place, sql=f"CREATE TABLE upserted ({kinds}, UNIQUE (resource_id))")
    statement = (
        f"INSERT INTO upserted ({columns}) VALUES ({', '.join(f':{name}' for name in names)})"
        f" ON CONFLICT (resource_id) DO UPDATE SET {updates}"
    )
    embedded.switches.latency = {"*": LATENCY}
    started = time.perf_counter()
    for row in rows:
        parameters = [{"name": n, "value": {"stringValue": v}} for n, v in row.items()]
        client.execute_statement(**place, sql=statement, parameters=parameters)
    seconds = time.perf_counter() - started
    embedded.switches.reset()
    return beside(f"an upsert per row, {len(rows):,} rows", seconds, len(rows), len(rows), per_row)


def beside(what: str, seconds: float, rows: int, calls: int, per_row: float) -> Line:
    """A line whose ratio is the receiver's seconds a row over theirs."""
    return Line(
        what, f"{seconds:.1f} s", f"{calls} calls, {rows / seconds:,.0f} rows/s",
        per_row / (seconds / rows),
    )  # fmt: skip
