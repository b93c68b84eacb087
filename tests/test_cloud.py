"""The embedded cloud's own promises: what tests and demo rest on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size, generate
from tests.cloud.answers import ANSWERS, Call
from tests.cloud.demo import REGIONS as DEMO_REGIONS
from tests.cloud.demo import show
from tests.cloud.demo_organization import BROKEN, PAYER, ROLE, SHOP
from tests.cloud.models import operation_model, paginators
from tests.cloud.organization import Organization
from tests.cloud.switches import NOT_ENABLED, Rule
from tests.conftest import ANALYTICS, REGIONS, Clock, MakeAccount

ROOT = Path(__file__).parents[1]
DEADLINE_SECONDS = 60.0


@pytest.fixture(scope="module")
def shared_account(running_cloud: EmbeddedCloud) -> Account:
    """A small account that tests only read; it pays for an organization of two."""
    today = datetime.now(UTC).date()
    payer = running_cloud.add(generate("299999999999", Size.small(), 3, today, REGIONS))
    member = running_cloud.add(generate("299999999998", Size.empty(), 3, today, REGIONS))
    organization = Organization(payer)
    organization.delegate(organization.join(member), "guardduty.amazonaws.com")
    running_cloud.cloud.organizations.append(organization)
    return payer


def error_of(call: Callable[[], Any]) -> tuple[str, int]:
    """Code and HTTP status of the error that the call must end with."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def wait_for(condition: Callable[[], Any]) -> Any:
    """What the condition returns once it is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)
    return value


# Who calls what


def test_the_access_key_tells_the_account_and_the_signature_the_region(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    one, other = make_account(Size(keys=3)), make_account(Size(keys=2))
    for account, region in ((one, "us-east-1"), (one, "eu-west-1"), (other, "eu-west-1")):
        keys = embedded.client("kms", account.id, region).list_keys()["Keys"]
        expected = {key["KeyId"] for key in account.items("kms", "keys", region)}
        assert expected
        assert {key["KeyId"] for key in keys} == expected
    identity = embedded.client("sts", other.id).get_caller_identity()
    assert identity["Account"] == other.id
    logged = {(call.account, call.region) for call in embedded.calls if call.service == "kms"}
    assert logged == {(one.id, "us-east-1"), (one.id, "eu-west-1"), (other.id, "eu-west-1")}


def test_accounts_are_kept_apart_in_moto_too(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    one, other = make_account(Size.empty()), make_account(Size.empty())
    embedded.client("iam", one.id).create_user(UserName="ann")
    assert embedded.client("iam", one.id).list_users()["Users"][0]["UserName"] == "ann"
    assert embedded.client("iam", other.id).list_users()["Users"] == []


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("kms", "list_keys", "UnrecognizedClientException"),
        ("ec2", "describe_instances", "AuthFailure"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("health", "describe_events", "UnrecognizedClientException"),
    ],
)
def test_an_unknown_access_key_is_refused(
    embedded: EmbeddedCloud, service: Any, operation: str, code: str
) -> None:
    client: Any = boto3.client(
        service,
        endpoint_url=embedded.url,
        region_name="us-east-1",
        aws_access_key_id="AKIAUNKNOWN",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    assert error_of(getattr(client, operation))[0] == code


def test_an_unsigned_request_is_refused(embedded: EmbeddedCloud) -> None:
    with pytest.raises(OSError, match="403"):
        urlopen(Request(f"{embedded.url}/?Action=GetCallerIdentity&Version=2011-06-15"))


def test_a_role_s_session_belongs_to_the_role_s_account_until_it_expires(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    member = make_account(Size.empty())
    sts = embedded.client("sts", ANALYTICS)
    role = f"arn:aws:iam::{member.id}:role/reader"
    answer = sts.assume_role(RoleArn=role, RoleSessionName="run", DurationSeconds=900)
    session = boto3.session.Session(
        aws_access_key_id=answer["Credentials"]["AccessKeyId"],
        aws_secret_access_key=answer["Credentials"]["SecretAccessKey"],
        aws_session_token=answer["Credentials"]["SessionToken"],
        region_name="us-east-1",
    )
    assumed = session.client("sts", endpoint_url=embedded.url)
    identity = assumed.get_caller_identity()
    assert identity["Account"] == member.id
    assert identity["Arn"] == f"arn:aws:sts::{member.id}:assumed-role/reader/run"

    embedded.cloud.now = lambda: datetime.now(UTC) + timedelta(seconds=901)
    try:
        assert error_of(assumed.get_caller_identity)[0] == "ExpiredToken"
    finally:
        embedded.cloud.now = lambda: datetime.now(UTC)


def test_a_role_of_an_account_that_does_not_exist_is_refused(embedded: EmbeddedCloud) -> None:
    sts = embedded.client("sts", ANALYTICS)
    role = "arn:aws:iam::999999999999:role/reader"
    code, status = error_of(lambda: sts.assume_role(RoleArn=role, RoleSessionName="run"))
    assert (code, status) == ("AccessDenied", 403)


def test_a_role_that_was_made_asks_for_its_external_id(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    member = make_account(Size.empty())
    embedded.keys.make_role(member.id, "reader", ANALYTICS, external_id="sesame")
    sts = embedded.client("sts", ANALYTICS)

    def assume(name: str, **parameters: str) -> Any:
        role = f"arn:aws:iam::{member.id}:role/{name}"
        return sts.assume_role(RoleArn=role, RoleSessionName="run", **parameters)

    assert assume("reader", ExternalId="sesame")["AssumedRoleUser"]["Arn"].endswith("reader/run")
    for refused in (
        lambda: assume("reader"),
        lambda: assume("reader", ExternalId="seed"),
        lambda: assume("writer", ExternalId="sesame"),
    ):
        assert error_of(refused) == ("AccessDenied", 403)


@pytest.mark.parametrize(("service", "code"), [("ec2", "AuthFailure"), ("kms", "Unrecognized")])
def test_a_region_that_is_off_knows_no_key_of_the_account(
    embedded: EmbeddedCloud, service: str, code: str
) -> None:
    client = embedded.client(service, ANALYTICS, "ap-east-1")
    ask = {"ec2": "describe_regions", "kms": "list_keys"}[service]
    assert error_of(getattr(client, ask))[0].startswith(code)


def test_a_service_control_policy_closes_a_region_but_not_what_is_global(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    account = make_account(Size.empty())
    embedded.switches.deny_by_scp("eu-west-1", account=account.id)
    denied = embedded.client("ec2", account.id, "eu-west-1").describe_instances
    with pytest.raises(ClientError, match="explicit deny in a service control policy"):
        denied()
    assert embedded.client("sts", account.id, "eu-west-1").get_caller_identity()
    assert embedded.client("ec2", account.id, "eu-west-1").describe_regions()
    assert embedded.client("ec2", account.id, "us-east-1").describe_instances()


# Answers


def test_an_answer_with_a_field_that_aws_lacks_is_refused_loudly(
    embedded: EmbeddedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_call: Call) -> dict[str, Any]:
        return {"Keys": [{"KeyId": "k", "KeyArn": "a", "Colour": "red"}]}

    monkeypatch.setitem(embedded.gateway.answers, ("kms", "ListKeys"), answer)
    with pytest.raises(ClientError, match="Colour") as caught:
        embedded.client("kms", ANALYTICS).list_keys()
    assert caught.value.response["Error"]["Code"] == "InvalidEmbeddedAnswer"


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("kms", lambda client: client.list_keys(Limit=1001), "ValidationException"),
        ("ec2", lambda client: client.describe_instances(MaxResults=4), "InvalidParameterValue"),
        ("securityhub", lambda client: client.get_findings(MaxResults=101), "InvalidInput"),
        ("iam", lambda client: client.list_users(MaxItems=1001), "ValidationError"),
        ("guardduty", lambda client: client.list_detectors(MaxResults=51), "BadRequestException"),
    ],
)
def test_a_request_beyond_the_model_s_limits_is_refused_as_the_service_spells_it(
    embedded: EmbeddedCloud, service: str, call: Callable[[Any], Any], code: str
) -> None:
    error, status = error_of(lambda: call(embedded.client(service, ANALYTICS)))
    assert error.startswith(code)
    assert status == 400


def test_what_nobody_implements_is_said_at_once(embedded: EmbeddedCloud) -> None:
    client = embedded.client("gamelift", ANALYTICS)
    assert error_of(client.list_builds) == ("NotImplemented", 501)
    assert len(embedded.calls) == 1


def test_moto_s_lists_come_in_pages_that_belong_to_their_request(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    account = make_account(Size.empty())
    iam = embedded.client("iam", account.id)
    for number in range(7):
        iam.create_user(UserName=f"user-{number}", Path="/staff/")
    embedded.cloud.page_size = 3
    embedded.calls.clear()
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix="/staff/"))
    names = [user["UserName"] for page in pages for user in page["Users"]]
    assert sorted(names) == [f"user-{number}" for number in range(7)]
    assert [len(page["Users"]) for page in pages] == [3, 3, 1]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    assert Counter(call.operation for call in embedded.calls) == {"ListUsers": 3}

    marker = pages[0]["Marker"]
    assert len(iam.list_users(PathPrefix="/staff/", Marker=marker)["Users"]) == 3
    error_of(lambda: iam.list_users(PathPrefix="/", Marker=marker))
    error_of(lambda: iam.list_users(PathPrefix="/staff/", Marker="bm90IGEgdG9rZW4"))


def test_a_page_is_never_larger_than_asked_for(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    iam = embedded.client("iam", make_account(Size.empty()).id)
    for number in range(3):
        iam.create_user(UserName=f"user-{number}")
    assert len(iam.list_users(MaxItems=2)["Users"]) == 2


def test_errors_of_moto_keep_their_names_through_the_paging(embedded: EmbeddedCloud) -> None:
    iam = embedded.client("iam", ANALYTICS)
    assert error_of(lambda: iam.list_access_keys(UserName="nobody")) == ("NoSuchEntity", 404)


FOR_ADMINISTRATORS = {
    "DescribeConfigurationAggregators",
    "DescribeEventsForOrganization",
    "GetEnrollmentStatusesForOrganization",
    "ListMembers",
}
"""Lists that an account without members does not have."""


NECESSARY: dict[str, dict[str, Any]] = {
    "SearchAgreements": {
        "filters": [
            {"name": "PartyType", "values": ["Acceptor"]},
            {"name": "AgreementType", "values": ["PurchaseAgreement"]},
        ]
    }
}
"""Parameters that AWS requires although its models do not."""


def pageable() -> list[tuple[str, str]]:
    """The canned lists that boto3 pages and that need no parameter."""
    return sorted(
        (service, operation)
        for service, operation in ANSWERS
        if operation in paginators(service)
        and not getattr(operation_model(service, operation).input_shape, "required_members", [])
        and operation not in FOR_ADMINISTRATORS
    )


@pytest.mark.parametrize(("service", "operation"), pageable())
def test_canned_lists_survive_the_wire_whole_however_they_are_paged(
    embedded: EmbeddedCloud, shared_account: Account, service: str, operation: str
) -> None:
    client = embedded.client(service, shared_account.id, "us-east-1")
    name = next(k for k, v in client.meta.method_to_api_mapping.items() if v == operation)

    def read() -> list[Any]:
        pages = client.get_paginator(name).paginate(**NECESSARY.get(operation, {}))
        return [item for key in pages.result_keys for item in pages.search(f"{key.expression}[]")]

    whole = read()
    assert whole
    embedded.cloud.page_size = 1
    embedded.calls.clear()
    assert read() == whole
    # S3 lists its buckets in pages only if it is asked to.
    assert len(embedded.calls) == (1 if service == "s3" else len(whole))


# S3


def test_an_object_s_encryption_key_can_be_seen(embedded: EmbeddedCloud, bucket: str) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key="none", Body=b"1")
    s3.put_object(
        Bucket=bucket,
        Key="cmk",
        Body=b"1",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=embedded.key_arn,
    )
    assert s3.head_object(Bucket=bucket, Key="cmk")["SSEKMSKeyId"] == embedded.key_arn
    assert s3.head_object(Bucket=bucket, Key="cmk")["ServerSideEncryption"] == "aws:kms"
    assert "SSEKMSKeyId" not in s3.head_object(Bucket=bucket, Key="none")


def test_an_object_cannot_be_encrypted_with_a_key_that_does_not_exist(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    missing = embedded.key_arn[:-4] + "0000"

    def put() -> Any:
        return s3.put_object(
            Bucket=bucket,
            Key="k",
            Body=b"1",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=missing,
        )

    assert error_of(put) == ("KMS.NotFoundException", 400)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_who_may_not_use_the_key_may_neither_write_nor_read(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": embedded.key_arn}
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", **encrypted)
    embedded.switches.deny("kms", "GenerateDataKey")
    denied = error_of(lambda: s3.put_object(Bucket=bucket, Key="other", Body=b"1", **encrypted))
    assert denied == ("AccessDenied", 403)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    embedded.switches.deny("kms", "Decrypt")
    assert error_of(lambda: s3.get_object(Bucket=bucket, Key="k")) == ("AccessDenied", 403)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("Enabled", ""),
        ("Disabled", "KMS.DisabledException"),
        ("PendingDeletion", "KMS.KMSInvalidStateException"),
    ],
)
def test_an_account_s_own_key_encrypts_while_it_is_enabled(
    embedded: EmbeddedCloud, bucket: str, make_account: MakeAccount, state: str, error: str
) -> None:
    account = make_account(Size.small())
    key = account.items("kms", "keys", "us-east-1")[0]
    key["KeyState"] = state
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["Arn"]}
    s3 = embedded.client("s3", account.id)
    put = {"Bucket": bucket, "Key": "k", "Body": b"1", **encrypted}
    if error:
        assert error_of(lambda: s3.put_object(**put)) == (error, 400)
    else:
        assert s3.put_object(**put)["SSEKMSKeyId"] == key["Arn"]


def test_another_account_may_write_to_the_bucket(
    embedded: EmbeddedCloud, bucket: str, make_account: MakeAccount
) -> None:
    spoke = make_account(Size.empty())
    embedded.client("s3", spoke.id).put_object(Bucket=bucket, Key="data/x", Body=b"from a spoke")
    body = embedded.client("s3", ANALYTICS).get_object(Bucket=bucket, Key="data/x")["Body"]
    assert body.read() == b"from a spoke"


@pytest.mark.parametrize("key", ["data/a b+c/ü?&=%41/x.json", "data//twice//", "data/../up", "é"])
def test_keys_with_odd_characters_come_back_as_they_were(
    embedded: EmbeddedCloud, bucket: str, key: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key=key, Body=b"odd")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"odd"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    s3.delete_object(Bucket=bucket, Key=key)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy"]


def test_listings_of_objects_come_in_pages(embedded: EmbeddedCloud, bucket: str) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"data/{number}", Body=b"")
    embedded.cloud.page_size = 2
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="data/"))
    assert [len(page["Contents"]) for page in pages] == [2, 2, 1]


def test_buckets_of_account_and_moto_are_listed_together(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    account = make_account(Size(buckets=5))
    s3 = embedded.client("s3", account.id)
    s3.create_bucket(Bucket=f"made-{account.id}")
    expected = [bucket["Name"] for bucket in account.items("s3", "buckets")]
    expected.append(f"made-{account.id}")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == expected
    pages = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 4}))
    assert [[b["Name"] for b in page["Buckets"]] for page in pages] == [expected[:4], expected[4:]]
    assert pages[0]["Buckets"][1]["BucketRegion"] == "eu-west-1"


def pieces(total: int) -> Iterator[bytes]:
    """A body of so many bytes whose length nobody knows beforehand."""
    for position in range(0, total, 64 << 10):
        yield bytes([position >> 16 & 255]) * min(64 << 10, total - position)


class Unseekable:
    """A file that can only be read on, so that the client has to send it in chunks."""

    def __init__(self, total: int) -> None:
        self._pieces = pieces(total)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        taken, self._rest = self._rest[: size if size >= 0 else None], self._rest[size:]
        return taken


def test_uploads_in_chunks_with_trailing_checksums_arrive_whole(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    size = 9 << 20
    s3.upload_fileobj(Unseekable(size), bucket, "many parts")
    s3.put_object(Bucket=bucket, Key="one", Body=b"".join(pieces(size)), ChecksumAlgorithm="SHA256")
    expected = hashlib.sha256(b"".join(pieces(size))).hexdigest()
    for key in ("many parts", "one"):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        assert hashlib.sha256(body.read()).hexdigest() == expected


def test_half_an_upload_is_none(embedded: EmbeddedCloud, bucket: str) -> None:
    key = embedded.keys.user_key(ANALYTICS)
    head = (
        f"PUT /{bucket}/half HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n"
        f"authorization: AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/s3/aws4_request\r\n"
        "\r\n"
    )
    port = int(embedded.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + b"x" * 500_000)
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key="whole", Body=b"1")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["whole"]


def test_a_refused_upload_leaves_the_connection_in_order(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS, max_pool_connections=1)
    rule = embedded.switches.deny("s3", "PutObject")
    denied = error_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"GET / " * 200_000))
    assert denied == ("AccessDenied", 403)
    embedded.switches.remove(rule)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert error_of(lambda: s3.head_object(Bucket=bucket, Key="k")) == ("404", 404)


def test_a_range_of_an_object_can_be_read(embedded: EmbeddedCloud, bucket: str) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    answer = s3.get_object(Bucket=bucket, Key="k", Range="bytes=3-5")
    assert answer["Body"].read() == b"345"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_virtual_hosted_buckets_are_found(embedded: EmbeddedCloud, bucket: str) -> None:
    """Only a name server can give a bucket a host, so this speaks HTTP itself."""
    embedded.client("s3", ANALYTICS).put_object(Bucket=bucket, Key="data/x", Body=b"virtual")
    key = embedded.keys.user_key(ANALYTICS)
    headers = {
        "host": f"{bucket}.s3.us-east-1.example.com",
        "authorization": f"AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/s3/aws4_request",
    }
    with urlopen(Request(f"{embedded.url}/data/x", headers=headers)) as answer:
        assert answer.read() == b"virtual"


# Switches


@pytest.mark.parametrize(
    ("service", "operation", "denied", "throttled"),
    [
        ("ec2", "describe_instances", "UnauthorizedOperation", "RequestLimitExceeded"),
        ("s3", "list_buckets", "AccessDenied", "SlowDown"),
        ("rds", "describe_db_instances", "AccessDenied", "Throttling"),
        ("kms", "list_keys", "AccessDeniedException", "ThrottlingException"),
        ("lambda", "list_functions", "AccessDeniedException", "TooManyRequestsException"),
        ("account", "get_contact_information", "AccessDeniedException", "TooManyRequestsException"),
        ("ce", "get_anomaly_monitors", "AccessDeniedException", "LimitExceededException"),
        ("health", "describe_events", "AccessDeniedException", "ThrottlingException"),
        ("rds-data", "begin_transaction", "AccessDeniedException", "ThrottlingException"),
    ],
)
def test_refusals_are_spelled_as_the_service_spells_them(
    embedded: EmbeddedCloud, service: str, operation: str, denied: str, throttled: str
) -> None:
    client = embedded.client(service, ANALYTICS, "us-east-1")
    arguments = {"resourceArn": "a" * 20, "secretArn": "b" * 20} if service == "rds-data" else {}
    for switch, code in (
        (embedded.switches.deny, denied),
        (embedded.switches.throttle, throttled),
    ):
        rule = switch(service, client.meta.method_to_api_mapping[operation])
        assert error_of(lambda: getattr(client, operation)(**arguments))[0] == code
        embedded.switches.remove(rule)
    assert [call.error for call in embedded.calls] == [denied, throttled]


def test_a_switch_hits_what_it_names_and_no_more_often_than_it_says(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    one, other = make_account(Size.empty()), make_account(Size.empty())
    where = {"account": one.id, "region": "us-east-1", "times": 2}
    embedded.switches.fail("kms", "List*", "KMSInternalException", "Oh", 500, **where)

    def outcome(account: str, region: str) -> str:
        try:
            embedded.client("kms", account, region).list_keys()
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "ok"

    assert outcome(other.id, "us-east-1") == "ok"
    assert outcome(one.id, "eu-west-1") == "ok"
    outcomes = [outcome(one.id, "us-east-1") for _ in range(3)]
    assert outcomes == ["KMSInternalException", "KMSInternalException", "ok"]


def test_switches_may_look_at_the_parameters(embedded: EmbeddedCloud, bucket: str) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    only = {"predicate": lambda request: request.params["Key"] == "b"}
    embedded.switches.fail("s3", "PutObject", "InternalError", "We failed.", 500, **only)
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    put = {"Bucket": bucket, "Key": "b", "Body": b"1"}
    assert error_of(lambda: s3.put_object(**put)) == ("InternalError", 500)


def test_a_cut_before_does_nothing_and_a_cut_after_has_done_it(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    embedded.switches.cut("s3", "PutObject", times=1)
    embedded.switches.cut("s3", "PutObject", times=1, after=True)
    for key in ("before", "after"):
        with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
            s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["after"]
    assert [call.error for call in embedded.calls if call.operation == "PutObject"] == ["cut"] * 2


def test_something_may_happen_just_before_an_operation(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    embedded.switches.intercept(
        "s3",
        "GetObject",
        lambda _request: s3.put_object(Bucket=bucket, Key="k", Body=b"new") and None,
        times=1,
    )
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"


def test_what_hangs_is_ended_by_the_client_or_by_a_reset(embedded: EmbeddedCloud) -> None:
    asked = threading.Semaphore(0)
    embedded.switches.intercept("sts", "*", lambda _request: asked.release())
    embedded.switches.hang("sts")
    hasty = embedded.client("sts", ANALYTICS, read_timeout=0.3)
    with pytest.raises(ReadTimeoutError):
        hasty.get_caller_identity()
    assert asked.acquire(timeout=DEADLINE_SECONDS)
    with ThreadPoolExecutor() as pool:
        patient = pool.submit(embedded.client("sts", ANALYTICS).get_caller_identity)
        assert asked.acquire(timeout=DEADLINE_SECONDS)
        with pytest.raises(TimeoutError):
            patient.result(0.3)
        embedded.switches.reset()
        assert isinstance(patient.exception(DEADLINE_SECONDS), ConnectionClosedError)
    assert embedded.client("sts", ANALYTICS).get_caller_identity()["Account"] == ANALYTICS


def test_a_rate_limit_lets_the_burst_through_and_then_the_rate(
    embedded: EmbeddedCloud, make_account: MakeAccount, clock: Clock
) -> None:
    account = make_account(Size.empty())
    clock.stop()
    embedded.switches.rate_limit("kms", "ListKeys", per_second=20, burst=5)
    kms = embedded.client("kms", account.id)

    def outcomes(count: int) -> list[str]:
        for _ in range(count):
            with contextlib.suppress(ClientError):
                kms.list_keys()
        return [call.error for call in embedded.calls[-count:]]

    assert outcomes(7) == [""] * 5 + ["ThrottlingException"] * 2
    clock.forward(0.125)
    assert outcomes(3) == [""] * 2 + ["ThrottlingException"]
    clock.forward(60)
    assert outcomes(6) == [""] * 5 + ["ThrottlingException"]
    # Another region has a limit of its own.
    embedded.client("kms", account.id, "eu-west-1").list_keys()


def test_latency_is_added_per_service(
    embedded: EmbeddedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    embedded.switches.latency["kms"] = 0.125
    embedded.client("kms", ANALYTICS).list_keys()
    assert waits.count(0.125) == 1
    embedded.client("sts", ANALYTICS).get_caller_identity()
    assert waits.count(0.125) == 1


def test_a_policy_decides_with_identity_and_parameters(
    embedded: EmbeddedCloud, bucket: str, make_account: MakeAccount
) -> None:
    spoke = make_account(Size.empty())
    asked: list[ApiRequest] = []

    def own_prefix_only(request: ApiRequest) -> bool:
        asked.append(request)
        return request.operation == "PutObject" and str(request.params["Key"]).startswith(
            f"data/{request.account}/"
        )

    embedded.switches.policies[spoke.id] = own_prefix_only
    s3 = embedded.client("s3", spoke.id)
    s3.put_object(Bucket=bucket, Key=f"data/{spoke.id}/x", Body=b"1")
    denied = error_of(lambda: s3.put_object(Bucket=bucket, Key="data/other/x", Body=b"1"))
    assert denied == ("AccessDenied", 403)
    assert error_of(lambda: s3.get_object(Bucket=bucket, Key="data/x")) == ("AccessDenied", 403)
    assert {request.identity.arn for request in asked} == {
        f"arn:aws:iam::{spoke.id}:user/observability"
    }
    embedded.client("s3", ANALYTICS).get_object(Bucket=bucket, Key=f"data/{spoke.id}/x")


@pytest.mark.parametrize("service", sorted(NOT_ENABLED))
def test_a_service_that_is_off_answers_within_its_model(
    embedded: EmbeddedCloud, service: str
) -> None:
    embedded.switches.not_enabled(service)
    client = embedded.client(service, ANALYTICS, "us-east-1", parameter_validation=False)
    names = {api: method for method, api in client.meta.method_to_api_mapping.items()}
    switched = NOT_ENABLED[service]
    wanted = [*names] if "*" in switched else [*switched]
    for operation in wanted[:3]:
        with contextlib.suppress(ClientError):
            getattr(client, names[operation])(**OFF_ARGUMENTS.get(operation, {}))
    assert {"InvalidEmbeddedAnswer", "NotImplemented"}.isdisjoint(c.error for c in embedded.calls)


OFF_ARGUMENTS: dict[str, dict[str, Any]] = {
    "ListDiscoveredResources": {"resourceType": "AWS::S3::Bucket"},
    "SelectResourceConfig": {"Expression": "SELECT resourceId"},
}


def test_security_hub_that_is_off_says_so(embedded: EmbeddedCloud) -> None:
    embedded.switches.not_enabled("securityhub")
    client = embedded.client("securityhub", ANALYTICS)
    with pytest.raises(client.exceptions.InvalidAccessException, match=ANALYTICS):
        client.get_findings()


def test_guardduty_that_is_off_has_no_detectors(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    client = embedded.client("guardduty", make_account(Size.small()).id)
    assert client.list_detectors()["DetectorIds"]
    embedded.switches.not_enabled("guardduty")
    assert client.list_detectors()["DetectorIds"] == []


def test_a_reset_takes_everything_back(embedded: EmbeddedCloud) -> None:
    embedded.switches.deny("*")
    embedded.switches.latency["sts"] = 60
    embedded.switches.policies[ANALYTICS] = lambda _request: False
    embedded.switches.reset()
    assert embedded.client("sts", ANALYTICS).get_caller_identity()["Account"] == ANALYTICS


def test_rules_that_are_used_up_by_many_threads_count_right(embedded: EmbeddedCloud) -> None:
    embedded.switches.add(Rule("sts", "*", embedded.switches.throttle("none").effect, times=20))
    client = embedded.client("sts", ANALYTICS, max_pool_connections=16)

    def fails(_number: int) -> bool:
        try:
            client.get_caller_identity()
        except ClientError:
            return True
        return False

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(fails, range(100))) == 20
    assert len(embedded.calls) == 100


# The log


def test_every_request_is_logged_with_what_it_was(embedded: EmbeddedCloud, bucket: str) -> None:
    embedded.calls.clear()
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 1000)
    error_of(lambda: s3.get_object(Bucket=bucket, Key="missing"))
    embedded.client("rds-data", ANALYTICS).execute_statement(
        resourceArn=embedded.cluster_arn, secretArn=embedded.secret_arn, sql="select 1"
    )
    put, get, sql = embedded.calls
    assert (put.service, put.operation, put.status, put.error) == ("s3", "PutObject", 200, "")
    assert (put.account, put.region) == (ANALYTICS, "us-east-1")
    assert put.request_bytes >= 1000
    assert (get.operation, get.status, get.error) == ("GetObject", 404, "NoSuchKey")
    assert (sql.service, sql.operation, sql.status) == ("rds-data", "ExecuteStatement", 200)
    assert all(0 < call.seconds < DEADLINE_SECONDS for call in embedded.calls)


def test_a_client_s_attempts_are_counted(embedded: EmbeddedCloud) -> None:
    embedded.switches.throttle("sts", times=1)
    embedded.client("sts", ANALYTICS, retries={"total_max_attempts": 2}).get_caller_identity()
    assert [call.attempt for call in embedded.calls] == [1, 2]


def test_database_statements_reach_the_named_database(
    embedded: EmbeddedCloud, database: str
) -> None:
    answer = embedded.client("rds-data", ANALYTICS).execute_statement(
        resourceArn=embedded.cluster_arn,
        secretArn=embedded.secret_arn,
        database=database,
        sql="select current_database()::text, to_regclass('accounts') is not null",
    )
    assert answer["records"] == [[{"stringValue": database}, {"booleanValue": True}]]


# The program


def start_program(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """`python -m tests.cloud` once it is ready, and what it says to export."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cloud", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    exports: dict[str, str] = {}
    while "PRODUCT" not in exports:
        line = process.stdout.readline()
        assert line.startswith("export "), f"it ended with {process.wait(DEADLINE_SECONDS)}"
        name, _, value = line.removeprefix("export ").strip().partition("=")
        exports[name] = value
    return process, exports


def connect(exports: dict[str, str], service: Any) -> Any:
    """A client of whoever the exports are for."""
    return boto3.client(
        service,
        endpoint_url=exports["AWS_ENDPOINT_URL"],
        region_name=exports["REGION"],
        aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key="x",
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_program_takes_its_children_with_it(number: signal.Signals) -> None:
    process, exports = start_program("--size", "empty")
    try:
        with pytest.raises(OSError, match="403"):
            urlopen(exports["AWS_ENDPOINT_URL"])
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2, children
        process.send_signal(number)
        assert process.wait(DEADLINE_SECONDS) == (-number if number == signal.SIGKILL else 0)
        wait_for(lambda: not any(child.is_running() for child in children))
    finally:
        process.kill()


def test_big_objects_pass_through_without_being_held() -> None:
    process, exports = start_program("--size", "empty")
    try:
        s3 = connect(exports, "s3")
        s3.put_object(Bucket=exports["BUCKET"], Key="warm", Body=b"1")
        gateway = psutil.Process(process.pid)
        before = gateway.memory_info().rss
        s3.put_object(Bucket=exports["BUCKET"], Key="big", Body=b"x" * (96 << 20))
        body = s3.get_object(Bucket=exports["BUCKET"], Key="big")["Body"]
        received = sum(len(piece) for piece in body.iter_chunks(1 << 20))
        assert received == 96 << 20
        assert gateway.memory_info().rss - before < 24 << 20
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def test_accounts_and_sizes_can_be_chosen() -> None:
    process, exports = start_program(
        "--accounts", "2", "--page-size", "3", "--regions", "eu-west-1"
    )
    try:
        assert exports["REGION"] == exports["REGIONS"] == "eu-west-1"
        second = exports | {"AWS_ACCESS_KEY_ID": "AKIA0000111122224444"}
        page = connect(second, "kms").list_keys()
        assert len(page["Keys"]) == 3
        assert page["Truncated"]
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--regions", "bogus", "no region of AWS: 'bogus'"),
        ("--regions", "us-east-1,", "no region of AWS: ''"),
        ("--regions", "us-east-1,us-east-1", "'us-east-1,us-east-1' names a region twice"),
        ("--accounts", "0", "'0' is not a number from 1 to 10000"),
        ("--accounts", "many", "'many' is not a number from 1 to 10000"),
        ("--latency", "nan", "'nan' is not a number from 0.0 to 3600.0"),
        ("--page-size", "0", "'0' is not a number from 1 to 1000000"),
        ("--port", "65536", "'65536' is not a number from 0 to 65535"),
        ("--port", "TAKEN", "TAKEN: Address already in use"),
    ],
)
def test_a_wrong_flag_of_the_program_is_one_line(flag: str, value: str, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "tests.cloud", flag, value.replace("TAKEN", port)],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            cwd=ROOT,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    usage, line = done.stderr.splitlines()
    assert usage == "usage: python -m tests.cloud [--help] [flags]"
    assert line.endswith(f" error: argument {flag}: {told.replace('TAKEN', port)}")


def test_a_demo_works_in_whatever_shell_it_is_tried() -> None:
    own = {
        "AWS_PROFILE": "mine", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "localhost", "BUCKET": "mine", "ORGANIZATION": "1", "ACCOUNTS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.cloud.demo"],
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_SECONDS,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Rows per table" in done.stdout


def test_ctrl_c_ends_a_demo_without_a_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cloud.demo_organization"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # else ignored under `&`
    )
    assert process.stderr is not None
    # CPython itself prints a traceback if a script is interrupted before its first line.
    assert any("regions at once" in line for line in process.stderr)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, story = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in story
    wait_for(lambda: not any(child.is_running() for child in children))


def test_the_organization_of_the_demo_can_be_tried_by_hand() -> None:
    process, exports = start_program("--organization")
    try:
        assert exports["REGIONS"] == ",".join(DEMO_REGIONS)
        below = connect(exports, "organizations").list_accounts_for_parent(
            ParentId=exports["SHOPS"]
        )
        assert [held["Id"] for held in below["Accounts"]] == [SHOP]
        sts = connect(exports, "sts")
        assert sts.get_caller_identity()["Account"] == PAYER

        def enter(account: str) -> Any:
            role = f"arn:aws:iam::{account}:role/{ROLE}"
            return sts.assume_role(RoleArn=role, RoleSessionName="tried")

        assert enter(SHOP)["Credentials"]
        assert error_of(lambda: enter(BROKEN)) == ("AccessDenied", 403)
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def test_a_table_on_a_narrow_terminal_has_account_ids_whole(
    embedded: EmbeddedCloud,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    wide = ", ".join(f"'{name * 30}' AS {name}" for name in "abcd")
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        show(connection, "Accounts", f"SELECT {wide}, '{PAYER}' AS account_id")
    shown = capsys.readouterr().out
    assert PAYER in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 60


def test_all_canned_operations_exist() -> None:
    session = boto3.session.Session(region_name="us-east-1")
    for service, operation in ANSWERS:
        client: Any = session.client(service)  # type: ignore[call-overload]
        assert operation in client.meta.service_model.operation_names
