"""How cost grows: with the rows of a document, the history in the database, and the files."""

from __future__ import annotations

import os

import psycopg

import receiver
from observability.receiving.bucket import S3Manager
from observability.receiving.known import KnownSchemas
from observability.settings.receiver import Settings
from tests import documents
from tests.bench.documents import DAY, many_rows
from tests.bench.harness import ACCOUNT, REGION, Line, Results, account, running_cloud
from tests.bench.history import generate_history
from tests.bench.plans import RecordingDB, scans_of_big_tables
from tests.bench.receiving import Warehouse, collected
from tests.cloud import EmbeddedCloud, Size

BIG = 10_000
SECTION = "Growth: receiver.py"


def measure(results: Results, *, quick: bool) -> None:
    with running_cloud(account(Size.empty())) as embedded:
        rows(embedded, results, 200 if quick else 2000)
        files(embedded, results, (10, 50) if quick else (10, 100, 1000))
        history(embedded, results, *((50, 30) if quick else (1000, 365)))


def rows(embedded: EmbeddedCloud, results: Results, base: int) -> None:
    """A document of one, ten and a hundred times the rows, whole process."""
    smallest = 0.0
    for factor in (1, 10, 100):
        warehouse = Warehouse(embedded)
        made = many_rows(base * factor, ACCOUNT, REGION)
        seconds = warehouse.load(made, documents.key(DAY, region=REGION)).cost.seconds
        smallest = smallest or seconds
        results.add(
            SECTION,
            Line(f"{base * factor:,} rows", f"{seconds:.2f} s",
                 f"{seconds / base / factor * 1e6:.0f} µs a row; the time of {base:,} rows is 1",
                 seconds / smallest),
        )  # fmt: skip
        warehouse.drop()


def files(embedded: EmbeddedCloud, results: Results, counts: tuple[int, ...]) -> None:
    """Files of as many accounts, a hundred rows each."""
    first = 0.0
    for count in counts:
        warehouse = Warehouse(embedded)
        for number in range(count):
            account_id = str(400_000_000_000 + number)
            made = many_rows(100, account_id, REGION)
            warehouse.put(made, documents.key(DAY, account_id, REGION))
        seconds = warehouse.receive().cost.seconds / count
        first = first or seconds
        results.add(
            SECTION,
            Line(f"{count:,} files", f"{seconds * 1000:.0f} ms a file",
                 f"a file of {counts[0]} is 1", seconds / first),
        )  # fmt: skip
        warehouse.drop()


def history(embedded: EmbeddedCloud, results: Results, accounts: int, days: int) -> None:
    """The same documents into an empty database and into one with a history."""
    empty, full = Warehouse(embedded), Warehouse(embedded)
    rows = generate_history(embedded, full.database, accounts, days)
    for size in (500, 5000):
        for what, hour in (("new", 3), ("unchanged", 4)):
            seconds = [
                warehouse.load(
                    collected(many_rows(size, ACCOUNT, REGION), hour),
                    documents.key(DAY, region=REGION),
                ).cost.seconds
                for warehouse in (empty, full)
            ]
            results.add(
                SECTION,
                Line(
                    f"{size:,} {what} rows where {accounts:,} accounts have {days} days"
                    f" ({rows / 1e6:.1f} million rows)",
                    f"{seconds[1]:.2f} s",
                    f"empty database {seconds[0]:.2f} s",
                    seconds[1] / seconds[0],
                ),
            )
    explained, found = scans(embedded, full)
    results.add(
        SECTION,
        Line(
            f"statements that read a table of over {BIG:,} rows from end to end",
            f"{len(found)} of {explained}",
            ", ".join(sorted(set(found))),
            bound="0",
            holds=not found,
        ),
    )
    empty.drop()
    full.drop()


def scans(embedded: EmbeddedCloud, warehouse: Warehouse) -> tuple[int, list[str]]:
    """Load a document of several batches in this process and explain all its statements."""
    made = collected(many_rows(40_000, ACCOUNT, REGION, churn=1), 5)
    warehouse.put(made, documents.key(DAY, region=REGION))
    os.environ |= embedded.environment(ACCOUNT) | warehouse.environment
    settings = Settings.of({})
    db = RecordingDB(settings)
    loading = receiver.Receiver(settings, S3Manager(settings), db, KnownSchemas(db))
    receiver.load_all(loading, receiver.list_data(loading))
    with psycopg.connect(embedded.postgres.dsn_for(warehouse.database)) as connection:
        return scans_of_big_tables(connection, db, BIG)
