"""sender.py as a command: streams, exit codes, objects in S3."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from observability.collectors import CATEGORIES
from observability.sending.bucket import SENDER as UPLOADED_BY
from tests.cli.commands import LINE, Run, document_at, objects, yesterday
from tests.cloud import Account, EmbeddedCloud
from tests.conftest import REGIONS
from tests.paths import SENDER
from tests.runs import statuses

HOME = REGIONS[0]


# A run


def test_a_run_says_where_its_document_is_and_tells_its_story_on_stderr(
    run_sender: Run, embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    done = run_sender("--only", "health,account")
    assert done.returncode == 0
    key = f"data/{account.id}/{HOME}/{yesterday()}_DAILY.json"
    place, summary = done.stdout.splitlines()
    found = objects(embedded, environment["BUCKET"])
    assert place == f"s3://{environment['BUCKET']}/{key} {found[key]['ContentLength']} bytes"
    assert summary.startswith("2 Pass, 0 Fail, 0 Skipped;")
    assert all(LINE.fullmatch(line) for line in done.stderr.splitlines())
    assert {line.split()[1] for line in done.stderr.splitlines()} == {"INFO", "SUCCESS", "TIMING"}
    document = document_at(embedded, environment["BUCKET"], key)
    passed = {name for name, status in statuses(document).items() if status == "Pass"}
    assert passed == {"health", "account", "logs"}
    others = CATEGORIES.keys() - passed
    assert {statuses(document)[name] for name in others} == {"None"}
    said = [text for held in document["logs"]["message"] for text in held.values()]
    for told in (*said, *done.stderr.splitlines()):
        assert not re.search(rf"\b({'|'.join(others)})\b", told)
    assert found.keys() == {key}


def test_a_document_is_encrypted_with_the_key_that_was_asked_for(
    run_sender: Run, embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    kms = embedded.moto.client("kms", embedded.analytics.id, HOME)
    other = kms.create_key(Description="Another key")["KeyMetadata"]["Arn"]
    bucket = embedded.create_bucket()
    assert run_sender("--only", "health").returncode == 0
    assert run_sender("--only", "health", "--kms-key", other, "--bucket", bucket).returncode == 0
    [by_variable] = objects(embedded, environment["BUCKET"]).values()
    [by_flag] = objects(embedded, bucket).values()
    assert by_variable["ServerSideEncryption"] == by_flag["ServerSideEncryption"] == "aws:kms"
    assert by_variable["SSEKMSKeyId"] == environment["ANALYTICS_KMS_KEY"]
    assert by_flag["SSEKMSKeyId"] == other
    assert by_flag["ContentType"] == "application/json"


def test_a_run_that_fails_in_part_ships_what_it_has_and_exits_1(
    run_sender: Run, embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    embedded.switches.deny("kms", "ListKeys")
    embedded.switches.deny("health", "DescribeEvents")
    done = run_sender("--only", "health,security,application")
    assert done.returncode == 1
    kinds = {line.split()[1]: line for line in done.stderr.splitlines()}
    assert "kms:ListKeys denied" in kinds["ERROR"]
    assert "health:DescribeEvents denied" in kinds["FAIL"]
    [key] = objects(embedded, environment["BUCKET"])
    found = statuses(document_at(embedded, environment["BUCKET"], key))
    assert (found["health"], found["security"], found["application"]) == ("Fail", "Fail", "Pass")
    assert done.stdout.splitlines()[-1].startswith("1 Pass, 2 Fail, 0 Skipped;")


def test_a_dry_run_writes_the_document_to_stdout_and_needs_no_bucket(
    run_sender: Run, embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    done = run_sender("--dry-run", "--only", "health", BUCKET="", ANALYTICS_KMS_KEY="")
    assert done.returncode == 0
    [line] = done.stdout.splitlines()
    document = json.loads(line)
    assert document["meta"]["account_id"] == account.id
    assert len(document["health"]) == len(account.items("health", "events"))
    *story, summary = done.stderr.splitlines()
    assert all(LINE.fullmatch(held) for held in story[:-1])
    assert summary.startswith("1 Pass")
    assert objects(embedded, environment["BUCKET"]) == {}


def test_a_dry_run_may_write_to_a_file(
    run_sender: Run, embedded: EmbeddedCloud, environment: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "document.json"
    flags = (
        "--dry-run",
        "--output",
        str(target),
        "--only",
        "health",
        "--regions",
        ",".join(REGIONS),
    )
    done = run_sender(*flags)
    assert done.returncode == 0
    written, summary = done.stdout.splitlines()
    assert written == str(target)
    assert summary.startswith("1 Pass")
    regions = [json.loads(line)["meta"]["region"] for line in target.read_text().splitlines()]
    assert regions == list(REGIONS)
    assert objects(embedded, environment["BUCKET"]) == {}


def test_past_days_have_a_document_each_and_each_its_own_key(
    run_sender: Run, embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    last = datetime.now(UTC).date() - timedelta(days=3)
    days = [last - timedelta(days=1), last]
    flags = ("--start", str(days[0]), "--end", str(last), "--only", "service,health,config")
    done = run_sender(*flags)
    assert done.returncode == 0
    keys = [f"data/{account.id}/{HOME}/{day}_DAILY.json" for day in days]
    assert sorted(objects(embedded, environment["BUCKET"])) == keys
    assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == [
        f"s3://{environment['BUCKET']}/{key}" for key in keys
    ]
    for key in keys:
        found = statuses(document_at(embedded, environment["BUCKET"], key))
        assert (found["service"], found["health"]) == ("Pass", "Pass")
        assert found["config"] == "Skipped"


def test_a_backfill_leaves_a_document_alone_that_waits_to_be_loaded(
    run_sender: Run, embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    day = str(datetime.now(UTC).date() - timedelta(days=3))
    key = f"data/{account.id}/{HOME}/{day}_DAILY.json"
    s3 = embedded.client("s3", embedded.analytics.id)
    ours = {"Body": b'{"complete": true}', "Metadata": {UPLOADED_BY: "1.1"}}
    s3.put_object(Bucket=environment["BUCKET"], Key=key, **ours)
    done = run_sender("--start", day, "--end", day, "--only", "health")
    assert done.returncode == 1
    assert key in done.stderr
    assert "waits to be loaded" in done.stderr
    assert document_at(embedded, environment["BUCKET"], key) == {"complete": True}


# The story for machines


def test_every_line_of_a_json_log_is_an_object_and_every_call_is_there(
    run_sender: Run, embedded: EmbeddedCloud, account: Account
) -> None:
    embedded.switches.deny("health", "DescribeEvents")
    done = run_sender("--only", "health,trusted_advisor", "--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "kind", "message"} <= line.keys() for line in lines)
    assert {line.get("account") for line in lines} == {account.id}
    failures = {"FAIL", "ERROR"}
    assert all((line["level"] == "ERROR") is (line["kind"] in failures) for line in lines)
    calls = [line for line in lines if line["kind"] == "CALL"]
    made = [held for held in embedded.calls if held.account == account.id]
    assert sorted(line["operation"] for line in calls) == sorted(
        f"{held.service}:{held.operation}" for held in made
    )
    outcomes = {line["operation"]: line["outcome"] for line in calls}
    assert outcomes["health:DescribeEvents"] == "AccessDeniedException"
    assert outcomes["support:DescribeTrustedAdvisorChecks"] == "ok"
    assert all(line["seconds"] > 0 and line["attempts"] == 1 for line in calls)
    told = {line["category"]: line["status"] for line in lines if "category" in line}
    assert (told["health"], told["trusted_advisor"]) == ("Fail", "Pass")


def test_calls_are_told_to_those_who_ask(run_sender: Run) -> None:
    told = "health:DescribeEvents us-east-1"
    assert any(
        line.split()[1] == "CALL" and told in line
        for line in run_sender("--only", "health", "-v").stderr.splitlines()
    )
    assert told not in run_sender("--only", "health").stderr


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_quiet_run_tells_failures_only(
    run_sender: Run, embedded: EmbeddedCloud, form: str
) -> None:
    flags = ("--only", "health,application", "-q", "--log-format", form)
    well = run_sender(*flags)
    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.startswith("s3://")
    embedded.switches.deny("health", "DescribeEvents")
    ill = run_sender(*flags)
    assert "health:DescribeEvents denied" in ill.stderr
    assert all(re.search(r"\b(FAIL|ERROR)\b", line) for line in ill.stderr.splitlines())


def test_a_quiet_dry_run_writes_its_document_only(run_sender: Run) -> None:
    done = run_sender("--only", "health", "--dry-run", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["logs"]["health_status"] == "Pass"


HARM = "no\n2026-01-01T00:00:00.000+00:00 SUCCESS forged\r\x1b[2J\x9b31m\u2028\u202e"


def test_what_aws_says_can_neither_forge_lines_nor_steer_the_terminal(
    run_sender: Run, embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    embedded.switches.fail("health", "DescribeEvents", "ValidationException", HARM)
    done = run_sender("--only", "health")
    assert done.returncode == 1
    assert all(LINE.fullmatch(line) for line in done.stderr.split("\n")[:-1])
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", done.stderr)
    assert not [line for line in done.stderr.splitlines() if "SUCCESS forged" in line[:60]]
    [key] = objects(embedded, environment["BUCKET"])
    document = document_at(embedded, environment["BUCKET"], key)
    texts = [text for held in document["logs"]["message"] for text in held.values()]
    assert any("\\u000a2026" in text for text in texts)
    assert not any("\n" in text or "\x1b" in text for text in texts)


def test_a_terminal_shows_progress_and_stdout_stays_clean(environment: dict[str, str]) -> None:
    outside, inside = pty.openpty()
    flags = ("--only", "health,application")
    with subprocess.Popen(
        [sys.executable, str(SENDER), *flags],
        env=os.environ | environment | {"TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=inside,
        text=True,
    ) as process:
        os.close(inside)
        shown = read_to_end(outside)
        assert process.stdout
        out = process.stdout.read()
    assert process.returncode == 0
    assert out.startswith("s3://")
    assert "\x1b" not in out
    for word in ("category", "state", "rows", "calls", "seconds", "health", "application", HOME):
        assert word in shown


def read_to_end(terminal: int) -> str:
    """What was written to a terminal until its other end was closed."""
    parts = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(terminal)
    return b"".join(parts).decode(errors="replace")
