"""receiver.py --check: a line for each thing that a run needs, whatever does not answer."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from observability.database.schema import own_schema
from observability.receiving.checking import check
from tests.cli.commands import Run
from tests.cloud.clock import Clock
from tests.cloud.switches import ApiRequest
from tests.conftest import Clock as MonotonicClock
from tests.documents import document
from tests.faults import KEY, keys, put
from tests.warehouse import Warehouse

NAMES = [
    "S3: list data/", "S3: list loaded/", "S3: list rejected/", "S3: list accounts/",
    "S3: read a document", "S3: write loaded/", "S3: write rejected/", "S3: write reports/",
    "clock of S3", "RDS Data API: statement", "RDS Data API: transaction",
    "clock of the database", "schema", "rights", "the reader's secret",
]  # fmt: skip
ASKED_FOR = ("S3: write reports/", "the reader's secret")


def named(line: str) -> str:
    return next(name for name in NAMES if line[8:].startswith(name))


def waiting() -> list[str]:
    """What has no answer yet."""
    return [t.name for t in threading.enumerate() if t.name.startswith("check of ")]


def test_where_all_is_there_each_thing_is_a_line(run_receiver: Run, warehouse: Warehouse) -> None:
    put(warehouse, document())
    reader = warehouse.settings.secret_arn
    done = run_receiver("--check", REPORT="1", READER_SECRET_ARN=reader)
    assert "FAILED" not in done.stdout, done.stdout
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, [named(line) for line in lines]) == (0, "", NAMES)
    assert f"ok      schema: version {own_schema().version}" in lines
    assert not warehouse.s3.list_multipart_uploads(Bucket=warehouse.bucket).get("Uploads")
    assert keys(warehouse, "") == [KEY]


def test_what_is_missing_is_named_and_all_else_is_tried(
    run_receiver: Run, warehouse: Warehouse
) -> None:
    embedded = warehouse.embedded

    def puts_rejected(request: ApiRequest) -> bool:
        return str(request.params.get("Key", "")).startswith("rejected/")

    embedded.switches.deny("s3", "CreateMultipartUpload", predicate=puts_rejected)
    embedded.switches.deny("s3", "AbortMultipartUpload")
    warehouse.query("DROP ROLE IF EXISTS checked; CREATE ROLE checked LOGIN", fetch=False)
    warehouse.query("GRANT ALL ON ALL TABLES IN SCHEMA public TO checked", fetch=False)
    warehouse.query("REVOKE UPDATE ON documents, kms_keys, notices FROM checked", fetch=False)
    warehouse.query(f"REVOKE TEMPORARY ON DATABASE {warehouse.database} FROM PUBLIC", fetch=False)
    secret = embedded.secret_arn.replace("secret:", "secret:checked-")
    embedded.data_api.logins[secret] = "checked"
    with Clock() as ahead:
        ahead.move_to(datetime.now(UTC) + timedelta(hours=1))
        done = run_receiver("--check", AURORA_SECRET_ARN=secret, **ahead.environment)
    wrong = [line[8:] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert (done.returncode, [name.partition(": ")[0] for name in wrong]) == (
        1,
        ["S3", "clock of S3", "clock of the database", "rights"],
    )
    assert wrong[0].startswith("S3: write rejected/: S3 does not allow CreateMultipartUpload")
    assert re.search("this machine's clock is 3[56][0-9]{2} s ahead: set it$", wrong[1])
    lacking = "TEMPORARY on the database, UPDATE on documents, UPDATE on kms_keys"
    assert wrong[3] == f"rights: checked lacks {lacking}"
    assert "ok      S3: write loaded/: without s3:AbortMultipartUpload, an empty" in done.stdout
    assert "ok      S3: read a document: there is none yet" in done.stdout


def test_what_does_not_answer_is_told_in_time(
    warehouse: Warehouse, clock: MonotonicClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """One kind of call of the bucket and one of the database: all others are told as ever."""
    warehouse.embedded.switches.hang("s3", "CreateMultipartUpload")
    warehouse.embedded.switches.hang("rds-data", "BeginTransaction")
    printed = ""
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(check, warehouse.settings, limit=600.0)
        while "S3: read" not in printed or len(waiting()) > 3:
            printed += capsys.readouterr().out
            time.sleep(0.02)
        clock.forward(600)
        assert ending.result() == 1
    lines = (printed + capsys.readouterr().out).splitlines()
    late = [named(line) for line in lines if "no answer within 600 s: check REGION" in line]
    assert late == ["S3: write loaded/", "S3: write rejected/", "RDS Data API: transaction"]
    assert [named(line) for line in lines] == [n for n in NAMES if n not in ASKED_FOR]
