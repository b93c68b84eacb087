"""What comes in place of an answer is a failed call that is made again, never an empty answer.

Bodies as proxies, load balancers and broken connections send them, for one operation of each wire
protocol that is in use, over the real clients of both commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import sender
from observability.aws.bodies import UNREADABLE
from observability.aws.errors import aws_errors, describe_error
from observability.aws.receiver_clients import connect
from observability.aws.session import Aws
from observability.log import Log
from tests.cloud import EmbeddedCloud, Size
from tests.conftest import MakeAccount
from tests.runs import rows, send
from tests.warehouse import Warehouse

HOME = "us-east-1"
ACL = f"arn:aws:wafv2:{HOME}:111122223333:global/webacl/shop/1"

CALLS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "json": ("secretsmanager", "ListSecrets", lambda c: c.list_secrets()["SecretList"]),
    "rest-json": ("resiliencehub", "ListApps", lambda c: c.list_apps()["appSummaries"]),
    "query": (
        "rds", "DescribeDBInstances",
        lambda c: [d["DBInstanceIdentifier"] for d in c.describe_db_instances()["DBInstances"]],
    ),
    "ec2": (
        "ec2", "DescribeSubnets",
        lambda c: [s["SubnetId"] for s in c.describe_subnets()["Subnets"]],
    ),
    "rest-xml": (
        "cloudfront", "ListDistributionsByWebACLId",
        lambda c: c.list_distributions_by_web_acl_id(WebACLId=ACL)["DistributionList"],
    ),
    "s3": ("s3", "ListBuckets", lambda c: [b["Name"] for b in c.list_buckets()["Buckets"]]),
}  # fmt: skip

HTML = {"content-type": "text/html"}
BODIES: dict[str, tuple[bytes, int, dict[str, str]]] = {
    "a page that is XML": (b"<html><body>Please accept the terms of use</body></html>", 200, HTML),
    "a page": (b"<!DOCTYPE html>\n<html><head><title>Guest Wi-Fi<p>Sign in", 200, HTML),
    "a word": (b"OK", 200, {"content-type": "text/plain"}),
    "nothing": (b"", 200, {}),
    "null": (b"null", 200, {"content-type": "application/json"}),
    "a list": (b"[]", 200, {"content-type": "application/json"}),
    "JSON of a proxy": (b'{"blocked": true}', 200, {"content-type": "application/json"}),
    "foreign XML": (b"<?xml version='1.0'?><policy><deny/></policy>", 200, {}),
    "what is no text": (b"\x1f\x8b\x08\x00\xff\xfe", 200, {}),
    "the beginning of JSON": (b'{"SecretList": [], "appSummaries": []', 200, {}),
    "whole JSON, and less than was promised": (b"{}", 200, {"content-length": "900"}),
    "chunks without an end": (b"5\r\n{}   \r\n", 200, {"transfer-encoding": "chunked"}),
    "busy": (b"no healthy upstream", 503, {"content-type": "text/plain"}),
    "a gateway's page": (b"<!DOCTYPE html><p>502 Bad Gateway</p>", 502, HTML),
    "a refusal of a proxy": (b"<html><h1>403 Forbidden</h1></html>", 403, HTML),
    "a way elsewhere": (b"<a href='https://portal.example'>Moved</a>", 302, HTML),
}


@pytest.fixture
def aws(embedded: EmbeddedCloud, make_account: MakeAccount, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The sender's access to an account."""
    for name, value in embedded.environment(make_account(Size.small()).id).items():
        monkeypatch.setenv(name, value)
    aws = Aws(HOME, Log(), time.monotonic() + 60)
    aws.identify()
    return aws


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("protocol", CALLS)
def test_a_call_that_got_no_answer_is_made_again(
    protocol: str, body: str, embedded: EmbeddedCloud, aws: Aws
) -> None:
    service, operation, call = CALLS[protocol]
    client = aws.client(service, HOME)
    expected = call(client)
    content, status, headers = BODIES[body]
    embedded.switches.answer_raw(service, operation, content, status, headers, times=1)
    assert call(client) == expected


@pytest.mark.parametrize("body", ["a page that is XML", "null", "busy", "a refusal of a proxy"])
@pytest.mark.parametrize("protocol", CALLS)
def test_what_stays_is_an_error_in_one_line_that_shows_the_body(
    protocol: str, body: str, embedded: EmbeddedCloud, aws: Aws
) -> None:
    service, operation, call = CALLS[protocol]
    content, status, headers = BODIES[body]
    embedded.switches.answer_raw(service, operation, content, status, headers)
    with pytest.raises(aws_errors()) as caught:
        call(aws.client(service, HOME))
    told = describe_error(caught.value)
    assert f"{service}:{operation} failed, {UNREADABLE}" in told
    assert str(status) in told
    assert content.decode() in told
    assert "\n" not in told
    tries = [c for c in embedded.calls if (c.service, c.operation) == (service, operation)]
    assert len(tries) == 3


def test_an_empty_object_is_an_answer(embedded: EmbeddedCloud, aws: Aws) -> None:
    embedded.switches.answer_raw("secretsmanager", "ListSecrets", b"{}")
    assert "SecretList" not in aws.client("secretsmanager", HOME).list_secrets()


def test_an_answer_without_anything_known_is_aws_s_by_its_request_id(
    embedded: EmbeddedCloud, aws: Aws
) -> None:
    new = {"x-amzn-requestid": "6f1e", "content-type": "application/x-amz-json-1.1"}
    embedded.switches.answer_raw("secretsmanager", "ListSecrets", b'{"New": 1}', 200, new)
    assert "SecretList" not in aws.client("secretsmanager", HOME).list_secrets()


def test_values_of_another_type_than_modelled_are_no_traceback(
    embedded: EmbeddedCloud, aws: Aws
) -> None:
    embedded.switches.answer_raw("secretsmanager", "ListSecrets", b'{"SecretList": {"a": 1}}')
    with pytest.raises(ClientError, match="not as AWS's model says"):
        aws.client("secretsmanager", HOME).list_secrets()


def test_answers_without_a_body_are_answers(
    embedded: EmbeddedCloud, aws: Aws, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in embedded.environment(embedded.analytics.id).items():
        monkeypatch.setenv(name, value)
    client = Aws(HOME, Log(), time.monotonic() + 60).client("s3", HOME)
    client.put_object(Bucket=bucket, Key="data/x", Body=b"{}")
    assert client.head_object(Bucket=bucket, Key="data/x")["ContentLength"] == 2
    client.delete_object(Bucket=bucket, Key="data/x")


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("s3", "ListObjectsV2", lambda c, s: c.list_objects_v2(Bucket=s.bucket).get("Contents")),
        (
            "rds-data", "ExecuteStatement",
            lambda c, s: c.execute_statement(
                resourceArn=s.cluster_arn, secretArn=s.secret_arn, database=s.database,
                sql="SELECT 1 AS one",
            )["records"],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", ["a page", "nothing", "busy", "JSON of a proxy"])
def test_the_receiver_takes_no_page_for_an_answer_either(
    service: str,
    operation: str,
    call: Callable[[Any, Any], Any],
    body: str,
    embedded: EmbeddedCloud,
    warehouse: Warehouse,
) -> None:
    settings = warehouse.receiver.settings
    client = connect(service, settings, 3)
    expected = call(client, settings)
    content, status, headers = BODIES[body]
    embedded.switches.answer_raw(service, operation, content, status, headers, times=1)
    assert call(client, settings) == expected


@pytest.mark.parametrize("body", ["a page", "what is no text", "a refusal of a proxy"])
def test_the_first_call_of_a_run_ends_in_one_line(
    body: str,
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in embedded.environment(make_account(Size.small()).id).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BUCKET", "")
    content, status, headers = BODIES[body]
    embedded.switches.answer_raw("sts", "*", content, status, headers)
    assert sender.main(["--dry-run"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "ERROR" in line] == told
    assert len(told) == 1
    assert UNREADABLE in told[0]


def test_check_shows_its_table_where_everything_is_a_page(
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in embedded.environment(make_account(Size.small()).id).items():
        monkeypatch.setenv(name, value)
    for service in ("ec2", "kms", "rds"):
        embedded.switches.answer_raw(service, "*", b"<html>Please sign in</html>", 200, HTML)
    assert sender.main(["--check", "--only", "security,service_resources"]) == 1
    out = capsys.readouterr().out.splitlines()
    refused = {line.split()[1] for line in out if "Please sign in" in line}
    assert {"kms:ListKeys", "ec2:DescribeSubnets", "rds:DescribeDBInstances"} <= refused


def test_a_page_in_place_of_a_listing_fails_its_part_and_no_other(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    content, status, headers = BODIES["a page that is XML"]
    embedded.switches.answer_raw("ec2", "DescribeVolumes", content, status, headers)
    sent = send(environment, tmp_path, "--only", "service_resources")
    kinds = {row["resource_type"] for row in rows(sent.document, "service_resources")}
    assert "Volume" not in kinds
    assert "Subnet" in kinds
    assert (sent.code, sent.statuses["service_resources"]) == (1, "Fail")
    assert any("terms of use" in text for text in sent.said("FAIL"))
