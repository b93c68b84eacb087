"""Code and schema of different releases: one line, and no schema is made older."""

from __future__ import annotations

import pytest

import receiver
from observability.database.schema import own_schema
from observability.errors import UsageError
from observability.receiving.events import ObjectName
from observability.receiving.result import FileStatus
from tests import documents
from tests.cli.commands import Run
from tests.documents import document
from tests.warehouse import Warehouse

OURS = own_schema().version


def set_version(warehouse: Warehouse, version: int) -> None:
    made = "CREATE OR REPLACE FUNCTION schema_version() RETURNS INTEGER IMMUTABLE LANGUAGE sql AS"
    warehouse.query(f"{made} 'SELECT {version}'", fetch=False)


def test_an_older_schema_is_one_line_until_it_is_applied(
    run_receiver: Run, warehouse: Warehouse
) -> None:
    line = f"the database's schema is version 1, and this program needs {OURS}: "
    line += "run receiver.py --init-schema"
    warehouse.query("DROP FUNCTION schema_version", fetch=False)
    warehouse.query(
        "ALTER TABLE secrets_manager_secrets DROP COLUMN deleted_date CASCADE", fetch=False
    )
    done = run_receiver()
    assert (done.returncode, done.stderr) == (2, f"receiver.py: {line}\n")
    assert f"FAILED  schema: {line}\n" in run_receiver("--check").stdout
    key = documents.key()
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=documents.encode(document()))
    function = receiver.connect(warehouse.settings)
    [waits] = receiver.load_named(function, [ObjectName(warehouse.bucket, key)])
    assert (waits.status, waits.reasons) == (FileStatus.FAILED, (line,))
    assert warehouse.receiver.s3.find(key)
    assert run_receiver("--init-schema").returncode == 0
    [again] = receiver.load_named(function, [ObjectName(warehouse.bucket, key)])
    assert again.status is FileStatus.LOADED


def test_a_newer_schema_works_and_is_never_made_older(
    run_receiver: Run, warehouse: Warehouse
) -> None:
    newer = f"the database's schema is version {OURS + 1}, newer than this program's {OURS}"
    set_version(warehouse, OURS + 1)
    warehouse.query("ALTER TABLE kms_keys ADD COLUMN of_next_release TEXT", fetch=False)
    key = documents.key()
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=documents.encode(document()))
    done = run_receiver()
    assert done.returncode == 0
    assert done.stderr.count(newer) == 1
    done = run_receiver("--init-schema")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"receiver.py: {newer}: nothing is applied, as it is never made older\n"
    assert warehouse.query("SELECT schema_version()") == [{"schema_version": OURS + 1}]
    warehouse.query("ALTER TABLE findings DROP COLUMN generator CASCADE", fetch=False)
    with pytest.raises(UsageError, match=r"and lacks findings.generator: use a newer program$"):
        receiver.start(warehouse.settings)
