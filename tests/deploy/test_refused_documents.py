"""How refused documents come back under the hub's policies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

import receiver
from tests import documents
from tests.cloud import EmbeddedCloud
from tests.documents import document
from tests.enforcement import RECEIVER, Deployment, client
from tests.lambda_runtime import Context

ROOT = Path(__file__).parents[2]


@pytest.fixture
def refused(embedded: EmbeddedCloud, bucket: str) -> str:
    """The key of a good document that was refused, say by an older receiver."""
    key = documents.key().replace("data/", "rejected/")
    s3 = embedded.moto.client("s3", embedded.analytics.id, "us-east-1")
    s3.put_object(Bucket=bucket, Key=key, Body=documents.encode(document()))
    s3.put_object(Bucket=bucket, Key=f"{key}.reason.txt", Body=b"meta.format is not 1\n")
    return key


def keys(embedded: EmbeddedCloud, bucket: str) -> set[str]:
    s3 = embedded.moto.client("s3", embedded.analytics.id, "us-east-1")
    return {held["Key"] for held in s3.list_objects_v2(Bucket=bucket).get("Contents", ())}


def environment(embedded: EmbeddedCloud, database: str, role: dict[str, str]) -> dict[str, str]:
    return role | {"DB_NAME": database, "ANALYTICS_KMS_KEY": embedded.key_arn}


def test_the_function_puts_them_back_and_loads_them(
    embedded: EmbeddedCloud,
    bucket: str,
    database: str,
    refused: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = Deployment(embedded, bucket)
    role = environment(embedded, database, hub.role(hub.hub, RECEIVER))
    hub.switch_on()
    for name, value in role.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    answer: dict[str, Any] = receiver.lambda_handler({"retry_rejected": True}, Context(900.0))
    assert answer["files"] == 1
    assert keys(embedded, bucket) == {refused.replace("rejected/", "loaded/")}
    assert not [call for call in embedded.calls if call.error == "AccessDenied"]


def test_an_administrator_is_told_what_forbids_it_and_what_to_do(
    embedded: EmbeddedCloud, bucket: str, database: str, refused: str
) -> None:
    hub = Deployment(embedded, bucket)
    administrator = embedded.environment(hub.hub) | {"BUCKET": bucket}
    hub.switch_on()
    done = subprocess.run(
        [sys.executable, str(ROOT / "receiver.py"), "--retry-rejected"],
        env=environment(embedded, database, administrator),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "S3 does not allow" in line
    assert json.dumps({"retry_rejected": True}) in line
    assert refused in keys(embedded, bucket)


def test_the_role_may_put_back_and_not_put_anew_elsewhere(
    embedded: EmbeddedCloud, bucket: str, refused: str
) -> None:
    hub = Deployment(embedded, bucket)
    s3 = client(hub.role(hub.hub, RECEIVER), "s3")
    hub.switch_on()
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.put_object(
            Bucket=bucket,
            Key="elsewhere/x.json",
            Body=b"{}",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=embedded.key_arn,
        )
    assert refused in keys(embedded, bucket)
