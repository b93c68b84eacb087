"""sender.py as a command: what it says of its settings before it asks AWS anything."""

from __future__ import annotations

import re

import pytest

from observability.collectors import CATEGORIES
from observability.settings.sender import DECLARED
from tests.cli.commands import COMPLETE, Run, command
from tests.cloud import EmbeddedCloud

# Without AWS


def imported(stderr: str) -> set[str]:
    """The packages that Python's own account of its imports names."""
    lines = [line for line in stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("flag", ["--help", "--list", "--version"])
def test_what_needs_no_aws_does_not_load_its_libraries(flag: str) -> None:
    done = command(flag, python=("-X", "importtime"))
    assert done.returncode == 0
    assert done.stdout
    loaded = imported(done.stderr)
    assert "argparse" in loaded
    assert not loaded & {"boto3", "botocore", "rich"}


def test_help_names_every_setting_with_its_variable() -> None:
    done = command("--help")
    assert done.stderr == ""
    for setting in DECLARED:
        assert setting.flag in done.stdout
        assert not setting.variable or f"[{setting.variable}]" in done.stdout
    assert "default: 1800" in done.stdout
    assert {"-v", "-q", "-h"} <= set(re.findall(r"(?<![-\w])-\w", done.stdout))


def test_list_tells_each_category_and_what_it_needs() -> None:
    done = command("--list")
    assert done.stderr == ""
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines.keys() == {"CATEGORY", *CATEGORIES}
    for name, held in CATEGORIES.items():
        assert re.search(rf"\b{held.scope}\b.*\b{held.backfill}\b", lines[name])
        assert all(action in lines[name] for action in held.actions)


@pytest.mark.parametrize(
    ("variable", "flag"),
    [("REGION", "--region"), ("BUCKET", "--bucket"), ("ANALYTICS_KMS_KEY", "--kms-key")],
)
@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_setting_is_named_in_one_line(variable: str, flag: str, empty: bool) -> None:
    given = {name: value for name, value in COMPLETE.items() if name != variable}
    done = command(environment=given | ({variable: ""} if empty else {}))
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert variable in line
    assert flag in line


def test_an_endpoint_that_can_be_none_is_one_line() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    done = command(environment=COMPLETE | keys | {"AWS_ENDPOINT_URL": "localhost:5000"})
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "AWS_ENDPOINT_URL" in line


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--only", "cost,costs"), "costs"),
        (("--start", "2024-02-30"), "2024-02-30"),
        (("--end", "2024-02-29"), "--start"),
        (("--start", "2024-03-01", "--end", "2024-02-29"), "2024-03-01"),
        (("--start", "2999-01-01"), "2999-01-01"),
        (("--output", "file"), "--dry-run"),
        (("--workers", "3"), "--workers"),
        (("--catch-up", "-1"), "--catch-up"),
        (("--lookback", "401"), "--lookback"),
        (("--time-limit", "9" * 5000), "--time-limit"),
        (("--log-format", "xml"), "--log-format"),
        (("--frobnicate",), "--frobnicate"),
        (("--only", ""), "--only"),
        (("--accounts", ""), "--accounts"),
        (("--exclude-accounts", "111122223333"), "--exclude-accounts"),
        (("--external-id", "sesame"), "--external-id"),
        (("--organization", "--external-id", "a"), "--external-id"),
        (("--organization", "--role-name", "a b"), "--role-name"),
        (("--accounts-file", "nothere.csv"), "--accounts-file"),
        (("--dry-run", "--resume"), "--resume"),
        (("--check", "--dry-run"), "--dry-run"),
    ],
)
def test_a_flag_that_makes_no_sense_is_exit_2_and_said(flags: tuple[str, ...], named: str) -> None:
    done = command(*flags, environment=COMPLETE)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("sender.py: ")
    assert named in line


def test_all_that_is_missing_or_malformed_is_told_at_once() -> None:
    done = command("--lookback", "x", "--start", "soon", environment={"AT_ONCE": "few"})
    assert (done.returncode, done.stdout) == (2, "")
    told = [line.removeprefix("sender.py: ").split()[0] for line in done.stderr.splitlines()]
    missing = ["REGION", "BUCKET", "ANALYTICS_KMS_KEY"]
    assert sorted(told) == sorted([*missing, "--lookback:", "--start:", "AT_ONCE"])


def test_without_boto3_it_says_what_to_install() -> None:
    for flag in ("--check", "--dry-run"):
        done = command(flag, environment=COMPLETE, python=("-I", "-S"))
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert line == "sender.py: boto3 is missing: pip install -r requirements.txt"


# What may be read


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("BUCKET", "nosuch", "BUCKET (--bucket): there is no bucket 'nosuch'"),
        ("BUCKET", "s3://mine", "BUCKET (--bucket): there is no bucket 's3://mine'"),
        ("AWS_PROFILE", "nosuch", "The config profile (nosuch) could not be found"),
    ],
)
def test_a_setting_that_aws_knows_to_be_wrong_is_exit_2_before_anything_is_read(
    variable: str, value: str, told: str, run_sender: Run, embedded: EmbeddedCloud
) -> None:
    embedded.forget_calls()
    done = run_sender(**{variable: value})
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert {call.service for call in embedded.calls} <= {"sts", "s3"}


def test_what_ends_a_run_is_2_if_it_must_be_corrected_and_1_if_it_failed(
    run_sender: Run, embedded: EmbeddedCloud
) -> None:
    unknown = run_sender(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")
    embedded.switches.deny("organizations", "ListAccounts", times=1)
    denied = run_sender("--organization")
    embedded.switches.fail("sts", "GetCallerIdentity", "InternalFailure", "oops", 500)
    broken = run_sender()
    for done, code, words in (
        (unknown, 2, "InvalidClientTokenId"),
        (denied, 2, "organizations:ListAccounts denied"),
        (broken, 1, "InternalFailure"),
    ):
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert words in done.stderr.splitlines()[-1]
