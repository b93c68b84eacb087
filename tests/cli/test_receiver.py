"""receiver.py as a command: streams, exit codes, and what each flag does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from observability.database.merge import RUN_SQL
from observability.receiving.bucket import REASON
from observability.receiving.files import UPLOADED
from tests import documents
from tests.cli.commands import BAD, Run, keys, put
from tests.cloud import ApiRequest, EmbeddedCloud
from tests.documents import document
from tests.paths import RECEIVER
from tests.warehouse import STORED, Warehouse


@pytest.mark.parametrize(
    ("flag", "unbuffered"),
    [("--help", ""), ("--version", ""), ("--check", ""), ("--check", "1"), ("--dry-run", "")],
)
def test_a_full_disk_under_stdout_is_told_in_one_line(
    receiver_environment: dict[str, str], flag: str, unbuffered: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, str(RECEIVER), flag],
            env=receiver_environment | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    *story, last = done.stderr.splitlines()
    assert last == "receiver.py: stdout: No space left on device"
    assert all(" INFO " in line for line in story)
    assert done.returncode == 1


def test_a_reader_that_stops_reading_is_told_in_one_line(
    receiver_environment: dict[str, str],
) -> None:
    """As `| head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, str(RECEIVER), "--check"],
            env=receiver_environment,
            text=True,
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "receiver.py: stdout: Broken pipe\n")


def test_the_schema_is_applied_and_again(run_receiver: Run, embedded: EmbeddedCloud) -> None:
    empty = embedded.create_database()
    before = run_receiver(DB_NAME=empty)
    assert before.returncode == 2
    [line] = before.stderr.splitlines()
    assert line == "receiver.py: the database has no schema: run receiver.py --init-schema"
    assert run_receiver("--init-schema", DB_NAME=empty).returncode == 0
    again = run_receiver("--init-schema", DB_NAME=empty)
    assert (again.returncode, again.stderr) == (0, "")
    assert run_receiver(DB_NAME=empty).returncode == 0


def test_each_table_that_lacks_is_named_once(run_receiver: Run, warehouse: Warehouse) -> None:
    """Three loaders write to cost_reports."""
    warehouse.query("DROP TABLE cost_reports, listings CASCADE", fetch=False)
    done = run_receiver()
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    lacks = "the database lacks cost_reports, listings: run receiver.py --init-schema"
    assert line == f"receiver.py: {lacks}"


def test_a_new_schema_keeps_what_is_loaded(run_receiver: Run, warehouse: Warehouse) -> None:
    warehouse.load(document(), documents.key())
    before = warehouse.rows()
    assert run_receiver("--init-schema").returncode == 0
    assert warehouse.rows() == before


def test_good_files_are_loaded_beside_a_bad_one_and_the_exit_code_tells(
    run_receiver: Run, warehouse: Warehouse
) -> None:
    put(warehouse, documents.key(), document())
    put(warehouse, BAD, b"{")
    done = run_receiver()
    assert done.returncode == 1
    assert keys(warehouse) == [
        documents.key().replace("data/", "loaded/"),
        BAD.replace("data/", "rejected/"),
        BAD.replace("data/", "rejected/") + REASON,
    ]
    assert f"rejected {BAD}: not JSON" in done.stderr
    reason = BAD.replace("data/", "rejected/") + REASON
    body = warehouse.s3.get_object(Bucket=warehouse.bucket, Key=reason)["Body"].read()
    assert body.startswith(b"not JSON")
    assert body.endswith(b"\n")
    assert body.count(b"\n") == 1
    last = done.stdout.splitlines()[-1]
    assert "1 loaded, 1 rejected" in last


def test_the_summary_counts_per_table(run_receiver: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    header, *lines = run_receiver().stdout.splitlines()
    assert header.split() == ["table", "CREATED", "UPDATED", "SKIPPED", "GONE", "TOTAL"]
    counts = {line.split()[0]: line.split()[1:] for line in lines[:-1]}
    assert counts["findings"] == ["2", "0", "0", "0", "2"]
    assert counts.keys() >= set(STORED)


def test_nothing_to_do_is_well(run_receiver: Run) -> None:
    done = run_receiver()
    assert done.returncode == 0
    assert "nothing to do" in done.stdout


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    run_receiver: Run, warehouse: Warehouse
) -> None:
    put(warehouse, documents.key(), document())
    put(warehouse, BAD, b"{")
    done = run_receiver("--dry-run")
    assert done.returncode == 1
    assert "2 " in done.stdout
    assert "rolled back" in done.stdout
    assert f"SUCCESS loadable {documents.key()}" in done.stderr
    assert keys(warehouse) == [documents.key(), BAD]
    assert warehouse.query("SELECT FROM accounts") == []


def test_what_was_loaded_before_is_only_moved(run_receiver: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    first = run_receiver()
    put(warehouse, documents.key(), document())
    warehouse.embedded.data_api.forget_calls()
    again = run_receiver()
    assert (again.returncode, keys(warehouse)) == (0, [documents.key().replace("data/", "loaded/")])
    assert "was loaded before" in again.stderr
    assert not any(call.sql == RUN_SQL for call in warehouse.embedded.data_api.calls)
    rows = first.stdout.splitlines()[-1].split(", ")[1]
    assert rows == again.stdout.splitlines()[-1].split(", ")[1] != "0 rows"


def test_a_file_that_is_named_is_loaded_again(run_receiver: Run, warehouse: Warehouse) -> None:
    """Say, because somebody has deleted rows of it."""
    put(warehouse, documents.key(), document())
    assert run_receiver().returncode == 0
    warehouse.query("DELETE FROM kms_keys", fetch=False)
    put(warehouse, documents.key(), document())
    assert run_receiver("--file", documents.key()).returncode == 0
    assert len(warehouse.query("SELECT FROM kms_keys")) == len(document()["security"]["kms"])


def test_one_file_is_loaded_by_its_key(run_receiver: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    put(warehouse, BAD, b"{")
    assert run_receiver("--file", documents.key()).returncode == 0
    assert BAD in keys(warehouse)
    missing = run_receiver("--file", "data/nothing.json")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert f"no object data/nothing.json in the bucket {warehouse.bucket}" in missing.stderr


def test_what_is_not_under_data_is_to_be_copied_there(
    run_receiver: Run, warehouse: Warehouse
) -> None:
    loaded = documents.key().replace("data/", "loaded/")
    put(warehouse, loaded, document())
    done = run_receiver("--file", loaded)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    place = f"s3://{warehouse.bucket}/"
    copy = f"aws s3 cp {place}{loaded} {place}{documents.key()} --sse aws:kms --sse-kms-key-id "
    assert f"copy it there: {copy}" in line
    assert keys(warehouse) == [loaded]
    put(warehouse, documents.key(), document())
    for other in ("elsewhere/x.json", ""):
        done = run_receiver("--file", other)
        assert done.returncode == 2
        assert done.stderr.endswith("only what lies under data/ is loaded\n")
    assert keys(warehouse) == [documents.key(), loaded]


@pytest.mark.parametrize("place", ["loaded", "rejected"])
def test_a_file_that_has_left_data_is_told_where_it_lies(
    run_receiver: Run, warehouse: Warehouse, place: str
) -> None:
    put(warehouse, documents.key(), document() if place == "loaded" else b"{")
    run_receiver()
    there = documents.key().replace("data/", f"{place}/")
    assert there in keys(warehouse)
    done = run_receiver("--file", documents.key())
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    bucket = f"s3://{warehouse.bucket}/"
    assert f"no object {documents.key()} in the bucket {warehouse.bucket}: it lies under " in line
    assert f" {place}/; copy it back: aws s3 cp {bucket}{there} {bucket}{documents.key()} " in line
    beside = run_receiver("--file", documents.key().removesuffix(".json"))
    assert beside.stderr.endswith(f"in the bucket {warehouse.bucket}\n")


def test_refused_files_come_back_after_a_fix(run_receiver: Run, warehouse: Warehouse) -> None:
    made = document()
    made["cost"][0]["period"]["granularity"] = "HOURLY"
    put(warehouse, documents.key(), made)
    assert run_receiver().returncode == 1
    warehouse.query("ALTER TYPE period_granularity_type ADD VALUE 'HOURLY'", fetch=False)
    done = run_receiver("--retry-rejected")
    assert done.returncode == 0, done.stderr
    assert keys(warehouse) == [documents.key().replace("data/", "loaded/")]


def test_a_refused_document_stays_as_old_as_it_was(run_receiver: Run, warehouse: Warehouse) -> None:
    """Without `meta` the upload's time decides what is newer, and a copy is a new upload."""
    put(warehouse, BAD, b"{")
    uploaded = warehouse.s3.head_object(Bucket=warehouse.bucket, Key=BAD)["LastModified"]
    assert run_receiver().returncode == 1
    rejected = BAD.replace("data/", "rejected/")
    kept = warehouse.s3.head_object(Bucket=warehouse.bucket, Key=rejected)["Metadata"]
    assert kept[UPLOADED] == uploaded.isoformat()
    head = {"Bucket": warehouse.bucket, "Key": rejected}
    old = {UPLOADED: "2026-11-19T05:06:07+00:00"}
    warehouse.s3.put_object(**head, Body=b"{", Metadata=old)
    assert run_receiver("--retry-rejected").returncode == 1  # and it is refused again
    assert warehouse.s3.head_object(**head)["Metadata"][UPLOADED] == old[UPLOADED]
    made, key = document(meta=False), documents.key()
    warehouse.s3.put_object(
        Bucket=warehouse.bucket,
        Key=key.replace("data/", "rejected/"),
        Body=documents.encode(made),
        Metadata={UPLOADED: "2026-11-20T05:06:07+00:00"},
    )
    run_receiver("--retry-rejected")
    assert warehouse.query("SELECT collected_at FROM documents") == [
        {"collected_at": datetime(2026, 11, 20, 5, 6, 7, tzinfo=UTC)}
    ]


def test_what_another_receiver_refuses_again_is_kept(
    run_receiver: Run, warehouse: Warehouse
) -> None:
    """The same bytes have the same ETag, so nothing may hang on it."""
    put(warehouse, BAD, b"{")
    assert run_receiver().returncode == 1
    rejected = BAD.replace("data/", "rejected/")

    def refuse_it(_request: ApiRequest) -> None:
        assert run_receiver().returncode == 1

    warehouse.embedded.switches.intercept("s3", "CopyObject", refuse_it, times=1, after=True)
    assert run_receiver("--retry-rejected").returncode == 0
    assert keys(warehouse) == [rejected, rejected + REASON]


def test_a_refused_file_does_not_replace_a_newer_one(
    run_receiver: Run, warehouse: Warehouse
) -> None:
    put(warehouse, documents.key(), b"{")
    assert run_receiver().returncode == 1
    put(warehouse, documents.key(), document())
    done = run_receiver("--retry-rejected")
    assert done.returncode == 0
    assert len(warehouse.query("SELECT FROM documents")) == 1
    assert documents.key().replace("data/", "rejected/") in keys(warehouse)


def test_a_quiet_run_tells_failures_only(run_receiver: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    put(warehouse, BAD, b"{")
    done = run_receiver("--quiet")
    [line] = done.stderr.splitlines()
    assert f" FAIL    rejected {BAD}: not JSON" in line
    assert "1 loaded, 1 rejected" in done.stdout


def test_the_json_log_has_every_call(run_receiver: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    done = run_receiver("--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    hub = warehouse.settings.cluster_arn.split(":")[4]
    assert {line["account"] for line in lines} == {documents.ACCOUNT, hub}
    assert {line["level"] for line in lines} == {"DEBUG", "INFO"}
    about = {line["account"] for line in lines if line["kind"] in ("SUCCESS", "TIMING")}
    assert about == {documents.ACCOUNT}
    calls = [line for line in lines if "operation" in line]
    assert all(call.keys() >= {"seconds", "attempts", "outcome"} for call in calls)
    named = [call["operation"] for call in calls]
    # The catalogue, the document, and old changes.
    assert named.count("rds-data:ExecuteStatement") == 3
    asked = run_receiver("--query", "SELECT 1", "--log-format", "json")
    assert {json.loads(line)["account"] for line in asked.stderr.splitlines()} == {hub}
    assert named.count("s3:GetObject") == 1
    [totals] = [line["calls"] for line in lines if "calls" in line]
    assert sum(totals.values()) == len(calls)
