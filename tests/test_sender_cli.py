"""The command line of sender.py, run as a command: streams, exit codes, flags, objects in S3."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import sender
from observability.collectors import CATEGORIES
from observability.log import log_event, log_to
from observability.settings.sender import DECLARED, arguments, read_settings
from tests.cloud import Account, EmbeddedCloud, Size, generate
from tests.conftest import REGIONS
from tests.sending import Document, statuses

SENDER = Path(sender.__file__)
HOME = REGIONS[0]
TIMEOUT = 120
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 (SUCCESS|FAIL|ERROR|INFO|TIMING|CALL) .+"
)
"""A line of the story: when, what kind, what."""

Patch = pytest.MonkeyPatch
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def command(
    *flags: str, environment: Mapping[str, str] | None = None, python: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run sender.py to its end."""
    return subprocess.run(
        [sys.executable, *python, str(SENDER), *flags],
        env=os.environ | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.fixture(scope="module")
def account(running_cloud: EmbeddedCloud) -> Account:
    """A small account that tests only read."""
    today = datetime.now(UTC).date()
    return running_cloud.add(generate("288888888804", Size.small(), 7, today, REGIONS))


@pytest.fixture
def environment(embedded: EmbeddedCloud, account: Account, bucket: str) -> dict[str, str]:
    """The account's environment, with a bucket of its own."""
    return embedded.environment(account.id) | {"BUCKET": bucket}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs the command in the account's environment: `run("--check", BUCKET="")`."""
    return lambda *flags, **more: command(*flags, environment=environment | more)


def yesterday() -> str:
    """The last complete day."""
    return str(datetime.now(UTC).date() - timedelta(days=1))


def objects(embedded: EmbeddedCloud, bucket: str) -> dict[str, dict[str, Any]]:
    """What is in a bucket: each object's key and head."""
    s3 = embedded.client("s3", embedded.analytics.id)
    keys = [held["Key"] for held in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    return {key: s3.head_object(Bucket=bucket, Key=key) for key in keys}


def document_at(embedded: EmbeddedCloud, bucket: str, key: str) -> Document:
    """A document in a bucket."""
    s3 = embedded.client("s3", embedded.analytics.id)
    found: Document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return found


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


COMPLETE = {"REGION": HOME, "BUCKET": "b", "ANALYTICS_KMS_KEY": "alias/k"}


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


MEANT = [
    ("ACCOUNTS", "--accounts", ()),
    ("REGIONS", "--regions", ()),
    ("INCLUDE_OU", "--include-ou", ("--organization",)),
    ("EXCLUDE_OU", "--exclude-ou", ("--organization",)),
    ("EXCLUDE_ACCOUNTS", "--exclude-accounts", ("--organization",)),
]
"""Variable and flag of each list that says what is read, and what it goes with."""


def refusal(flags: Sequence[str], environment: Mapping[str, str], monkeypatch: Patch) -> str:
    """Why the sender refuses these settings before it asks AWS anything."""
    for name, value in {**COMPLETE, **environment}.items():
        monkeypatch.setenv(name, value)
    story = io.StringIO()
    with contextlib.redirect_stderr(story):
        assert sender.main(flags) == 2
    [line] = story.getvalue().splitlines()
    return line


@pytest.mark.parametrize("nothing", [",", " , ,", "  "])
@pytest.mark.parametrize(("variable", "flag", "others"), MEANT)
def test_a_list_that_names_nothing_is_no_list_of_everything(
    variable: str, flag: str, others: tuple[str, ...], nothing: str, monkeypatch: Patch
) -> None:
    told = "is empty: name something or leave it out"
    assert refusal((*others, flag, nothing), {}, monkeypatch) == f"sender.py: {flag} {told}"
    assert refusal((*others, flag, "x", flag, ""), {}, monkeypatch) == f"sender.py: {flag} {told}"
    assert refusal(others, {variable: nothing}, monkeypatch) == f"sender.py: {variable} {told}"
    monkeypatch.delenv(variable)
    assert "--only is empty" in refusal(("--only", nothing), {}, monkeypatch)


KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
KMS = "arn:aws-us-gov:kms:us-gov-west-1:111122223333"


@pytest.mark.parametrize(
    "key", [KEY, f"mrk-{KEY.replace('-', '')}", "alias/team/a_b-1", f"{KMS}:key/{KEY}",
            f"{KMS}:alias/documents"],
)  # fmt: skip
def test_a_key_may_be_named_in_each_way_that_s3_knows(key: str, monkeypatch: Patch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    assert read_settings({"kms_key": key}, CATEGORIES).kms_key == key


@pytest.mark.parametrize(
    ("variable", "flag", "wrong", "told"),
    [
        *(
            ("ANALYTICS_KMS_KEY", "--kms-key", wrong, "a KMS key's id, alias/ and its alias, or")
            for wrong in ("nosuch", KEY[:-1], f"{KMS}:key/nosuch", f"{KMS}:{KEY}",
                          "arn:aws:s3:::bucket", f"{KEY}\n", "alias/", "alias/á")
        ),
        *(
            ("ROLE_NAME", "--role-name", wrong, "the role's name (with its path, if it has one), ")
            for wrong in ("arn:aws:iam::111122223333:role/Reader", "team/", "te am/Reader",
                          "a" * 65, "team//Reader", "Le\u00fcser")
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_a_key_or_a_role_is_told_before_anything_is_read(
    variable: str, flag: str, wrong: str, told: str, monkeypatch: Patch
) -> None:
    line = f"sender.py: {variable} ({flag}): {wrong!r} cannot be one; give {told}"
    assert refusal(("--organization", flag, wrong), {}, monkeypatch).startswith(line)
    assert refusal(("--organization",), {variable: wrong}, monkeypatch).startswith(line)


@pytest.mark.parametrize(("variable", "flag"), [held[:2] for held in MEANT[2:4]])
def test_units_are_of_an_organization(variable: str, flag: str, monkeypatch: Patch) -> None:
    told = f"sender.py: {variable} ({flag}) is for ORGANIZATION (--organization) only"
    assert refusal((flag, "ou-abcd-11111111"), {}, monkeypatch) == told
    assert refusal((), {variable: "ou-abcd-11111111"}, monkeypatch) == told


def test_a_flag_that_is_given_again_adds_to_what_it_names(monkeypatch: Patch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    flags = ["--organization"]
    for flag, first, second in (
        ("--regions", HOME, "eu-west-1"),
        ("--include-ou", "ou-abcd-11111111", "ou-abcd-22222222,ou-abcd-33333333"),
        ("--exclude-ou", "ou-abcd-44444444", "ou-abcd-55555555"),
        ("--exclude-accounts", "111122223333", "222233334444"),
        ("--only", "cost", "health"),
        ("--product", "Web", "Tills"),
    ):
        flags += [flag, first, flag, second]
    settings = read_settings(vars(arguments().parse_args(flags)), CATEGORIES)
    assert settings.regions == (HOME, "eu-west-1")
    assert settings.include_ou == ("ou-abcd-11111111", "ou-abcd-22222222", "ou-abcd-33333333")
    assert settings.exclude_ou == ("ou-abcd-44444444", "ou-abcd-55555555")
    assert settings.exclude_accounts == ("111122223333", "222233334444")
    assert settings.only == {"cost", "health"}
    assert settings.product == "Web,Tills"
    named = arguments().parse_args(["--accounts", "1" * 12, "--accounts", "2" * 12])
    found = read_settings(vars(named), CATEGORIES).accounts
    assert [target.account for target in found] == ["1" * 12, "2" * 12]


DAY = "2026-01-31"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--check", "--resume"), "--resume is not for --check, which"),
        (("--check", "--start", DAY), "--start is not for --check, which"),
        (("--check", "--full"), "--full is not for --check, which"),
        (("--check", "--organization", "--only", "cost"), "--only is not for --check of several "),
        (("--check", "--accounts", "1" * 12, "--only", "cost"), "--only is not for --check of sev"),
        (("--start", DAY, "--full"), "--full is not for --start, which"),
        (("--start", DAY, "--lookback", "3"), "--lookback is not for --start, which"),
        (("--start", DAY, "--catch-up", "9"), "--catch-up is not for --start, which"),
        (("--dry-run", "--output", "/"), "--output /: that is a folder"),
        (("--dry-run", "--output", "/nosuch/x"), "--output /nosuch/x: there is no such folder"),
    ],
)
def test_a_flag_that_would_have_no_effect_is_refused(
    flags: tuple[str, ...], told: str, monkeypatch: Patch
) -> None:
    assert refusal(flags, {}, monkeypatch).startswith(f"sender.py: {told}")


def test_without_boto3_it_says_what_to_install() -> None:
    for flag in ("--check", "--dry-run"):
        done = command(flag, environment=COMPLETE, python=("-I", "-S"))
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert line == "sender.py: boto3 is missing: pip install -r requirements.txt"


@pytest.mark.parametrize("variable", ["ORGANIZATION", "RESERVED_CAPACITY"])
def test_what_is_on_or_off_is_nothing_else(variable: str, monkeypatch: Patch) -> None:
    setting = variable.lower()
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    for texts, state in ((("1", "True", "YES", "on"), True), (("", "0", "false", "NO"), False)):
        for text in texts:
            monkeypatch.setenv(variable, text)
            assert getattr(read_settings({}, CATEGORIES), setting) is state
    for wrong in ("maybe", "o-abcdefghij", "2", "none"):
        flag = f"--{setting.replace('_', '-')}"
        told = f"sender.py: {variable} ({flag}): {wrong!r} is neither on (1, true, yes, on) nor off"
        assert refusal((), {variable: wrong}, monkeypatch).startswith(told)


# A run


def test_a_run_says_where_its_document_is_and_tells_its_story_on_stderr(
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    done = run("--only", "health,account")
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
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    kms = embedded.moto.client("kms", embedded.analytics.id, HOME)
    other = kms.create_key(Description="Another key")["KeyMetadata"]["Arn"]
    bucket = embedded.create_bucket()
    assert run("--only", "health").returncode == 0
    assert run("--only", "health", "--kms-key", other, "--bucket", bucket).returncode == 0
    [by_variable] = objects(embedded, environment["BUCKET"]).values()
    [by_flag] = objects(embedded, bucket).values()
    assert by_variable["ServerSideEncryption"] == by_flag["ServerSideEncryption"] == "aws:kms"
    assert by_variable["SSEKMSKeyId"] == environment["ANALYTICS_KMS_KEY"]
    assert by_flag["SSEKMSKeyId"] == other
    assert by_flag["ContentType"] == "application/json"


def test_a_run_that_fails_in_part_ships_what_it_has_and_exits_1(
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    embedded.switches.deny("kms", "ListKeys")
    embedded.switches.deny("health", "DescribeEvents")
    done = run("--only", "health,security,application")
    assert done.returncode == 1
    kinds = {line.split()[1]: line for line in done.stderr.splitlines()}
    assert "kms:ListKeys denied" in kinds["ERROR"]
    assert "health:DescribeEvents denied" in kinds["FAIL"]
    [key] = objects(embedded, environment["BUCKET"])
    found = statuses(document_at(embedded, environment["BUCKET"], key))
    assert (found["health"], found["security"], found["application"]) == ("Fail", "Fail", "Pass")
    assert done.stdout.splitlines()[-1].startswith("1 Pass, 2 Fail, 0 Skipped;")


def test_a_dry_run_writes_the_document_to_stdout_and_needs_no_bucket(
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    done = run("--dry-run", "--only", "health", BUCKET="", ANALYTICS_KMS_KEY="")
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
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str], tmp_path: Path
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
    done = run(*flags)
    assert done.returncode == 0
    written, summary = done.stdout.splitlines()
    assert written == str(target)
    assert summary.startswith("1 Pass")
    regions = [json.loads(line)["meta"]["region"] for line in target.read_text().splitlines()]
    assert regions == list(REGIONS)
    assert objects(embedded, environment["BUCKET"]) == {}


def test_past_days_have_a_document_each_and_each_its_own_key(
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    last = datetime.now(UTC).date() - timedelta(days=3)
    days = [last - timedelta(days=1), last]
    flags = ("--start", str(days[0]), "--end", str(last), "--only", "service,health,config")
    done = run(*flags)
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
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    day = str(datetime.now(UTC).date() - timedelta(days=3))
    key = f"data/{account.id}/{HOME}/{day}_DAILY.json"
    s3 = embedded.client("s3", embedded.analytics.id)
    s3.put_object(Bucket=environment["BUCKET"], Key=key, Body=b'{"complete": true}')
    done = run("--start", day, "--end", day, "--only", "health")
    assert done.returncode == 1
    assert key in done.stderr
    assert "waits to be loaded" in done.stderr
    assert document_at(embedded, environment["BUCKET"], key) == {"complete": True}


# The story for machines


def test_every_line_of_a_json_log_is_an_object_and_every_call_is_there(
    run: Run, embedded: EmbeddedCloud, account: Account
) -> None:
    embedded.switches.deny("health", "DescribeEvents")
    done = run("--only", "health,trusted_advisor", "--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "kind", "message"} <= line.keys() for line in lines)
    assert {line.get("account") for line in lines if line["kind"] != "TIMING"} == {account.id}
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


def test_calls_are_told_to_those_who_ask(run: Run) -> None:
    told = "health:DescribeEvents us-east-1"
    assert any(
        line.split()[1] == "CALL" and told in line
        for line in run("--only", "health", "-v").stderr.splitlines()
    )
    assert told not in run("--only", "health").stderr


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_quiet_run_tells_failures_only(run: Run, embedded: EmbeddedCloud, form: str) -> None:
    flags = ("--only", "health,application", "-q", "--log-format", form)
    well = run(*flags)
    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.startswith("s3://")
    embedded.switches.deny("health", "DescribeEvents")
    [line] = run(*flags).stderr.splitlines()
    assert "health:DescribeEvents denied" in line


HARM = "no\n2026-01-01T00:00:00.000+00:00 SUCCESS forged\r\x1b[2J\x9b31m\u2028\u202e"


def test_what_aws_says_can_neither_forge_lines_nor_steer_the_terminal(
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    embedded.switches.fail("health", "DescribeEvents", "ValidationException", HARM)
    done = run("--only", "health")
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


# What may be read


def checked(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], tuple[str, str]]:
    """(readable, reason) of each (category, call) in the table of --check."""
    lines = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    assert lines[0] == ["CATEGORY", "CALL", "READABLE", "REASON"]
    return {(line[0], line[1]): (line[2], "".join(line[3:])) for line in lines[1:]}


def test_check_shows_that_everything_can_be_read(
    run: Run, embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    done = run("--check", BUCKET="", ANALYTICS_KMS_KEY="")
    assert done.returncode == 0
    found = checked(done)
    off = {("account", "organizations:DescribeAccount")}
    assert {name for name, (readable, _) in found.items() if readable != "yes"} == off
    by_category = {category for category, _ in found}
    shared_with_cost = {"service"}
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
    service: str, operation: str, category: str, code: int, run: Run, embedded: EmbeddedCloud
) -> None:
    embedded.switches.deny(service, operation)
    embedded.switches.not_enabled("support")
    done = run("--check")
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


def test_check_asks_only_what_only_names(run: Run) -> None:
    assert {category for category, _ in checked(run("--check", "--only", "health"))} == {"health"}
    assert {*checked(run("--check", "--only", "service"))} == {("service", "ce:GetCostAndUsage")}


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("BUCKET", "nosuch", "BUCKET (--bucket): there is no bucket 'nosuch'"),
        ("BUCKET", "s3://mine", "BUCKET (--bucket): there is no bucket 's3://mine'"),
        ("AWS_PROFILE", "nosuch", "The config profile (nosuch) could not be found"),
    ],
)
def test_a_setting_that_aws_knows_to_be_wrong_is_exit_2_before_anything_is_read(
    variable: str, value: str, told: str, run: Run, embedded: EmbeddedCloud
) -> None:
    embedded.calls.clear()
    done = run(**{variable: value})
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert {call.service for call in embedded.calls} <= {"sts", "s3"}


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\u2028", "\u202e", "\x85"])
def test_what_aws_says_cannot_forge_a_line_of_the_log(character: str) -> None:
    story = io.StringIO()
    forged = f"ok{character}{datetime.now(UTC).isoformat()} SUCCESS all is well"
    log_to(story)
    log_event("FAIL", forged)
    assert len(story.getvalue().splitlines()) == 1
    assert character not in story.getvalue()[:-1]
