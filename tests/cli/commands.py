"""Running a command, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import documents
from tests.cloud import EmbeddedCloud
from tests.conftest import REGIONS
from tests.paths import SENDER
from tests.runs import Document
from tests.warehouse import Warehouse

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


COMPLETE = {"REGION": HOME, "BUCKET": "b", "ANALYTICS_KMS_KEY": "alias/k"}
CLUSTER = "arn:aws:rds:eu-west-1:111122223333:cluster:analytics"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:receiver-AbCdEf"
KMS_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
KMS = "arn:aws-cn:kms:cn-north-1:111122223333"


def yesterday() -> str:
    """The last complete day."""
    return str(datetime.now(UTC).date() - timedelta(days=1))


def nowhere() -> str:
    """An endpoint at which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


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


BAD = documents.key(account="222222222222")


def put(warehouse: Warehouse, key: str, made: Document | bytes) -> None:
    body = made if isinstance(made, bytes) else documents.encode(made)
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body)


def keys(warehouse: Warehouse) -> list[str]:
    return [file.key for file in warehouse.receiver.s3.list_files("")]
