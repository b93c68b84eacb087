"""receiver.py as a user runs it: streams, exit codes, and what each flag does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from observability.database.merge import RUN_SQL
from observability.receiving.bucket import REASON, UPLOADED
from observability.receiving.result import FileStatus
from observability.settings.receiver import SETTINGS, Settings
from tests import documents
from tests.cloud import ApiRequest, EmbeddedCloud
from tests.documents import CATEGORIES, Document, document
from tests.warehouse import STORED, Warehouse

SCRIPT = Path(__file__).parents[1] / "receiver.py"
BAD = documents.key(account="222222222222")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(embedded: EmbeddedCloud, bucket: str, database: str) -> dict[str, str]:
    """The documented environment."""
    ours = {"BUCKET": bucket, "DB_NAME": database}
    return {**os.environ, **embedded.environment(embedded.analytics.id), **ours}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs receiver.py in the environment, of which keywords replace or (None) remove some."""

    def run(*arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        changed = {**environment, **changes}
        return subprocess.run(
            [sys.executable, str(SCRIPT), *arguments],
            env={name: value for name, value in changed.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def put(warehouse: Warehouse, key: str, made: Document | bytes) -> None:
    body = made if isinstance(made, bytes) else documents.encode(made)
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body)


def keys(warehouse: Warehouse) -> list[str]:
    return [file.key for file in warehouse.receiver.s3.list_files("")]


@pytest.mark.parametrize("name", ["BUCKET", "AURORA_CLUSTER_ARN", "AURORA_SECRET_ARN", "DB_NAME"])
def test_a_missing_setting_is_one_line_with_its_variable_and_flag(run: Run, name: str) -> None:
    done = run(**{name: None})
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    [flag] = (setting.flag for setting in SETTINGS if setting.variable == name)
    assert line == f"receiver.py: {name} is not set: set it in the environment or give {flag}"


def test_all_that_is_missing_or_malformed_is_told_at_once(run: Run) -> None:
    done = run("--workers", "0", BUCKET=None, DB_NAME="", AURORA_CLUSTER_ARN="nope")
    assert (done.returncode, done.stdout) == (2, "")
    told = [line.removeprefix("receiver.py: ").split()[0] for line in done.stderr.splitlines()]
    assert sorted(told) == ["--workers:", "AURORA_CLUSTER_ARN", "BUCKET", "DB_NAME"]


CLUSTER = "arn:aws:rds:eu-west-1:111122223333:cluster:analytics"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:receiver-AbCdEf"
NO_ARNS = [
    ("AURORA_CLUSTER_ARN", "--cluster-arn", "nope"),
    ("AURORA_CLUSTER_ARN", "--cluster-arn", SECRET),
    ("AURORA_CLUSTER_ARN", "--cluster-arn", CLUSTER.replace(":cluster:", ":db:")),
    ("AURORA_CLUSTER_ARN", "--cluster-arn", CLUSTER + "\r"),
    ("AURORA_SECRET_ARN", "--secret-arn", "observability/receiver"),
    ("AURORA_SECRET_ARN", "--secret-arn", CLUSTER),
]


@pytest.mark.parametrize(("variable", "flag", "value"), NO_ARNS)
def test_what_is_no_arn_is_told_before_any_call(
    run: Run, embedded: EmbeddedCloud, variable: str, flag: str, value: str
) -> None:
    embedded.calls.clear()
    for done in (run(**{variable: value}), run(flag, value)):
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert line.startswith(f"receiver.py: {variable} ({flag}): {value!r} is no ARN of a ")
    assert not embedded.calls


@pytest.mark.parametrize(
    ("cluster", "secret"),
    [
        (CLUSTER, SECRET),
        (CLUSTER.replace("eu-west", "cn-north"), SECRET.replace("receiver", "rds!cluster-1a2b")),
        (CLUSTER.replace("aws", "aws-us-gov"), SECRET.replace("receiver", "team/a_b+c=d.e@f-g")),
        (CLUSTER.replace("aws", "aws-iso-b"), SECRET.replace("aws", "aws-cn")),
    ],
)
def test_arns_of_all_partitions_and_names_are_taken(cluster: str, secret: str) -> None:
    named = {"bucket": "b", "database": "d", "cluster_arn": cluster, "secret_arn": secret}
    settings = Settings.of(named)
    assert (settings.cluster_arn, settings.secret_arn) == (cluster, secret)


KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
KMS = "arn:aws-cn:kms:cn-north-1:111122223333"


@pytest.mark.parametrize(
    "key", [KEY, f"mrk-{KEY.replace('-', '')}", "alias/a", f"{KMS}:key/{KEY}", f"{KMS}:alias/a/b"]
)
def test_a_key_may_be_named_in_each_way_that_s3_knows(key: str) -> None:
    named = {"bucket": "b", "database": "d", "cluster_arn": CLUSTER, "secret_arn": SECRET}
    assert Settings.of(named | {"kms_key": key}).kms_key == key


@pytest.mark.parametrize("key", ["nosuch", f"{KMS}:key/nosuch", f"{KMS}:{KEY}", f"{KEY}\r"])
def test_what_can_be_no_key_is_told_before_any_call(
    run: Run, embedded: EmbeddedCloud, key: str
) -> None:
    embedded.calls.clear()
    for done in (run(ANALYTICS_KMS_KEY=key), run("--kms-key", key)):
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        told = f"ANALYTICS_KMS_KEY (--kms-key): {key!r} cannot be one; give a KMS key's id, "
        assert line.startswith(f"receiver.py: {told}")
    assert not embedded.calls


def test_without_any_region_the_setting_is_named(run: Run) -> None:
    nowhere = dict.fromkeys(("REGION", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"))
    for flag in ("--check", "--dry-run"):
        done = run(flag, **nowhere, AWS_CONFIG_FILE=os.devnull)
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert line == "receiver.py: REGION is not set: set it in the environment or give --region"
    assert run(**nowhere | {"AWS_DEFAULT_REGION": "us-east-1"}).returncode == 0


@pytest.mark.parametrize("flag", ["--check", "--dry-run", "--init-schema"])
def test_without_boto3_it_says_what_to_install(environment: dict[str, str], flag: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), flag],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line == "receiver.py: boto3 is missing: pip install -r requirements.txt"


@pytest.mark.parametrize(
    ("flag", "value", "kind"),
    [
        ("--workers", "0", "whole number from 1 to 256"),
        ("--workers", "257", "whole number from 1 to 256"),
        ("--workers", "1.5", "whole number from 1 to 256"),
        ("--patience", "-1", "number from 0 to 86400"),
        ("--patience", "inf", "number from 0 to 86400"),
        ("--patience", "nan", "number from 0 to 86400"),
        ("--patience", "long", "number from 0 to 86400"),
    ],
)
def test_a_number_is_within_its_bounds(run: Run, flag: str, value: str, kind: str) -> None:
    done = run(flag, value)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"receiver.py: {flag}: {value!r} is not a {kind}\n"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "REGION"])
def test_a_place_that_can_be_none_is_one_line(run: Run, name: str) -> None:
    done = run(**{name: "no where"})
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert name in line


@pytest.mark.parametrize("name", ["s3://mine", "my bucket", "mine/data", "no-such-bucket"])
def test_a_bucket_that_is_none_is_one_line(run: Run, name: str) -> None:
    told = f"BUCKET (--bucket): there is no bucket {name!r}"
    for done in (run(BUCKET=name), run("--retry-rejected", "--bucket", name)):
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"receiver.py: {told}\n"
    checked = run("--check", BUCKET=name)
    assert checked.returncode == 1
    assert f"FAILED  S3: list data/: {told}\n" in checked.stdout


@pytest.mark.parametrize(
    ("flag", "unbuffered"),
    [("--help", ""), ("--version", ""), ("--check", ""), ("--check", "1"), ("--dry-run", "")],
)
def test_a_full_disk_under_stdout_is_told_in_one_line(
    environment: dict[str, str], flag: str, unbuffered: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), flag],
            env=environment | {"PYTHONUNBUFFERED": unbuffered},
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


def test_a_reader_that_stops_reading_is_told_in_one_line(environment: dict[str, str]) -> None:
    """As `| head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--check"],
            env=environment,
            text=True,
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "receiver.py: stdout: Broken pipe\n")


def test_a_flag_wins_over_the_environment(run: Run, bucket: str) -> None:
    assert run("--bucket", bucket, BUCKET="no-such-bucket").returncode == 0


def test_the_schema_is_applied_and_again(run: Run, embedded: EmbeddedCloud) -> None:
    empty = embedded.create_database()
    before = run(DB_NAME=empty)
    assert before.returncode == 2
    [line] = before.stderr.splitlines()
    assert line == "receiver.py: the database has no schema: run receiver.py --init-schema"
    assert run("--init-schema", DB_NAME=empty).returncode == 0
    again = run("--init-schema", DB_NAME=empty)
    assert (again.returncode, again.stderr) == (0, "")
    assert run(DB_NAME=empty).returncode == 0


def test_each_table_that_lacks_is_named_once(run: Run, warehouse: Warehouse) -> None:
    """Three loaders write to cost_reports."""
    warehouse.query("DROP TABLE cost_reports, listings CASCADE", fetch=False)
    done = run()
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    lacks = "the database lacks cost_reports, listings: run receiver.py --init-schema"
    assert line == f"receiver.py: {lacks}"


def test_a_new_schema_keeps_what_is_loaded(run: Run, warehouse: Warehouse) -> None:
    warehouse.load(document(), documents.key())
    before = warehouse.rows()
    assert run("--init-schema").returncode == 0
    assert warehouse.rows() == before


def test_good_files_are_loaded_beside_a_bad_one_and_the_exit_code_tells(
    run: Run, warehouse: Warehouse
) -> None:
    put(warehouse, documents.key(), document())
    put(warehouse, BAD, b"{")
    done = run()
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


def test_the_summary_counts_per_table(run: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    header, *lines = run().stdout.splitlines()
    assert header.split() == ["table", "CREATED", "UPDATED", "SKIPPED", "GONE", "TOTAL"]
    counts = {line.split()[0]: line.split()[1:] for line in lines[:-1]}
    assert counts["findings"] == ["2", "0", "0", "0", "2"]
    assert counts.keys() >= set(STORED)


def test_nothing_to_do_is_well(run: Run) -> None:
    done = run()
    assert done.returncode == 0
    assert "nothing to do" in done.stdout


def test_a_dry_run_says_what_it_would_do_and_does_nothing(run: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    put(warehouse, BAD, b"{")
    done = run("--dry-run")
    assert done.returncode == 1
    assert "2 " in done.stdout
    assert "rolled back" in done.stdout
    assert f"SUCCESS loadable {documents.key()}" in done.stderr
    assert keys(warehouse) == [documents.key(), BAD]
    assert warehouse.query("SELECT FROM accounts") == []


def test_what_was_loaded_before_is_only_moved(run: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    first = run()
    put(warehouse, documents.key(), document())
    warehouse.embedded.data_api.forget_calls()
    again = run()
    assert (again.returncode, keys(warehouse)) == (0, [documents.key().replace("data/", "loaded/")])
    assert "was loaded before" in again.stderr
    assert not any(call.sql == RUN_SQL for call in warehouse.embedded.data_api.calls)
    rows = first.stdout.splitlines()[-1].split(", ")[1]
    assert rows == again.stdout.splitlines()[-1].split(", ")[1] != "0 rows"


def test_a_file_that_is_named_is_loaded_again(run: Run, warehouse: Warehouse) -> None:
    """Say, because somebody has deleted rows of it."""
    put(warehouse, documents.key(), document())
    assert run().returncode == 0
    warehouse.query("DELETE FROM kms_keys", fetch=False)
    put(warehouse, documents.key(), document())
    assert run("--file", documents.key()).returncode == 0
    assert len(warehouse.query("SELECT FROM kms_keys")) == len(document()["security"]["kms"])


def test_one_file_is_loaded_by_its_key(run: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    put(warehouse, BAD, b"{")
    assert run("--file", documents.key()).returncode == 0
    assert BAD in keys(warehouse)
    missing = run("--file", "data/nothing.json")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert f"no object data/nothing.json in the bucket {warehouse.bucket}" in missing.stderr


def test_what_is_not_under_data_is_to_be_copied_there(run: Run, warehouse: Warehouse) -> None:
    loaded = documents.key().replace("data/", "loaded/")
    put(warehouse, loaded, document())
    done = run("--file", loaded)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    place = f"s3://{warehouse.bucket}/"
    copy = f"aws s3 cp {place}{loaded} {place}{documents.key()} --sse aws:kms --sse-kms-key-id "
    assert f"copy it there: {copy}" in line
    assert keys(warehouse) == [loaded]
    put(warehouse, documents.key(), document())
    for other in ("elsewhere/x.json", ""):
        done = run("--file", other)
        assert done.returncode == 2
        assert done.stderr.endswith("only what lies under data/ is loaded\n")
    assert keys(warehouse) == [documents.key(), loaded]


@pytest.mark.parametrize("place", ["loaded", "rejected"])
def test_a_file_that_has_left_data_is_told_where_it_lies(
    run: Run, warehouse: Warehouse, place: str
) -> None:
    put(warehouse, documents.key(), document() if place == "loaded" else b"{")
    run()
    there = documents.key().replace("data/", f"{place}/")
    assert there in keys(warehouse)
    done = run("--file", documents.key())
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    bucket = f"s3://{warehouse.bucket}/"
    assert f"no object {documents.key()} in the bucket {warehouse.bucket}: it lies under " in line
    assert f" {place}/; copy it back: aws s3 cp {bucket}{there} {bucket}{documents.key()} " in line
    beside = run("--file", documents.key().removesuffix(".json"))
    assert beside.stderr.endswith(f"in the bucket {warehouse.bucket}\n")


def test_refused_files_come_back_after_a_fix(run: Run, warehouse: Warehouse) -> None:
    made = document()
    made["cost"][0]["period"]["granularity"] = "HOURLY"
    put(warehouse, documents.key(), made)
    assert run().returncode == 1
    warehouse.query("ALTER TYPE period_granularity_type ADD VALUE 'HOURLY'", fetch=False)
    done = run("--retry-rejected")
    assert done.returncode == 0, done.stderr
    assert keys(warehouse) == [documents.key().replace("data/", "loaded/")]


def test_a_refused_document_stays_as_old_as_it_was(run: Run, warehouse: Warehouse) -> None:
    """Without `meta` the upload's time decides what is newer, and a copy is a new upload."""
    put(warehouse, BAD, b"{")
    uploaded = warehouse.s3.head_object(Bucket=warehouse.bucket, Key=BAD)["LastModified"]
    assert run().returncode == 1
    rejected = BAD.replace("data/", "rejected/")
    kept = warehouse.s3.head_object(Bucket=warehouse.bucket, Key=rejected)["Metadata"]
    assert kept == {UPLOADED: uploaded.isoformat()}
    head = {"Bucket": warehouse.bucket, "Key": rejected}
    old = {UPLOADED: "2026-11-19T05:06:07+00:00"}
    warehouse.s3.put_object(**head, Body=b"{", Metadata=old)
    assert run("--retry-rejected").returncode == 1  # and it is refused again
    assert warehouse.s3.head_object(**head)["Metadata"] == old
    made, key = document(meta=False), documents.key()
    warehouse.s3.put_object(
        Bucket=warehouse.bucket,
        Key=key.replace("data/", "rejected/"),
        Body=documents.encode(made),
        Metadata={UPLOADED: "2026-11-20T05:06:07+00:00"},
    )
    run("--retry-rejected")
    assert warehouse.query("SELECT collected_at FROM documents") == [
        {"collected_at": datetime(2026, 11, 20, 5, 6, 7, tzinfo=UTC)}
    ]


def test_what_another_receiver_refuses_again_is_kept(run: Run, warehouse: Warehouse) -> None:
    """The same bytes have the same ETag, so nothing may hang on it."""
    put(warehouse, BAD, b"{")
    assert run().returncode == 1
    rejected = BAD.replace("data/", "rejected/")

    def refuse_it(_request: ApiRequest) -> None:
        assert run().returncode == 1

    warehouse.embedded.switches.intercept("s3", "CopyObject", refuse_it, times=1, after=True)
    assert run("--retry-rejected").returncode == 0
    assert keys(warehouse) == [rejected, rejected + REASON]


def test_a_refused_file_does_not_replace_a_newer_one(run: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), b"{")
    assert run().returncode == 1
    put(warehouse, documents.key(), document())
    done = run("--retry-rejected")
    assert done.returncode == 0
    assert len(warehouse.query("SELECT FROM documents")) == 1
    assert documents.key().replace("data/", "rejected/") in keys(warehouse)


def test_check_tells_what_is_missing(run: Run) -> None:
    well = run("--check")
    assert (well.returncode, well.stdout.count("FAILED")) == (0, 0)
    ill = run("--check", BUCKET="no-such-bucket")
    assert ill.returncode == 1
    assert "FAILED  S3: list data/" in ill.stdout
    assert "ok      schema" in ill.stdout


def test_the_json_log_has_every_call(run: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    done = run("--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    about = {line.get("account") for line in lines if line["kind"] in ("SUCCESS", "TIMING")}
    assert about == {documents.ACCOUNT}
    calls = [line for line in lines if "operation" in line]
    assert all(call.keys() >= {"seconds", "attempts", "outcome"} for call in calls)
    named = [call["operation"] for call in calls]
    assert named.count("rds-data:CommitTransaction") == 1
    assert named.count("s3:GetObject") == 1
    [totals] = [line["calls"] for line in lines if "calls" in line]
    assert sum(totals.values()) == len(calls)


def test_a_quiet_run_tells_failures_only(run: Run, warehouse: Warehouse) -> None:
    put(warehouse, documents.key(), document())
    put(warehouse, BAD, b"{")
    done = run("--quiet")
    [line] = done.stderr.splitlines()
    assert f" FAIL    rejected {BAD}: not JSON" in line
    assert "1 loaded, 1 rejected" in done.stdout


def test_help_needs_no_sdk() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(SCRIPT), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "--init-schema" in done.stdout
    assert "boto" not in done.stderr


def test_wrong_use_is_exit_code_two(run: Run) -> None:
    assert run("--no-such-flag").returncode == 2
    assert run("--check", "--init-schema").returncode == 2
    for flag in ("--init-schema", "--check", "--retry-rejected"):
        assert run(flag, "--dry-run").returncode == 2


def other_producer() -> Document:
    """The contract's other shapes: no meta, one report, tickets in an object, texts."""
    made = document(meta=False)
    made["cost"] = made["cost"][0]
    made["support_tickets"] = {
        "date_from": "2026-11-21",
        "date_to": "2026-11-22",
        "total_tickets": 1,
        "tickets": [
            {k: v for k, v in made["support_tickets"][0].items() if not k.startswith("date_")}
        ],
    }
    made["logs"]["message"] = ["plain text", {"ERROR": "one", "INFO": "two"}]
    made["account"]["product"] = "None"
    made["account"]["joined_timestamp"] = "2020-02-29 12:00:00"
    made["security"]["kms"][0]["creation_date"] = "2024-01-01"
    return made


def test_other_producers_documents_are_loaded_whole(warehouse: Warehouse) -> None:
    result = warehouse.load(other_producer(), documents.key())
    assert result.outcome is FileStatus.LOADED
    assert result.totals["CREATED"] == result.totals["TOTAL"]
    assert warehouse.query("SELECT FROM products") == []
    tickets = warehouse.query("SELECT case_id, date_from FROM support_tickets")
    assert tickets == [{"case_id": "case-1", "date_from": date(2026, 11, 21)}]
    messages = "SELECT message_type, message FROM log_messages ORDER BY position"
    assert [tuple(row.values()) for row in warehouse.query(messages)] == [
        ("INFO", "plain text"),
        ("ERROR", "one"),
        ("INFO", "two"),
    ]
    head = warehouse.s3.head_object(
        Bucket=warehouse.bucket, Key=documents.key().replace("data/", "loaded/")
    )
    [row] = warehouse.query("SELECT collected_at, last_modified FROM documents")
    assert row["collected_at"] == row["last_modified"] <= head["LastModified"]


def test_every_value_of_a_document_arrives(warehouse: Warehouse) -> None:
    """Every column is filled from a document that has a value in every field."""
    warehouse.load(document(), documents.key())
    for name in STORED:
        rows = warehouse.query(f"SELECT * FROM {name}")
        empty = {column for column in rows[0] if all(row[column] is None for row in rows)}
        assert empty - {"gone_at"} == set(), name


def test_freshness_tells_age_and_what_fails_since_when(warehouse: Warehouse) -> None:
    def load(day: int, **statuses: str) -> datetime:
        made = document(date(2026, 11, day))
        made["logs"].update({f"{name}_status": status for name, status in statuses.items()})
        warehouse.load(made, documents.key(date(2026, 11, day)))
        return datetime.fromisoformat(made["meta"]["collected_at"])

    whole = load(17)
    load(18, cost="Fail")
    since = load(19, security="Fail")
    last = load(20, security="Fail", health="Skipped")
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["account_id"] == documents.ACCOUNT
    assert row["last_complete_at"] == whole
    assert row["last_document_at"] == last
    failing: dict[str, Any] = row["failing_since"]
    assert {k: datetime.fromisoformat(v) for k, v in failing.items()} == {"security": since}
    load(21, **dict.fromkeys(CATEGORIES, "None") | {"cost": "Pass"})  # as --only cost does
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["last_complete_at"] == whole
    assert row["failing_since"].keys() == {"security"}
    elsewhere = load(22, account="Skipped")  # as older senders say outside the home region
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["last_complete_at"] == elsewhere
    assert row["failing_since"] == {}
    denied = dict.fromkeys(("account", "security", "service_resources"), "Fail")
    load(23, **denied, config="Fail")
    load(24, **denied, config="Skipped")  # it is off now
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["last_complete_at"] == elsewhere
    assert row["failing_since"].keys() == denied.keys()
