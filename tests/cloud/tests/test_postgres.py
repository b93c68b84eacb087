"""The throw-away PostgreSQL server: what it leaves behind, keeps and says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.cloud.postgres import Postgres, PostgresError
from tests.paths import ROOT

# Starts a server, says where it is, and is then killed without a chance to clean up.
KILLED_OWNER = """
import os, signal
from tests.cloud.postgres import Postgres
server = Postgres()
server.start()
print(server.dsn, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


def query(dsn: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def scratch_of(dsn: str) -> Path:
    return Path(str(conninfo_to_dict(dsn)["host"]))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_server_does_not_run_as_root(server: Postgres) -> None:
    # The server owns the files it writes.
    assert (scratch_of(server.dsn) / "data" / "postmaster.pid").stat().st_uid != 0


def test_stop_ends_the_processes_and_removes_the_directory() -> None:
    server = Postgres()
    server.start()
    scratch = scratch_of(server.dsn)
    process = int((scratch / "data" / "postmaster.pid").read_text().split()[0])
    assert is_running(process)
    server.stop()
    assert not is_running(process)
    assert not scratch.exists()
    server.stop()  # Stopping twice is no error.


def test_a_killed_owner_leaves_neither_processes_nor_files() -> None:
    owner = subprocess.run(
        [sys.executable, "-c", KILLED_OWNER], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert owner.returncode == -signal.SIGKILL
    scratch = scratch_of(owner.stdout)
    assert scratch.name.startswith("postgres-")
    wait_until(lambda: not scratch.exists())
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(owner.stdout.strip())


def test_a_given_directory_keeps_the_data() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        data = Path(name) / "data"
        with Postgres(data) as server:
            query(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        with Postgres(data) as server:
            assert query(server.dsn, "SELECT answer FROM kept") == [(42,)]


def test_a_server_that_cannot_start_says_why() -> None:
    server = Postgres(settings={"max_connections": "-1"})
    with pytest.raises(PostgresError, match="max_connections"):
        server.start()
    assert not scratch_of(server.dsn).exists()


@pytest.mark.parametrize(("durable", "setting"), [(False, "off"), (True, "on")])
def test_durability_is_a_choice(durable: bool, setting: str) -> None:
    with Postgres(durable=durable) as server:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert query(server.dsn, f"SHOW {name}") == [(setting,)]


def test_databases_are_created_copied_and_dropped(server: Postgres) -> None:
    server.create_database("original")
    query(server.dsn_for("original"), "CREATE TABLE t AS SELECT 1 AS x")
    server.create_database('a "copy"', template="original")
    assert query(server.dsn_for('a "copy"'), "SELECT x FROM t") == [(1,)]
    with psycopg.connect(server.dsn_for("original")):
        server.drop_database("original")
    names = query(server.dsn, "SELECT datname::text FROM pg_database")
    assert ('a "copy"',) in names
    assert ("original",) not in names
    server.drop_database("original")  # What is not there need not be dropped.
