"""--init-schema over a database that version 1.0 made."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from observability.receiving.result import FileStatus
from tests import documents
from tests.cli.commands import Run
from tests.documents import document
from tests.warehouse import Rows, Warehouse

DUMP = Path(__file__).with_name("version_1_0.sql.gz")
"""What `pg_dump --no-owner --no-acl --inserts` gave after version 1.0's own receiver had loaded
LOADED, as its tests' documents.py made them.
"""
LOADED = (
    (date(2026, 11, 20), "111122223333", "eu-west-1"),
    (date(2026, 11, 21), "111122223333", "eu-west-1"),
    (date(2026, 11, 21), "444455556666", "us-east-1"),
)
LAST_ID = 2**31 - 1


@pytest.fixture
def old(warehouse: Warehouse) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A database of version 1.0 in the place of the warehouse's."""
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        restore(connection)
        yield connection


def restore(connection: psycopg.Connection[dict[str, Any]]) -> None:
    lines = gzip.decompress(DUMP.read_bytes()).decode().splitlines()
    connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    # Lines that begin with a backslash are for psql.
    connection.execute("\n".join(line for line in lines if line[:1] != "\\").encode())
    connection.execute("SELECT set_config('search_path', 'public', false)")


def load_all(warehouse: Warehouse) -> None:
    for day, account, region in LOADED:
        done = warehouse.load(document(day, account, region), documents.key(day, account, region))
        assert done.status is FileStatus.LOADED, done


def integer_ids(connection: psycopg.Connection[dict[str, Any]]) -> list[str]:
    """The ids of our tables that have 32 bits, and what is no identity."""
    found = connection.execute("""
        SELECT c.relname || '.' || a.attname AS name FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v')
        WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped AND (
            (a.attname IN ('id', 'account_row') OR (a.attname LIKE '%\\_id' AND EXISTS (
                SELECT FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'
                 AND a.attnum = ANY (f.conkey)))) AND a.atttypid <> 'bigint'::regtype
            OR a.attname = 'id' AND c.relkind = 'r' AND a.attidentity = '')""")
    return [row["name"] for row in found]


# What 1.0 did not store, or stored as '' until somebody fills it.
NEW_COLUMNS = {
    "amortized_cost", "arn", "cost_by_tag_status", "deleted_date", "description",
    "performance_risk", "rules_without_result",
}  # fmt: skip


def without_new(rows: Rows) -> Rows:
    return {
        table: [{k: v for k, v in row.items() if k not in NEW_COLUMNS} for row in of_table]
        for table, of_table in rows.items()
        if table != "cost_by_tag"
    }


def test_what_version_1_0_stored_is_converted_to_what_is_stored_today(
    warehouse: Warehouse, run_receiver: Run
) -> None:
    """Its ids become BIGINT, its rows stay; applied again, the schema changes nothing."""
    load_all(warehouse)
    today = without_new(warehouse.rows())
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        restore(connection)
        assert len(integer_ids(connection)) > 60
        connection.execute(f"SELECT setval('kms_keys_id_seq', {LAST_ID})")
        before = connection.execute(KEYS).fetchall()
        assert len(before) == 2
        for _ in range(2):
            done = run_receiver("--init-schema")
            assert (done.returncode, done.stderr) == (0, "")
            assert integer_ids(connection) == []
            assert connection.execute(KEYS).fetchall() == before
            assert without_new(warehouse.rows()) == today
    day, account, region = date(2026, 11, 22), "111122223333", "eu-west-1"
    newer = warehouse.load(document(day, account, region), documents.key(day, account, region))
    counters = newer.counters
    assert counters["kms_keys"] == counters["kms_keys"] | {"CREATED": 0, "GONE": 0, "TOTAL": 1}
    assert not [table for table, count in counters.items() if count["GONE"]], counters
    another = "300000000778"
    joined = warehouse.load(document(account=another), documents.key(account=another))
    assert joined.status is FileStatus.LOADED
    found = warehouse.query("SELECT id FROM kms_keys ORDER BY id")
    assert [row["id"] for row in found[:2]] == sorted(row["id"] for row in before)
    assert [row["id"] > LAST_ID for row in found[2:]] == [True]


KEYS = b"""
SELECT k.id, k.key_id, k.account_id, k.document_id, d.key, a.region FROM kms_keys k
JOIN accounts a ON a.id = k.account_id JOIN documents d ON d.id = k.document_id ORDER BY k.id"""


def test_views_of_people_stay_with_their_rights(
    old: psycopg.Connection[dict[str, Any]], run_receiver: Run, warehouse: Warehouse
) -> None:
    old.execute("""
        DROP ROLE IF EXISTS analyst_of_keys;
        CREATE ROLE analyst_of_keys;
        CREATE SCHEMA team;
        CREATE VIEW team."Their keys" WITH (security_barrier) AS
            SELECT k.id AS number, k.key_id, f.last_document_at
            FROM kms_keys k JOIN accounts a ON a.id = k.account_id
            LEFT JOIN freshness f ON f.account_id = a.account_id;
        CREATE VIEW second AS SELECT number FROM team."Their keys";
        COMMENT ON VIEW second IS 'of a colleague''s';
        COMMENT ON COLUMN second.number IS 'the number';
        GRANT USAGE ON SCHEMA team TO analyst_of_keys;
        GRANT SELECT ON team."Their keys", second TO analyst_of_keys;
        ALTER VIEW second OWNER TO analyst_of_keys;
        GRANT SELECT ON second TO PUBLIC;
        CREATE TABLE notes (key INTEGER REFERENCES kms_keys (id), note TEXT);
        INSERT INTO notes SELECT id, 'mine' FROM kms_keys""")
    done = run_receiver("--init-schema")
    assert done.returncode == 0, done.stderr
    [first, _] = old.execute("SELECT number FROM second ORDER BY 1").fetchall()
    assert first == {"number": 1}
    [found] = old.execute("""
        SELECT obj_description('second'::regclass, 'pg_class') AS whole,
               col_description('second'::regclass, 1) AS number,
               pg_get_userbyid(relowner) AS owner,
               has_table_privilege('analyst_of_keys', 'team."Their keys"', 'SELECT') AS theirs,
               array_to_string(relacl, ' ') LIKE '% =r/%' AS everybody,
               (SELECT reloptions FROM pg_class WHERE relname = 'Their keys') AS options
        FROM pg_class WHERE oid = 'second'::regclass""").fetchall()
    assert found == {
        "whole": "of a colleague's", "number": "the number", "owner": "analyst_of_keys",
        "theirs": True, "everybody": True, "options": ["security_barrier=true"],
    }  # fmt: skip
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        old.execute("DELETE FROM kms_keys")
    old.execute("DROP VIEW second; DROP SCHEMA team CASCADE; DROP ROLE analyst_of_keys")
    warehouse.load(document(), documents.key())


def test_a_materialized_view_is_told_and_nothing_is_changed(
    old: psycopg.Connection[dict[str, Any]], run_receiver: Run
) -> None:
    old.execute("CREATE MATERIALIZED VIEW kept AS SELECT id FROM kms_keys")
    done = run_receiver("--init-schema")
    assert done.returncode == 1
    assert "public.kept reads ids, which become BIGINT: drop it" in done.stderr
    assert len(integer_ids(old)) > 60
    old.execute("DROP MATERIALIZED VIEW kept")
    assert run_receiver("--init-schema").returncode == 0
    assert integer_ids(old) == []
