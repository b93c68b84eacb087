"""What a partition, or a region of it, does not have is known before it is asked, or afterwards."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from observability.aws.errors import aws_errors, classify_error
from observability.aws.partitions import Partition
from observability.aws.session import Aws
from observability.contract import FAIL, SKIPPED
from observability.log import Log
from tests.cloud import EmbeddedCloud, Size
from tests.cloud.switches import InstantAnswer
from tests.conftest import MakeAccount
from tests.runs import send


@pytest.fixture(scope="module")
def session() -> boto3.session.Session:
    return boto3.session.Session()


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "us-east-1"),
        ("aws-cn", "cn-northwest-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("x", None),
    ],
)
def test_global_services_have_a_region(
    partition: str, region: str | None, session: boto3.session.Session
) -> None:
    assert Partition(session, partition).global_region == region


@pytest.mark.parametrize(
    ("partition", "lacking", "there"),
    [
        ("aws", (), ("ce", "account", "cost-optimization-hub", "application-signals")),
        (
            "aws-us-gov",
            ("ce", "account", "savingsplans", "cloudfront", "marketplace-entitlement"),
            ("organizations", "support", "health", "resiliencehub", "application-signals"),
        ),
        ("aws-cn", ("cost-optimization-hub", "resiliencehub"), ("ce", "account", "cloudfront")),
    ],
)
def test_a_partition_lacks_what_the_commercial_one_has(
    partition: str, lacking: tuple[str, ...], there: tuple[str, ...], session: boto3.session.Session
) -> None:
    known = Partition(session, partition)
    assert [service for service in (*lacking, *there) if known.lacks(service)] == [*lacking]


def test_regions_of_either_list_of_botocore_are_known(session: boto3.session.Session) -> None:
    known = Partition(session, "aws")
    assert known.has_region("ap-southeast-2")
    assert not known.has_region("us-gov-east-1")
    assert not known.has_region("eu-nowhere-1")


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An endpoint at which nobody listens, as of a name that leads nowhere."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{nobody.getsockname()[1]}"


def access(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], region: str) -> Aws:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    aws = Aws(region, Log(), time.monotonic() + 60)
    aws.identify()
    return aws


def outcome(
    aws: Aws, service: str, operation: str, region: str, **asked: object
) -> tuple[str, str]:
    with pytest.raises(aws_errors()) as caught:
        getattr(aws.client(service, region), operation)(**asked)
    return classify_error(caught.value)[:2]


@pytest.mark.parametrize(
    ("service", "variable", "operation", "region", "expected"),
    [
        # its list of regions has no such one
        ("resiliencehub", "RESILIENCEHUB", "list_apps", "us-east-1", FAIL),
        ("resiliencehub", "RESILIENCEHUB", "list_apps", "eu-central-2", SKIPPED),
        ("compute-optimizer", "COMPUTE_OPTIMIZER", "get_enrollment_status", "ca-west-1", SKIPPED),
        # of Application Signals there is no list, and STS answers in the home region only
        ("application-signals", "APPLICATION_SIGNALS", "list_services", "us-east-1", SKIPPED),
        ("application-signals", "APPLICATION_SIGNALS", "list_services", "eu-west-1", FAIL),
    ],
)  # fmt: skip
def test_no_endpoint_means_not_here_where_the_lists_say_so(
    service: str,
    variable: str,
    operation: str,
    region: str,
    expected: str,
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    monkeypatch: pytest.MonkeyPatch,
    nowhere: str,
) -> None:
    environment = embedded.environment(make_account(Size.small()).id)
    environment[f"AWS_ENDPOINT_URL_{variable}"] = nowhere
    aws = access(monkeypatch, environment, "us-east-1")
    now = "2026-01-01T00:00:00Z"
    span = {"StartTime": now, "EndTime": now} if operation == "list_services" else {}
    found, what = outcome(aws, service, operation, region, **span)
    assert found == expected
    assert expected == FAIL or what == f"{region} does not have {service}"


def test_a_partition_without_a_service_is_not_asked_for_it(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())

    def identity(_request: object) -> None:
        arn = f"arn:aws-us-gov:iam::{account.id}:user/reader"
        raise InstantAnswer({"UserId": "AIDAEXAMPLEEXAMPLE00", "Account": account.id, "Arn": arn})

    embedded.switches.intercept("sts", "GetCallerIdentity", identity)
    embedded.switches.not_enabled("organizations")
    environment = embedded.environment(account.id) | {"BUCKET": "", "REGION": "us-gov-west-1"}
    asked = ("account", "cost", "service", "ri_sp_savings", "security")
    sent = send(environment, tmp_path, "--only", ",".join(asked))
    assert sent.code == 0, sent.said("FAIL", "ERROR")
    assert {name: sent.statuses[name] for name in ("cost", "service")} == {
        "cost": "Skipped", "service": "Skipped",
    }  # fmt: skip
    assert any("aws-us-gov does not have ce" in text for text in sent.said("INFO"))
    absent = {"account", "ce", "savingsplans", "cloudfront", "cost-optimization-hub"}
    assert not absent & {call.service for call in embedded.calls}
    assert not any(
        request.operation == "ListWebACLs" and request.region == "us-east-1"
        for request in embedded.calls
    )
