"""receiver.py as a command: what it says of its settings."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta

import pytest

from observability.settings.receiver import SETTINGS
from tests import documents
from tests.cli.commands import CLUSTER, KMS, KMS_KEY, SECRET, Run
from tests.cloud import EmbeddedCloud
from tests.documents import document
from tests.faults import keys, put, receive
from tests.paths import RECEIVER
from tests.warehouse import Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
KEY = documents.key(NEXT)


@pytest.mark.parametrize("name", ["BUCKET", "AURORA_CLUSTER_ARN", "AURORA_SECRET_ARN", "DB_NAME"])
def test_a_missing_setting_is_one_line_with_its_variable_and_flag(
    run_receiver: Run, name: str
) -> None:
    done = run_receiver(**{name: None})
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    [flag] = (setting.flag for setting in SETTINGS if setting.variable == name)
    assert line == f"receiver.py: {name} is not set: set it in the environment or give {flag}"


def test_all_that_is_missing_or_malformed_is_told_at_once(run_receiver: Run) -> None:
    done = run_receiver("--workers", "0", BUCKET=None, DB_NAME="", AURORA_CLUSTER_ARN="nope")
    assert (done.returncode, done.stdout) == (2, "")
    told = [line.removeprefix("receiver.py: ").split()[0] for line in done.stderr.splitlines()]
    assert sorted(told) == ["--workers:", "AURORA_CLUSTER_ARN", "BUCKET", "DB_NAME"]


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
    run_receiver: Run, embedded: EmbeddedCloud, variable: str, flag: str, value: str
) -> None:
    embedded.forget_calls()
    for done in (run_receiver(**{variable: value}), run_receiver(flag, value)):
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert line.startswith(f"receiver.py: {variable} ({flag}): {value!r} is no ARN of a ")
    assert not embedded.calls


@pytest.mark.parametrize("key", ["nosuch", f"{KMS}:key/nosuch", f"{KMS}:{KMS_KEY}", f"{KMS_KEY}\r"])
def test_what_can_be_no_key_is_told_before_any_call(
    run_receiver: Run, embedded: EmbeddedCloud, key: str
) -> None:
    embedded.forget_calls()
    for done in (run_receiver(ANALYTICS_KMS_KEY=key), run_receiver("--kms-key", key)):
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        told = f"ANALYTICS_KMS_KEY (--kms-key): {key!r} cannot be one; give a KMS key's id, "
        assert line.startswith(f"receiver.py: {told}")
    assert not embedded.calls


def test_without_any_region_the_setting_is_named(run_receiver: Run) -> None:
    nowhere = dict.fromkeys(("REGION", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"))
    for flag in ("--check", "--dry-run"):
        done = run_receiver(flag, **nowhere, AWS_CONFIG_FILE=os.devnull)
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert line == "receiver.py: REGION is not set: set it in the environment or give --region"
    assert run_receiver(**nowhere | {"AWS_DEFAULT_REGION": "us-east-1"}).returncode == 0


@pytest.mark.parametrize("flag", ["--check", "--dry-run", "--init-schema"])
def test_without_boto3_it_says_what_to_install(
    receiver_environment: dict[str, str], flag: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(RECEIVER), flag],
        env=receiver_environment,
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
def test_a_number_is_within_its_bounds(run_receiver: Run, flag: str, value: str, kind: str) -> None:
    done = run_receiver(flag, value)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"receiver.py: {flag}: {value!r} is not a {kind}\n"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "REGION"])
def test_a_place_that_can_be_none_is_one_line(run_receiver: Run, name: str) -> None:
    done = run_receiver(**{name: "no where"})
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert name in line


@pytest.mark.parametrize("name", ["s3://mine", "my bucket", "mine/data", "no-such-bucket"])
def test_a_bucket_that_is_none_is_one_line(run_receiver: Run, name: str) -> None:
    told = f"BUCKET (--bucket): there is no bucket {name!r}"
    for done in (run_receiver(BUCKET=name), run_receiver("--retry-rejected", "--bucket", name)):
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"receiver.py: {told}\n"
    checked = run_receiver("--check", BUCKET=name)
    assert checked.returncode == 1
    assert f"FAILED  S3: list data/: {told}\n" in checked.stdout


def test_a_flag_wins_over_the_environment(run_receiver: Run, bucket: str) -> None:
    assert run_receiver("--bucket", bucket, BUCKET="no-such-bucket").returncode == 0


def test_help_needs_no_sdk() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(RECEIVER), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "--init-schema" in done.stdout
    assert "boto" not in done.stderr


def test_wrong_use_is_exit_code_two(run_receiver: Run) -> None:
    assert run_receiver("--no-such-flag").returncode == 2
    assert run_receiver("--check", "--init-schema").returncode == 2
    for flag in ("--init-schema", "--check", "--retry-rejected"):
        assert run_receiver(flag, "--dry-run").returncode == 2


WRONG: dict[str, tuple[dict[str, str | None], str]] = {
    "secret": (
        {"AURORA_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:111122223333:secret:no-Ab1Cd2"},
        "AURORA_SECRET_ARN",
    ),
    "cluster": (
        {"AURORA_CLUSTER_ARN": "arn:aws:rds:us-east-1:111122223333:cluster:none"},
        "AURORA_CLUSTER_ARN",
    ),
    "database": ({"DB_NAME": "nothing"}, "DB_NAME"),
    "bucket": ({"BUCKET": "no-such-bucket-anywhere"}, "BUCKET"),
    "no bucket": ({"BUCKET": None}, "BUCKET"),
    "no credentials": (
        {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
        "credentials",
    ),
    "unknown credentials": ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "token"),
    "no such region": ({"REGION": "mars 1"}, "region"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_are_one_clear_line_and_exit_2(warehouse: Warehouse, name: str) -> None:
    changes, words = WRONG[name]
    put(warehouse, document(NEXT))
    code, lines = receive(warehouse, **changes)
    assert code == 2
    assert len(lines) == 1
    assert words in lines[0]
    assert keys(warehouse, "") == [KEY]


def test_a_denied_database_is_one_clear_line_and_exit_2(warehouse: Warehouse) -> None:
    put(warehouse, document(NEXT))
    warehouse.embedded.switches.deny("rds-data")
    code, lines = receive(warehouse)
    assert (code, len(lines)) == (2, 1)
    assert "not authorized to perform: rds-data:ExecuteStatement" in lines[0]
    assert keys(warehouse, "") == [KEY]


def test_an_endpoint_that_nobody_listens_on_is_exit_1(warehouse: Warehouse) -> None:
    put(warehouse, document(NEXT))
    code, lines = receive(
        warehouse, "--patience", "1", AWS_ENDPOINT_URL_RDS_DATA="http://127.0.0.1:1"
    )
    assert code == 1
    assert " FAIL " in lines[-1]
    assert "no answer from the RDS Data API: " in lines[-1]
    assert "http://127.0.0.1:1/" in lines[-1]
    assert "check REGION, network and VPC endpoint" in lines[-1]
    assert keys(warehouse, "") == [KEY]
