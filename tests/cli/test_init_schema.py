"""--init-schema: all of it or nothing, by one at a time, and one line for what is in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from observability.database.schema import own_schema
from tests.cloud import EmbeddedCloud
from tests.conftest import SCHEMA

RECEIVER = Path(__file__).parents[2] / "receiver.py"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def name(embedded: EmbeddedCloud) -> str:
    """A new database with nothing in it."""
    return embedded.create_database()


@pytest.fixture
def init_schema(embedded: EmbeddedCloud, name: str) -> Run:
    """Runs receiver.py --init-schema on it."""
    settings = embedded.environment(embedded.analytics.id)

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(RECEIVER), "--init-schema", *flags],
            env={**os.environ, **settings, "BUCKET": embedded.bucket, "DB_NAME": name},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def tables(embedded: EmbeddedCloud, name: str) -> set[str]:
    with psycopg.connect(embedded.postgres.dsn_for(name)) as connection:
        named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return {table for (table,) in connection.execute(named)}


def change(embedded: EmbeddedCloud, name: str, *statements: str) -> None:
    with psycopg.connect(embedded.postgres.dsn_for(name)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode in (1, 2)
    [line] = done.stderr.splitlines()
    return line


def test_several_at_once_all_succeed(embedded: EmbeddedCloud, name: str, init_schema: Run) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: init_schema(), range(3)))
    assert [d.returncode for d in done] == [0, 0, 0], [d.stderr for d in done]
    assert tables(embedded, name) == own_schema().tables.keys()


def test_rows_of_one_key_are_told_with_the_query_that_finds_them(
    embedded: EmbeddedCloud, name: str, init_schema: Run
) -> None:
    change(embedded, name, SCHEMA.read_text())
    account = "INSERT INTO accounts (account_id, region) VALUES ('111122223333', 'x')"
    twice = "INSERT INTO services (account_id, service, date_from) SELECT id, 'EC2', '2026-11-21'"
    twice += " FROM accounts"
    change(embedded, name, "DROP INDEX services_key", account, twice, twice)
    change(embedded, name, "DROP TABLE log_messages")
    line = one_line(init_schema())
    assert "CREATE UNIQUE INDEX IF NOT EXISTS services_key" in line
    query = line.partition("find them with ")[2]
    with psycopg.connect(embedded.postgres.dsn_for(name)) as connection:
        [found] = connection.execute(query.encode()).fetchall()
    assert found[-1] == 2
    assert "log_messages" not in tables(embedded, name)  # nothing of it was applied


def test_the_samples_database_is_known_and_left_alone(
    embedded: EmbeddedCloud, name: str, init_schema: Run
) -> None:
    change(
        embedded,
        name,
        "CREATE TABLE accounts (id SERIAL PRIMARY KEY, account_id VARCHAR(12), region TEXT)",
        "CREATE TABLE findings (id SERIAL PRIMARY KEY, security_id INTEGER, finding_id TEXT)",
    )
    line = one_line(init_schema())
    assert "public sample" in line
    assert "receiver.py --adopt-schema sample" in line
    assert tables(embedded, name) == {"accounts", "findings"}
    change(embedded, name, "ALTER SCHEMA public RENAME TO sample", "CREATE SCHEMA public")
    assert init_schema().returncode == 0
    assert tables(embedded, name) == own_schema().tables.keys()


@pytest.mark.parametrize("table", ["products", "documents", "logs"])
def test_a_table_of_another_program_is_named_and_left_alone(
    embedded: EmbeddedCloud, name: str, init_schema: Run, table: str
) -> None:
    change(embedded, name, f"CREATE TABLE {table} (number INTEGER)")
    assert f"a table {table} of another program" in one_line(init_schema())
    assert tables(embedded, name) == {table}


def test_a_view_of_people_in_the_place_of_ours_is_told_in_a_line(
    embedded: EmbeddedCloud, name: str, init_schema: Run
) -> None:
    change(embedded, name, "CREATE VIEW freshness AS SELECT 1 AS one")
    assert "CREATE OR REPLACE VIEW freshness" in one_line(init_schema())
    assert not tables(embedded, name)


def test_a_long_report_is_waited_for_and_then_told(
    embedded: EmbeddedCloud, name: str, init_schema: Run
) -> None:
    change(embedded, name, SCHEMA.read_text())
    embedded.data_api.faults.database_error("55P03", sql="CREATE TABLE", times=1)
    assert init_schema().returncode == 0
    embedded.data_api.faults.database_error("55P03", sql="CREATE TABLE", times=None)
    done = init_schema("--patience", "0.5")
    assert done.returncode == 1
    assert "schema.sql is not applied" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


TAKEN = {
    "an index on another table": "CREATE TABLE o (a int); CREATE INDEX accounts_key ON o (a)",
    "a constraint on another table":
        "CREATE TABLE o (a int, CONSTRAINT kms_keys_key UNIQUE (a))",
    "an index that is not the newest's": "CREATE TABLE o (a int); "
        "CREATE INDEX documents_latest ON o (a)",
    "a table": "CREATE TABLE findings_security (a int)",
    "a sequence": "CREATE SEQUENCE accounts_key",
}  # fmt: skip


@pytest.mark.parametrize("what", TAKEN)
def test_a_name_that_something_else_has_is_told(
    embedded: EmbeddedCloud, name: str, init_schema: Run, what: str
) -> None:
    """IF NOT EXISTS is content with any relation of that name."""
    change(embedded, name, *TAKEN[what].split("; "))
    before = tables(embedded, name)
    line = one_line(init_schema())
    assert "schema.sql is not applied" in line
    assert "rename or drop it" in line
    assert tables(embedded, name) == before


def test_an_index_of_ours_that_is_not_unique_any_more_is_told(
    embedded: EmbeddedCloud, name: str, init_schema: Run
) -> None:
    assert init_schema().returncode == 0
    change(
        embedded, name, "DROP INDEX kms_keys_key", "CREATE INDEX kms_keys_key ON kms_keys (key_id)"
    )
    assert "kms_keys_key" in one_line(init_schema())


def test_an_index_that_outlasts_its_call_is_waited_for(
    embedded: EmbeddedCloud, name: str, init_schema: Run
) -> None:
    change(
        embedded,
        name,
        """CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS
            'BEGIN
                PERFORM pg_sleep(2.5) FROM pg_event_trigger_ddl_commands() c
                WHERE c.object_identity LIKE ''public.key_text(%''; END'""",
        """CREATE EVENT TRIGGER slow ON ddl_command_end
            WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION slow()""",
    )
    limits = embedded.data_api.limits
    before, limits.statement_seconds = limits.statement_seconds, 1.5
    try:
        done = init_schema()
    finally:
        limits.statement_seconds = before
    assert done.returncode == 0, done.stderr
    assert "takes over 45 s, waiting for it" in done.stderr
    assert tables(embedded, name) == own_schema().tables.keys()


@pytest.mark.parametrize("state", ["54001", "42501", "22P02"])
def test_a_catalogue_that_cannot_be_read_is_told_in_a_line(
    embedded: EmbeddedCloud, bucket: str, database: str, state: str
) -> None:
    embedded.data_api.faults.database_error(state, sql="pg_attribute")
    settings = embedded.environment(embedded.analytics.id) | {"BUCKET": bucket, "DB_NAME": database}
    done = subprocess.run(
        [sys.executable, str(RECEIVER)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert state in one_line(done)
