"""Who calls what, and what is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cloud import Account, EmbeddedCloud, Size
from tests.cloud.answers import ANSWERS, Call
from tests.cloud.models import operation_model, paginators
from tests.cloud.tests.waiting import DEADLINE_SECONDS, error_of
from tests.conftest import ANALYTICS, MakeAccount

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
    embedded.forget_calls()
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
    "DescribeEventsForOrganization",
    "ListMembers",
}
"""Lists that an account without members does not have."""


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
        pages = client.get_paginator(name).paginate()
        return [item for key in pages.result_keys for item in pages.search(f"{key.expression}[]")]

    whole = read()
    assert whole
    embedded.cloud.page_size = 1
    embedded.forget_calls()
    assert read() == whole
    # S3 lists its buckets in pages only if it is asked to.
    assert len(embedded.calls) == (1 if service == "s3" else len(whole))


# The log


def test_every_request_is_logged_with_what_it_was(embedded: EmbeddedCloud, bucket: str) -> None:
    embedded.forget_calls()
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


def test_all_canned_operations_exist() -> None:
    session = boto3.session.Session(region_name="us-east-1")
    for service, operation in ANSWERS:
        client: Any = session.client(service)  # type: ignore[call-overload]
        assert operation in client.meta.service_model.operation_names
