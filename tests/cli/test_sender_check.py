"""`sender.py --check`: what may be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from observability.collectors import CATEGORIES
from tests.cli.commands import TIMEOUT, Run, objects
from tests.cloud import Account, EmbeddedCloud
from tests.paths import SENDER


def checked(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], tuple[str, str]]:
    """(readable, reason) of each (category, call) in the table of --check."""
    lines = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    assert lines[0] == ["CATEGORY", "CALL", "READABLE", "REASON"]
    return {(line[0], line[1]): (line[2], "".join(line[3:])) for line in lines[1:]}


def test_check_shows_that_everything_can_be_read(
    run_sender: Run, embedded: EmbeddedCloud, account: Account, environment: dict[str, str]
) -> None:
    done = run_sender("--check", "--log-format", "json", BUCKET="", ANALYTICS_KMS_KEY="")
    assert done.returncode == 0
    accounts = {json.loads(line).get("account") for line in done.stderr.splitlines()}
    assert accounts == {account.id}
    found = checked(done)
    off = {("account", "organizations:DescribeAccount"), ("(upload)", "s3:PutObject")}
    assert {name for name, (readable, _) in found.items() if readable != "yes"} == off
    missing = "not tried: BUCKET (--bucket) and ANALYTICS_KMS_KEY (--kms-key) not set"
    assert found["(upload)", "s3:PutObject"] == ("off", missing)
    by_category = {category for category, _ in found} - {"(upload)"}
    shared_with_cost = {"cost_by_tag", "service"}
    assert by_category == CATEGORIES.keys() - shared_with_cost
    assert objects(embedded, environment["BUCKET"]) == {}


@pytest.mark.parametrize(
    ("service", "operation", "category", "code"),
    [
        ("kms", "ListKeys", "security", 1),
        ("ssm", "GetInventory", "inventory", 1),
        ("health", "DescribeEvents", "health", 0),
    ],
)
def test_check_decides_by_what_is_essential(
    service: str, operation: str, category: str, code: int, run_sender: Run, embedded: EmbeddedCloud
) -> None:
    embedded.switches.deny(service, operation)
    embedded.switches.not_enabled("support")
    done = run_sender("--check")
    assert done.returncode == code
    found = checked(done)
    readable, reason = found[category, f"{service}:{operation}"]
    assert readable == "no"
    assert f"{service}:{operation} denied" in reason
    assert found["support_tickets", "support:DescribeCases"][0] == "off"
    denied = [name for name, held in found.items() if held[0] == "no"]
    assert denied == [(category, f"{service}:{operation}")]


def test_a_reader_that_stops_reading_is_told_in_one_line(environment: dict[str, str]) -> None:
    """As `| head` does."""
    process = subprocess.Popen(
        [sys.executable, str(SENDER), "--dry-run"],
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    story = process.stderr.read()
    assert process.wait(TIMEOUT) == 1
    assert story.splitlines()[-1] == "sender.py: stdout: Broken pipe"
    assert "Traceback" not in story


@pytest.mark.parametrize("flag", ["--list", "--help", "--version"])
def test_results_that_find_no_room_are_told_in_one_line(flag: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, str(SENDER), flag],
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "sender.py: stdout: No space left on device\n"


def test_check_asks_only_what_only_names(run_sender: Run) -> None:
    assert {category for category, _ in checked(run_sender("--check", "--only", "health"))} == {
        "health",
        "(upload)",
    }
    assert {*checked(run_sender("--check", "--only", "service"))} == {
        ("service", "ce:GetCostAndUsage"),
        ("(upload)", "s3:PutObject"),
    }


@pytest.mark.parametrize(
    ("service", "operation"), [("s3", "CreateMultipartUpload"), ("kms", "GenerateDataKey")]
)
def test_check_tries_bucket_and_key_and_leaves_nothing_there(
    service: str,
    operation: str,
    run_sender: Run,
    embedded: EmbeddedCloud,
    environment: dict[str, str],
) -> None:
    done = run_sender("--check")
    assert (done.returncode, checked(done)["(upload)", "s3:PutObject"]) == (0, ("yes", ""))
    bucket = environment["BUCKET"]
    s3 = embedded.client("s3", embedded.analytics.id)
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert objects(embedded, bucket) == {}
    embedded.switches.deny(service, operation)
    done = run_sender("--check")
    assert done.returncode == 1
    readable, reason = checked(done)["(upload)", "s3:PutObject"]
    assert (readable, "denied" in reason) == ("no", True)
