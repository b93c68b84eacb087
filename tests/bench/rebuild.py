"""How long a rebuild of the database from the documents under loaded/ takes, per document."""

from __future__ import annotations

from datetime import timedelta

from tests import documents
from tests.bench.documents import DAY, many_rows
from tests.bench.harness import ACCOUNT, REGION, Line, Results, query, run, running_cloud
from tests.bench.harness import account as bench_account
from tests.bench.receiving import LATENCY, Warehouse
from tests.cloud import EmbeddedCloud, Size

SECTION = "Receiver: rebuild from loaded/"
ROWS = 500
DAYS = 10
YEAR = 73_000
"""Documents of 100 accounts in two regions in a year."""


def measure(results: Results, accounts: int) -> None:
    """Load documents, copy them back as docs/runbooks.md says, and load them once more.

    The second time into an empty database. From day to day all rows change, so that it is what a
    rebuild may cost at most.
    """
    with running_cloud(bench_account(Size.empty()), latency=LATENCY) as embedded:
        first = Warehouse(embedded)
        for number in range(accounts):
            fill(first, str(int(ACCOUNT) + number))
        first.receive()
        counted = count(embedded, first.database)
        second = embedded.create_database()
        run(embedded, "receiver.py", "--init-schema", DB_NAME=second)
        copied = copy_back(first)
        cost = run(embedded, "receiver.py", **first.environment | {"DB_NAME": second})
        same = count(embedded, second) == counted
        each = cost.seconds / copied
        results.add(
            SECTION,
            Line(f"{copied} documents of {ROWS} rows", f"{each * 1000:.0f} ms a document",
                 "the same rows" if same else "OTHER ROWS", holds=same),
            Line("CPU of the receiver", f"{cost.cpu / copied * 1000:.0f} ms a document"),
            Line("100 accounts in two regions, a year", f"{each * YEAR / 3600:.1f} hours",
                 f"{YEAR:,} documents"),
        )  # fmt: skip


def fill(warehouse: Warehouse, account: str) -> None:
    """Put documents of an account; what each says differs from the one before."""
    for offset in range(DAYS):
        day = DAY - timedelta(days=offset)
        made = many_rows(ROWS, account, REGION, day=day, churn=offset)
        warehouse.put(made, documents.key(day, account, REGION))


def copy_back(warehouse: Warehouse) -> int:
    """As `aws s3 cp --recursive s3://…/loaded/ s3://…/data/`; how many objects there are."""
    client, bucket = warehouse.embedded.client("s3", ACCOUNT), warehouse.environment["BUCKET"]
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="loaded/")
    keys = [held["Key"] for page in pages for held in page.get("Contents", ())]
    for key in keys:
        target = key.replace("loaded/", "data/", 1)
        client.copy_object(Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": key})
    return len(keys)


def count(embedded: EmbeddedCloud, database: str) -> list[tuple[object, ...]]:
    """How many rows there are, and what the costs come to."""
    statement = """
        SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM config_inventory),
               (SELECT count(*) FROM findings), (SELECT sum(cost) FROM services)"""
    return query(embedded, database, statement)
