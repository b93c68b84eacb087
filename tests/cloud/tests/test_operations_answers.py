"""Account, EC2, support, Health, Resilience Hub, Compute Optimizer, Marketplace."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.cloud import Size
from tests.cloud.accounts import Item, generate
from tests.cloud.answers import AwsError
from tests.cloud.tests.answering import (
    NOW,
    ONE,
    REGIONS,
    TODAY,
    TWO,
    ask,
    cloud_of,
    less,
    small,
)
from tests.cloud.tests.listings import LISTINGS

HOUR = timedelta(hours=1)


# Account, EC2


def test_an_account_without_alternate_contacts() -> None:
    """ResourceNotFoundException for each type."""
    account = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    for kind in ("BILLING", "OPERATIONS", "SECURITY"):
        params = {"AlternateContactType": kind}
        with pytest.raises(AwsError, match="ResourceNotFoundException"):
            ask(cloud_of(account), "account", "GetAlternateContact", params)


def test_account_information_of_others_is_the_payers() -> None:
    """A payer reads its members', nobody else another's."""
    payer, member = replace(small(), payer_for=(TWO,)), small(TWO)
    cloud = cloud_of(payer, member)
    found = ask(cloud, "account", "GetAccountInformation", {"AccountId": TWO})
    assert found["AccountId"] == TWO
    with pytest.raises(AwsError, match="AccessDeniedException"):
        ask(cloud, "account", "GetAccountInformation", {"AccountId": ONE}, account=TWO)


def test_ec2_filters_sizes_and_regions() -> None:
    """Filters leave what meets them, sizes have bounds, regions may be opted out of."""
    account = small()
    cloud = cloud_of(account)
    servers = account.items("ec2", "instances", "us-east-1")
    running = {"Filters": [{"Name": "instance-state-name", "Values": ["running"]}]}
    held = ask(cloud, "ec2", "DescribeInstances", running)["Reservations"]
    found = [item for reservation in held for item in reservation["Instances"]]
    assert found == [item for item in servers if item["State"]["Name"] == "running"]
    for wrong in ({"MaxResults": 4}, {"Filters": [{"Name": "colour", "Values": ["red"]}]}):
        with pytest.raises(AwsError, match="InvalidParameterValue"):
            ask(cloud, "ec2", "DescribeInstances", wrong)
    enabled = ask(cloud, "ec2", "DescribeRegions")["Regions"]
    everything = ask(cloud, "ec2", "DescribeRegions", {"AllRegions": True})["Regions"]
    assert [item["RegionName"] for item in enabled] == sorted(REGIONS)
    assert "not-opted-in" in {item["OptInStatus"] for item in everything}


def test_buckets_come_with_regions_only_when_a_parameter_is_given() -> None:
    """A request without parameters is not paged either."""
    account = small()
    cloud = cloud_of(account, page_size=2)
    plain = ask(cloud, "s3", "ListBuckets")
    assert len(plain["Buckets"]) == account.size.buckets
    assert all("BucketRegion" not in item for item in plain["Buckets"])


# Support, Health, Application Signals, Resilience Hub, Compute Optimizer, Marketplace


def test_resolved_cases_are_hidden_by_default() -> None:
    """They come when they are asked for, without communications if those are not wanted."""
    account = small()
    cloud = cloud_of(account)
    cases = account.items("support", "cases")
    listing = next(item for item in LISTINGS if item.operation == "DescribeCases")
    found = listing.everything(cloud, includeResolvedCases=False)
    assert found == [item for item in cases if item["status"] != "resolved"]
    assert 0 < len(found) < len(cases)
    terse = listing.everything(cloud, includeCommunications=False)
    assert terse == [less(item, "recentCommunications") for item in cases]


def test_cases_are_found_by_what_was_said() -> None:
    """An old case that was answered yesterday is yesterday's too."""
    account = small()
    listing = next(item for item in LISTINGS if item.operation == "DescribeCases")
    span = {"afterTime": "2026-11-21T00:00:00Z", "beforeTime": "2026-11-22T00:00:00Z"}
    found = listing.everything(cloud_of(account), **span)
    created = [item["timeCreated"] for item in found]
    assert any(moment >= "2026-11-21" for moment in created)
    assert any(moment < "2026-11-21" for moment in created)
    assert len(found) < len(account.items("support", "cases"))


def test_health_filters() -> None:
    """By status, service, region and the time of the last update."""
    account = small()
    cloud = cloud_of(account)
    events = account.items("health", "events")
    start, end = account.ago(1), account.ago(0)

    def found(**wanted: Any) -> list[Item]:
        return list(ask(cloud, "health", "DescribeEvents", {"filter": wanted})["events"])

    spans = [{"from": start, "to": end}]
    updated = [item for item in events if start <= item["lastUpdatedTime"] <= end]
    assert found(lastUpdatedTimes=spans) == updated
    assert 0 < len(updated) < len(events)
    for status in ("open", "closed", "upcoming"):
        expected = [item for item in events if item["statusCode"] == status]
        assert found(eventStatusCodes=[status]) == expected
        assert expected
    assert {item["region"] for item in found(regions=["global"])} == {"global"}
    server = account.items("health", "entities")[0]["entityValue"]
    assert {item["service"] for item in found(entityValues=[server])} == {"EC2"}


def test_application_signals_looks_back_a_day_at_most() -> None:
    """And shows what had been seen by then."""
    account = small()
    cloud = cloud_of(account)
    long = {"StartTime": NOW - 25 * HOUR, "EndTime": NOW}
    with pytest.raises(AwsError, match="24 hours"):
        ask(cloud, "application-signals", "ListServices", long)
    with pytest.raises(AwsError, match="before EndTime"):
        ask(cloud, "application-signals", "ListServices", {"StartTime": NOW, "EndTime": NOW})
    earlier = {"StartTime": NOW - 72 * HOUR, "EndTime": NOW - 48 * HOUR}
    found = ask(cloud, "application-signals", "ListServices", earlier)["ServiceSummaries"]
    assert found == account.items("application-signals", "services", "us-east-1")[:-1]


def test_resilience_hub_takes_one_filter() -> None:
    """By name, or by the time of the last assessment."""
    account = small()
    cloud = cloud_of(account)
    named = ask(cloud, "resiliencehub", "ListApps", {"name": "app-001"})["appSummaries"]
    assert [item["name"] for item in named] == ["app-001"]
    start = account.ago(1)
    recent = ask(cloud, "resiliencehub", "ListApps", {"fromLastAssessmentTime": start})
    times = [item["lastAppComplianceEvaluationTime"] for item in recent["appSummaries"]]
    assert times
    assert min(times) >= start
    both = {"name": "app-001", "fromLastAssessmentTime": start}
    with pytest.raises(AwsError, match="Only one filter"):
        ask(cloud, "resiliencehub", "ListApps", both)


def test_compute_optimizer_answers_for_members() -> None:
    """For one account at a time, and none that is a stranger."""
    payer, member = replace(small(), payer_for=(TWO,)), small(TWO)
    cloud = cloud_of(payer, member)
    found = ask(cloud, "compute-optimizer", "GetEC2InstanceRecommendations", {"accountIds": [TWO]})
    assert {item["accountId"] for item in found["instanceRecommendations"]} == {TWO}
    finding = {"filters": [{"name": "Finding", "values": ["Overprovisioned"]}]}
    over = ask(cloud, "compute-optimizer", "GetEC2InstanceRecommendations", finding)
    assert {item["finding"] for item in over["instanceRecommendations"]} == {"Overprovisioned"}
    for wrong in ([ONE, TWO], ["999999999999"]):
        with pytest.raises(AwsError, match="account"):
            ask(cloud, "compute-optimizer", "GetEBSVolumeRecommendations", {"accountIds": wrong})


def test_cost_optimization_hub_sums_up() -> None:
    """The total is that of the groups, whatever they are grouped by."""
    account = small()
    cloud = cloud_of(account)
    totals = set()
    for group in ("ResourceType", "Region", "AccountId", "ActionType"):
        params = {"groupBy": group}
        response = ask(cloud, "cost-optimization-hub", "ListRecommendationSummaries", params)
        totals.add(round(response["estimatedTotalDedupedSavings"], 6))
        amounts = [item["estimatedMonthlySavings"] for item in response["items"]]
        assert sum(amounts) == pytest.approx(response["estimatedTotalDedupedSavings"])
    assert len(totals) == 1


def test_licenses_lead_to_entitlements() -> None:
    """The product code of each license of AWS Marketplace has entitlements."""
    account = small()
    cloud = cloud_of(account)
    params = {"Filters": [{"Name": "IssuerName", "Values": ["AWS/Marketplace"]}]}
    found = ask(cloud, "license-manager", "ListReceivedLicenses", params)["Licenses"]
    assert len(found) == account.size.licenses
    for item in found:
        code = {"ProductCode": item["ProductSKU"]}
        entitled = ask(cloud, "marketplace-entitlement", "GetEntitlements", code)["Entitlements"]
        assert {entry["LicenseArn"] for entry in entitled} == {item["LicenseArn"]}


# Regions that an account has to opt in to


def test_regions_that_are_off_are_told_as_such() -> None:
    account = small()
    account.regions = (*REGIONS, "ap-east-1")
    told = ask(cloud_of(account), "account", "ListRegions")["Regions"]
    assert {held["RegionName"]: held["RegionOptStatus"] for held in told} == {
        "us-east-1": "ENABLED_BY_DEFAULT",
        "eu-west-1": "ENABLED_BY_DEFAULT",
        "ap-east-1": "ENABLED",
        "me-south-1": "DISABLED",
    }
    held = ask(cloud_of(account), "ec2", "DescribeRegions", {"AllRegions": True})["Regions"]
    assert {item["RegionName"]: item["OptInStatus"] for item in held} == {
        "us-east-1": "opt-in-not-required",
        "eu-west-1": "opt-in-not-required",
        "ap-east-1": "opted-in",
        "me-south-1": "not-opted-in",
    }
