"""What a document may cost the database: calls, and how statements find their rows."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import receiver
from observability.database.catalogue import TableSchema
from observability.database.merge import SEEN_SQL
from observability.database.tables import Kind
from observability.loaders import TABLES
from observability.receiving.bucket import S3Manager
from observability.receiving.known import KnownSchemas
from observability.receiving.result import FileResult, FileStatus
from tests import documents
from tests.bench import plans
from tests.bench.documents import many_rows, write
from tests.bench.history import generate_history
from tests.documents import ACCOUNT, REGION, Document, document
from tests.warehouse import Warehouse

MIB = 1 << 20
BIG = 2_000
OF_A_MACHINE = ("inventory_applications", "inventory_patches")
"""Tables whose rows may be found by the machine that they are of: it has few."""
ACCOUNTS, DAYS = 40, 60  # of the history: its tables have from 2,400 rows on


def put(warehouse: Warehouse, made: Document) -> int:
    """Upload a document of the usual key; its size in bytes."""
    body = io.BytesIO()
    write(made, body)
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=documents.key(), Body=body.getvalue())
    return len(body.getvalue())


def received(warehouse: Warehouse) -> FileResult:
    """Start a receiver as its command does, and load the one document."""
    loading = receiver.start(warehouse.settings)
    [result] = receiver.load_all(loading, receiver.list_data(loading))
    assert result.status is FileStatus.LOADED
    return result


@pytest.mark.parametrize("rows", [0, 500, 18_000])
def test_calls_of_a_document_grow_with_its_bytes_not_its_rows(
    warehouse: Warehouse, rows: int
) -> None:
    size = put(warehouse, many_rows(rows, ACCOUNT, REGION) if rows else document())
    api = warehouse.embedded.data_api
    api.forget_calls()
    counters = received(warehouse).counters
    touched = [name for name, counts in counters.items() if counts["TOTAL"]]
    assert len(touched) > 30
    assert len(api.calls) <= len(touched) + 5 + math.ceil(size / (3.5 * MIB))
    # The catalogue, and one for all of it.
    assert len(api.calls) == 2 or size > 3 * MIB
    assert all(call.request_bytes < 4 * MIB for call in api.calls)


@pytest.fixture
def explained(warehouse: Warehouse) -> Iterator[tuple[psycopg.Connection[Any], plans.RecordingDB]]:
    """A database with a history and statistics, and all that a receiver ran on it for a document
    of several batches; a connection in which that can be explained.
    """
    generate_history(warehouse.embedded, warehouse.database, ACCOUNTS, DAYS)
    made = document()
    key = made["security"]["kms"][0]
    made["security"]["kms"] = [
        {**key, "key_id": f"key-{n}", "description": "long " * 200_000} for n in range(8)
    ]
    put(warehouse, made)
    settings = warehouse.settings
    db = plans.RecordingDB(settings)
    loading = receiver.Receiver(settings, S3Manager(settings), db, KnownSchemas(db))
    [result] = receiver.load_all(loading, receiver.list_data(loading))
    assert result.status is FileStatus.LOADED
    with psycopg.connect(warehouse.embedded.postgres.dsn_for(warehouse.database)) as connection:
        yield connection, db


def test_no_statement_reads_a_big_table_from_end_to_end(
    explained: tuple[psycopg.Connection[Any], plans.RecordingDB],
) -> None:
    connection, db = explained
    count, scans = plans.scans_of_big_tables(connection, db, BIG)
    assert count > len(TABLES)
    assert scans == []


def test_stored_rows_are_found_by_their_whole_key(
    explained: tuple[psycopg.Connection[Any], plans.RecordingDB],
) -> None:
    """An index that is searched by a part of its key reads all of an account's entries."""
    connection, db = explained
    connection.execute(SEEN_SQL.encode())
    catalogue, big = db.catalogue(), plans.big_tables(connection, BIG)
    schemas = [
        TableSchema.of(table, catalogue)
        for name, table in TABLES.items()
        if name in big and table.kind is not Kind.OWNER
    ]
    assert {"config_inventory", "services", "inventory_applications", "findings"} <= {
        schema.table.name for schema in schemas
    }
    merges = {
        s.name: s for s in plans.statements(connection, db) if s.is_step and "compared" in s.text
    }
    for schema in schemas:
        name = schema.table.name
        plan = plans.explain(connection, merges[name])
        conditions = list(index_conditions(plan, f"{name}_key"))
        assert any(all(equal(column, c) for column in schema.key) for c in conditions), (
            name,
            conditions,
        )


@pytest.fixture
def unknown(warehouse: Warehouse) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Plans of what ran for an account's first document, where statistics know small ones only.

    By table, of the steps that have a word in them.
    """
    for number in range(3):
        small = str(300_000_000_000 + number)
        warehouse.load(document(account=small), documents.key(account=small))
    warehouse.query("ANALYZE", fetch=False)
    put(warehouse, document())
    db = plans.RecordingDB(warehouse.settings)
    loading = receiver.Receiver(
        warehouse.settings, S3Manager(warehouse.settings), db, KnownSchemas(db)
    )
    receiver.load_all(loading, receiver.list_data(loading))
    with psycopg.connect(warehouse.embedded.postgres.dsn_for(warehouse.database)) as connection:

        def explain(word: str) -> dict[str, Any]:
            steps = [s for s in plans.statements(connection, db) if s.is_step and word in s.text]
            return {s.name: plans.explain(connection, s) for s in steps}

        yield explain


def test_rows_that_may_be_unchanged_are_looked_up_before_statistics_know_the_account(
    unknown: Callable[[str], dict[str, Any]], warehouse: Warehouse
) -> None:
    """Else all rows of a large document are compared with all that the account has."""
    schemas = {s.table.name: s for s in warehouse.receiver.schemas.read()}
    asking = unknown("IS NOT DISTINCT FROM (i.")
    assert asking.keys() == {n for n, s in schemas.items() if s.table.kind is not Kind.OWNER}
    for name, plan in asking.items():
        if name in OF_A_MACHINE and any(index_conditions(plan, f"{name}_instance")):
            continue
        conditions = list(index_conditions(plan, f"{name}_key"))
        keyed = len(schemas[name].key)
        assert any(found.count(" = ") == keyed for found in conditions), (name, conditions)


def test_parents_are_looked_up_before_statistics_know_the_account(
    unknown: Callable[[str], dict[str, Any]],
) -> None:
    found = unknown("compared")
    parents = {n: t.parent for n, t in TABLES.items() if t.parent and not t.parent.by_name}
    assert parents.keys() <= found.keys()
    for name, parent in parents.items():
        conditions = list(index_conditions(found[name], f"{parent.table}_key"))
        columns = ("account_id", *parent.fields.values())
        assert conditions, name
        assert all(equal(column, c) for column in columns for c in conditions), (name, conditions)


def equal(column: str, condition: str) -> bool:
    """Whether an index is searched by a value of this column, or by the digest of a long one."""
    itself = rf"\((COALESCE\()?\"?{column}\"?(, ''::text\))? = "
    digest = rf"\(CASE WHEN \(octet_length\((COALESCE\()?\"?{column}\b.*? END = "
    return bool(re.search(f"{itself}|{digest}", condition))


def index_conditions(plan: Any, index: str) -> Iterator[str]:
    """The conditions by which a plan searches an index."""
    if isinstance(plan, list):
        for part in plan:
            yield from index_conditions(part, index)
    elif isinstance(plan, dict):
        if plan.get("Index Name") == index:
            yield plan.get("Index Cond", "")
        for part in plan.values():
            yield from index_conditions(part, index)
