"""Switches: refusals, faults, latency, limits, policies, services that are off."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.cloud.switches import NOT_ENABLED, Rule
from tests.cloud.tests.waiting import DEADLINE_SECONDS, error_of
from tests.conftest import ANALYTICS, Clock, MakeAccount


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
