"""Security Hub, GuardDuty and Inspector; keys, certificates, secrets, trails, web ACLs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cloud.accounts import Item
from tests.cloud.answers import AwsError
from tests.cloud.tests.answering import (
    ALL_CERTIFICATES,
    NOW,
    ONE,
    TWO,
    Listing,
    ask,
    cloud_of,
    detector,
    equals,
    guardduty_ids,
    hub,
    small,
)
from tests.cloud.tests.listings import LISTINGS

HOUR = timedelta(hours=1)


# Security Hub, GuardDuty, Inspector


@pytest.mark.parametrize(
    ("service", "members", "name"),
    [
        ("guardduty", "Members", "AccountId"),
        ("inspector2", "members", "accountId"),
        ("securityhub", "Members", "AccountId"),
    ],
)
def test_an_administrator_knows_its_members(service: str, members: str, name: str) -> None:
    """By page; the detector of each is its own."""
    others = [small(f"{number:012}") for number in range(1, 4)]
    account = replace(small(), delegated_for=tuple(held.id for held in others))
    cloud = cloud_of(account, *others, page_size=2)
    params: dict[str, Any] = {}
    if service == "guardduty":
        params["DetectorId"] = account.items(service, "detectors", "us-east-1")[0]["DetectorId"]
    listing = Listing(
        service,
        "ListMembers",
        members,
        truth=lambda _: others,
        params=lambda _: params,
        token="nextToken" if service == "inspector2" else "NextToken",
    )
    found = [item for page in listing.pages(cloud) for item in listing.items(page)]
    assert [item[name] for item in found] == [held.id for held in others]
    for item, held in zip(found, others, strict=True):
        if service == "guardduty":
            [detector] = held.items(service, "detectors", "us-east-1")
            assert item["DetectorId"] == detector["DetectorId"]


@pytest.mark.parametrize(
    ("name", "value", "test"),
    [
        ("SeverityLabel", "CRITICAL", lambda item: item["Severity"]["Label"] == "CRITICAL"),
        ("WorkflowStatus", "RESOLVED", lambda item: item["Workflow"]["Status"] == "RESOLVED"),
        ("RecordState", "ARCHIVED", lambda item: item["RecordState"] == "ARCHIVED"),
        ("ProductName", "GuardDuty", lambda item: item["ProductName"] == "GuardDuty"),
        (
            "ComplianceStatus",
            "FAILED",
            lambda item: item.get("Compliance", {}).get("Status") == "FAILED",
        ),
        (
            "ResourceType",
            "AwsS3Bucket",
            lambda item: any(held["Type"] == "AwsS3Bucket" for held in item["Resources"]),
        ),
    ],
)
def test_security_hub_filters(name: str, value: str, test: Callable[[Item], bool]) -> None:
    """Each filter leaves exactly the findings that meet it, and some."""
    account = small()
    expected = [
        item for item in account.items("securityhub", "findings", "us-east-1") if test(item)
    ]
    assert expected
    assert hub(cloud_of(account), **{name: equals(value)}) == expected


def test_security_hub_times_are_compared_as_times() -> None:
    """Whatever form a product wrote them in; both ends are included."""
    account = small()
    day = datetime(2026, 11, 21, tzinfo=UTC)
    span = {"Start": "2026-11-21T00:00:00Z", "End": "2026-11-21T23:59:59.999Z"}
    found = hub(cloud_of(account), UpdatedAt=[span])
    everything = account.items("securityhub", "findings", "us-east-1")
    expected = [
        item
        for item in everything
        if day <= datetime.fromisoformat(item["UpdatedAt"]) < day + 24 * HOUR
    ]
    assert found == expected
    assert 0 < len(found) < len(everything)
    assert len({len(item["UpdatedAt"]) for item in found}) > 1
    within = hub(cloud_of(account), UpdatedAt=[{"DateRange": {"Value": 2, "Unit": "DAYS"}}])
    assert {item["Id"] for item in found} <= {item["Id"] for item in within}


def test_security_hub_negative_filters_and_sorting() -> None:
    """NOT_EQUALS refuses, sorting follows the times."""
    account = small()
    refused = [{"Value": "ARCHIVED", "Comparison": "NOT_EQUALS"}]
    params = {
        "Filters": {"RecordState": refused},
        "SortCriteria": [{"Field": "UpdatedAt", "SortOrder": "desc"}],
    }
    found = ask(cloud_of(account), "securityhub", "GetFindings", params)["Findings"]
    times = [datetime.fromisoformat(item["UpdatedAt"]) for item in found]
    assert times == sorted(times, reverse=True)
    assert {item["RecordState"] for item in found} == {"ACTIVE"}


def test_guardduty_criteria() -> None:
    """Times in milliseconds, the archive, the account, the severity."""
    account = small()
    cloud = cloud_of(account)
    findings = account.items("guardduty", "findings", "us-east-1")
    day = datetime(2026, 11, 21, tzinfo=UTC)
    start = round(day.timestamp() * 1000)
    updated = {"GreaterThanOrEqual": start, "LessThan": start + 86_400_000}
    yesterday = [
        item["Id"]
        for item in findings
        if day <= datetime.fromisoformat(item["UpdatedAt"]) < day + 24 * HOUR
    ]
    archived = [item["Id"] for item in findings if item["Service"]["Archived"]]
    severe = [item["Id"] for item in findings if item["Severity"] >= 7]
    assert guardduty_ids(cloud, updatedAt=updated) == yesterday
    assert guardduty_ids(cloud, service__archived={"Equals": ["true"]}) == archived
    assert guardduty_ids(cloud, severity={"Gte": 7}) == severe
    assert guardduty_ids(cloud, accountId={"Equals": [TWO]}) == []
    assert all((yesterday, archived, severe))


def test_inspector_criteria() -> None:
    """Times with both ends, the status, the severity, the account."""
    account = small()
    cloud = cloud_of(account)
    findings = account.items("inspector2", "findings", "us-east-1")
    start, end = account.ago(1), account.ago(0)

    def found(**criteria: Any) -> list[Item]:
        response = ask(cloud, "inspector2", "ListFindings", {"filterCriteria": criteria})
        return list(response["findings"])

    span = [{"startInclusive": start, "endInclusive": end}]
    active = [{"comparison": "EQUALS", "value": "ACTIVE"}]
    others = [{"comparison": "NOT_EQUALS", "value": "ACTIVE"}]
    assert found(updatedAt=span) == [it for it in findings if start <= it["updatedAt"] <= end]
    assert found(findingStatus=active) == [it for it in findings if it["status"] == "ACTIVE"]
    assert found(findingStatus=others) == [it for it in findings if it["status"] != "ACTIVE"]
    assert found(awsAccountId=[{"comparison": "EQUALS", "value": TWO}]) == []
    instance = findings[0]["resources"][0]["id"]
    by_resource = found(resourceId=[{"comparison": "PREFIX", "value": instance[:10]}])
    assert {item["resources"][0]["id"] for item in by_resource} == {instance}


@pytest.mark.parametrize(
    ("listing", "account_of"),
    [
        ("securityhub-GetFindings", lambda item: item["AwsAccountId"]),
        ("inspector2-ListFindings", lambda item: item["awsAccountId"]),
    ],
)
def test_a_delegated_administrator_sees_its_members(
    listing: str, account_of: Callable[[Item], str]
) -> None:
    """Its own findings and those of its members, which can be told apart."""
    asked = next(item for item in LISTINGS if str(item) == listing)
    account, member = replace(small(), delegated_for=(TWO,)), small(TWO)
    cloud = cloud_of(account, member, page_size=5)
    found = asked.everything(cloud)
    assert found == asked.truth(account) + asked.truth(member)
    assert {account_of(item) for item in found} == {ONE, TWO}


def test_a_delegated_administrator_gets_its_members_guardduty_findings() -> None:
    """By its own detector, and only its own can be filtered for."""
    account, member = replace(small(), delegated_for=(TWO,)), small(TWO)
    cloud = cloud_of(account, member)
    own = [item["Id"] for item in account.items("guardduty", "findings", "us-east-1")]
    theirs = [item["Id"] for item in member.items("guardduty", "findings", "us-east-1")]
    assert guardduty_ids(cloud) == own + theirs
    assert guardduty_ids(cloud, accountId={"Equals": [ONE]}) == own
    params = detector(account) | {"FindingIds": [theirs[0], own[0]]}
    found = ask(cloud, "guardduty", "GetFindings", params)["Findings"]
    assert [item["AccountId"] for item in found] == [TWO, ONE]


# Keys, certificates, secrets, trails, web ACLs


def test_acm_hides_most_certificates_until_asked() -> None:
    """By default only small RSA keys, and none that came through ACME."""
    account = small()
    cloud = cloud_of(account)
    everything = account.items("acm", "certificates", "us-east-1")
    listed = ask(cloud, "acm", "ListCertificates")["CertificateSummaryList"]
    assert listed == [
        item
        for item in everything
        if item["KeyAlgorithm"] in ("RSA_1024", "RSA_2048")
        and item["CertificateKeyPairOrigin"] != "ACME"
    ]
    assert {"EC_prime256v1", "RSA_2048"} <= {item["KeyAlgorithm"] for item in everything}
    assert "ACME" in {item["CertificateKeyPairOrigin"] for item in everything}
    issued = ask(cloud, "acm", "ListCertificates", ALL_CERTIFICATES | {
        "CertificateStatuses": ["EXPIRED"]})["CertificateSummaryList"]  # fmt: skip
    assert issued == [item for item in everything if item["Status"] == "EXPIRED"]
    for item in everything:
        params = {"CertificateArn": item["CertificateArn"]}
        detail = ask(cloud, "acm", "DescribeCertificate", params)["Certificate"]
        assert detail.get("NotAfter") == item.get("NotAfter")
        assert detail["DomainName"] == item["DomainName"]


def test_only_symmetric_keys_rotate() -> None:
    """Others are an error, AWS's own keys always do."""
    account = small()
    cloud = cloud_of(account)
    for key in account.items("kms", "keys", "us-east-1"):
        params = {"KeyId": key["KeyId"]}
        if key["KeySpec"] != "SYMMETRIC_DEFAULT":
            with pytest.raises(AwsError, match="UnsupportedOperationException"):
                ask(cloud, "kms", "GetKeyRotationStatus", params)
        elif key["KeyManager"] == "AWS":
            assert ask(cloud, "kms", "GetKeyRotationStatus", params)["KeyRotationEnabled"]


def test_secrets_planned_for_deletion_are_listed_on_demand() -> None:
    """They are hidden by default."""
    account = small()
    listed = ask(cloud_of(account), "secretsmanager", "ListSecrets")["SecretList"]
    everything = account.items("secretsmanager", "secrets", "us-east-1")
    assert listed == [item for item in everything if "DeletedDate" not in item]
    assert len(listed) < len(everything)


def test_trails_of_other_regions_are_shadows() -> None:
    """Multi-region trails are seen everywhere, their status is told by ARN."""
    account = small()
    cloud = cloud_of(account)
    own = account.items("cloudtrail", "trails", "eu-west-1")
    alone = ask(cloud, "cloudtrail", "DescribeTrails", {"includeShadowTrails": False},
                region="eu-west-1")["trailList"]  # fmt: skip
    seen = ask(cloud, "cloudtrail", "DescribeTrails", region="eu-west-1")["trailList"]
    shadows = [item for item in seen if item not in own]
    assert alone == own
    assert {item["HomeRegion"] for item in shadows} == {"us-east-1"}
    assert {item["IsOrganizationTrail"] for item in shadows} == {True, False}
    for item in seen:
        status = ask(cloud, "cloudtrail", "GetTrailStatus", {"Name": item["TrailARN"]},
                     region="eu-west-1")  # fmt: skip
        assert status["LatestDeliveryTime"] <= NOW


def test_events_are_looked_up_by_time_and_attribute() -> None:
    """The newest first, within the span, at most one attribute."""
    account = small()
    cloud = cloud_of(account)
    events = account.items("cloudtrail", "events", "us-east-1")
    start, end = account.ago(1), account.ago(0)
    params: dict[str, Any] = {"StartTime": start, "EndTime": end}
    found = ask(cloud, "cloudtrail", "LookupEvents", params)["Events"]
    assert found == [item for item in events if start <= item["EventTime"] <= end]
    name = {"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}
    named = ask(cloud, "cloudtrail", "LookupEvents", {"LookupAttributes": [name]})["Events"]
    assert {item["EventName"] for item in named} == {"AssumeRole"}
    with pytest.raises(AwsError, match="only one"):
        ask(cloud, "cloudtrail", "LookupEvents", {"LookupAttributes": [name, name]})
    with pytest.raises(AwsError, match="InvalidTimeRangeException"):
        ask(cloud, "cloudtrail", "LookupEvents", {"StartTime": end, "EndTime": start})


def test_web_acls_tell_what_they_protect() -> None:
    """Load balancers by default, each other type by name; CloudFront's are CloudFront's."""
    account = small()
    cloud = cloud_of(account)
    associations = account.items("wafv2", "associations", "us-east-1")
    assert len({item["ResourceType"] for item in associations}) == 7
    for item in associations:
        params = {"WebACLArn": item["WebACLArn"], "ResourceType": item["ResourceType"]}
        response = ask(cloud, "wafv2", "ListResourcesForWebACL", params)
        assert item["ResourceArn"] in response["ResourceArns"]
    default = ask(cloud, "wafv2", "ListResourcesForWebACL",
                  {"WebACLArn": associations[0]["WebACLArn"]})  # fmt: skip
    assert all("loadbalancer" in arn for arn in default["ResourceArns"])
    assert any(":global/" in item["WebACLArn"] for item in associations)
    front = account.items("wafv2", "cloudfront", "us-east-1")[0]["ARN"]
    with pytest.raises(AwsError, match="WAFInvalidParameterException"):
        ask(cloud, "wafv2", "ListResourcesForWebACL", {"WebACLArn": front})
    with pytest.raises(AwsError, match="scope is not valid"):
        ask(cloud, "wafv2", "ListWebACLs", {"Scope": "CLOUDFRONT"}, region="eu-west-1")
    nobody = ask(cloud, "cloudfront", "ListDistributionsByWebACLId", {"WebACLId": "none"})
    assert nobody["DistributionList"]["Quantity"] == 0


def test_a_web_acl_without_logging_says_so() -> None:
    """An error that means: nothing is logged."""
    account = small()
    arn = account.items("wafv2", "regional", "us-east-1")[1]["ARN"]
    with pytest.raises(AwsError, match="WAFNonexistentItemException"):
        ask(cloud_of(account), "wafv2", "GetLoggingConfiguration", {"ResourceArn": arn})
