"""AWS Config and Systems Manager."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud import Size
from tests.cloud.accounts import Cloud, Item, generate
from tests.cloud.answers import AwsError
from tests.cloud.answers.core import dig
from tests.cloud.tests.answering import (
    ONE,
    REGIONS,
    TODAY,
    ask,
    cloud_of,
    expected_compliance,
    first_instance,
    first_rule,
    recorded,
    rule_results,
    small,
)
from tests.cloud.tests.listings import LISTINGS


def selected(cloud: Cloud, expression: str) -> list[Item]:
    """Rows of the advanced query."""
    listing = next(item for item in LISTINGS if item.operation == "SelectResourceConfig")
    return [json.loads(row) for row in listing.everything(cloud, Expression=expression)]


def test_the_advanced_query_selects_nested_columns_and_filters() -> None:
    """Columns nest as in the item; what an item lacks is left out of its row."""
    account = small()
    found = selected(
        cloud_of(account, page_size=4),
        "SELECT resourceId, resourceName, configuration.instanceType, configuration.state.name "
        "WHERE resourceType = 'AWS::EC2::Instance' AND configuration.state.name <> 'stopped'",
    )
    assert found == [
        {
            "resourceId": item["InstanceId"],
            "configuration": {"instanceType": item["InstanceType"], "state": {"name": "running"}},
        }
        for item in account.items("ec2", "instances", "us-east-1")
        if item["State"]["Name"] == "running"
    ]


def test_the_advanced_query_knows_in_like_and_order() -> None:
    """Several types at once, by list or by beginning."""
    cloud = cloud_of(small())
    kinds = "('AWS::EC2::Volume', 'AWS::EC2::Subnet')"
    several = selected(
        cloud, f"select resourceType, resourceId where resourceType in {kinds} order by resourceId"
    )
    alike = selected(cloud, "SELECT resourceType WHERE resourceType LIKE 'AWS::EC2::%'")
    assert [item["resourceId"] for item in several] == sorted(it["resourceId"] for it in several)
    assert {item["resourceType"] for item in several} == {"AWS::EC2::Volume", "AWS::EC2::Subnet"}
    assert {item["resourceType"] for item in alike} == {
        "AWS::EC2::Volume", "AWS::EC2::Subnet", "AWS::EC2::Instance",
    }  # fmt: skip


def test_the_advanced_query_counts() -> None:
    """Resources by their own compliance, which Config records as resources too."""
    account = small()
    rows = selected(
        cloud_of(account),
        "SELECT configuration.complianceType, COUNT(*) "
        "WHERE resourceType = 'AWS::Config::ResourceCompliance' "
        "GROUP BY configuration.complianceType",
    )
    told = {row["configuration"]["complianceType"]: row["COUNT(*)"] for row in rows}
    verdicts: dict[str, set[str]] = {}
    for item in account.items("config", "evaluations", "us-east-1"):
        qualifier = item["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
        if qualifier["EvaluationMode"] == "DETECTIVE":
            verdicts.setdefault(qualifier["ResourceId"], set()).add(item["ComplianceType"])
    bad = sum("NON_COMPLIANT" in types for types in verdicts.values())
    assert told["NON_COMPLIANT"] == bad
    assert sum(told.values()) == len(verdicts)


@pytest.mark.parametrize(
    ("where", "test"),
    [
        ("NOT resourceType LIKE 'AWS::EC2::%'", lambda it: "AWS::EC2" not in it["resourceType"]),
        ("resourceType NOT IN ('AWS::EC2::Volume')", lambda it: "Volume" not in it["resourceType"]),
        (
            "configuration.size >= 500 OR configuration.multiAZ = true",
            lambda it: (
                (dig(it, "configuration.size") or 0) >= 500
                or dig(it, "configuration.multiAZ") is True
            ),
        ),
        (
            "configuration.size BETWEEN 30 AND 110 AND (availabilityZone = 'us-east-1a' "
            "OR availabilityZone = 'us-east-1b')",
            lambda it: (
                30 <= (dig(it, "configuration.size") or 0) <= 110
                and it["availabilityZone"] in ("us-east-1a", "us-east-1b")
            ),
        ),
        ("configuration.vpcId <> 'vpc-none'", lambda it: True),
    ],
)
def test_the_advanced_query_joins_conditions(where: str, test: Callable[[Item], bool]) -> None:
    """With AND, OR, NOT and parentheses, numbers and booleans."""
    account = small()
    found = selected(cloud_of(account), f"SELECT resourceId WHERE {where}")
    expected = [item["resourceId"] for item in recorded(account) if test(item)]
    assert [row["resourceId"] for row in found] == expected
    assert expected


@pytest.mark.parametrize(
    "expression",
    [
        "DELETE FROM resources",
        "SELECT",
        "SELECT resourceId WHERE",
        "SELECT resourceId WHERE resourceType = AWS",
        "SELECT resourceId WHERE accountId = '1' OR",
        "SELECT resourceId, COUNT(*)",
        "SELECT COUNT(*) LIMIT 5",
        "SELECT a, b, c, d, COUNT(*) GROUP BY a, b, c, d",
        "SELECT resourceId WHERE (accountId = '1'",
    ],
)
def test_the_advanced_query_refuses_what_it_does_not_understand(expression: str) -> None:
    """An error, never a guess."""
    with pytest.raises(AwsError, match="InvalidExpressionException"):
        selected(cloud_of(small()), expression)


def test_config_without_a_recorder_discovers_nothing() -> None:
    """Where Config is off its discovery is an error, as in AWS."""
    account = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    params = {"resourceType": "AWS::EC2::Volume"}
    with pytest.raises(AwsError, match="NoAvailableConfigurationRecorderException"):
        ask(cloud_of(account), "config", "ListDiscoveredResources", params)


def test_config_compliance_can_be_asked_for_by_type() -> None:
    """Of rules and of results; INSUFFICIENT_DATA is no filter of results."""
    account = small()
    cloud = cloud_of(account)
    params = {"ComplianceTypes": ["NON_COMPLIANT"]}
    rules = ask(cloud, "config", "DescribeComplianceByConfigRule", params)
    results = ask(cloud, "config", "GetComplianceDetailsByConfigRule", first_rule(account) | params)
    bad = [item for item in rule_results(account) if item["ComplianceType"] == "NON_COMPLIANT"]
    assert bad
    assert results["EvaluationResults"] == bad
    assert rules["ComplianceByConfigRules"] == [
        item
        for item in expected_compliance(account)
        if item["Compliance"]["ComplianceType"] == "NON_COMPLIANT"
    ]
    wrong = first_rule(account) | {"ComplianceTypes": ["INSUFFICIENT_DATA"]}
    with pytest.raises(AwsError, match="INSUFFICIENT_DATA"):
        ask(cloud, "config", "GetComplianceDetailsByConfigRule", wrong)


def inventory(cloud: Cloud, **params: Any) -> list[Item]:
    """Entities of the inventory."""
    found: list[Item] = ask(cloud, "ssm", "GetInventory", params)["Entities"]
    return found


def test_inventory_filters_and_defaults() -> None:
    """InstanceInformation unless another type is asked for; terminated nodes can be refused."""
    account = small()
    cloud = cloud_of(account)
    everything = inventory(cloud)
    assert all(set(item["Data"]) == {"AWS:InstanceInformation"} for item in everything)
    status = "AWS:InstanceInformation.InstanceStatus"
    alive = inventory(
        cloud, Filters=[{"Key": status, "Values": ["Terminated"], "Type": "NotEqual"}]
    )
    managed = [item["InstanceId"] for item in account.items("ssm", "instances", "us-east-1")]
    assert [item["Id"] for item in alive] == managed
    assert len(everything) == len(alive) + 1
    platform = {"Key": "AWS:InstanceInformation.PlatformType", "Values": ["Windows"]}
    windows = {
        item["InstanceId"]
        for item in account.items("ssm", "instances", "us-east-1")
        if item["PlatformType"] == "Windows"
    }
    assert {item["Id"] for item in inventory(cloud, Filters=[platform])} == windows
    counts = inventory(cloud, Aggregators=[{"Expression": platform["Key"]}])
    contents = [item["Data"]["AWS:InstanceInformation"]["Content"][0] for item in counts]
    assert sum(int(item["Count"]) for item in contents) == len(everything)


def test_managed_nodes_can_be_asked_for_by_filter() -> None:
    """By a filter that exists; another is an error."""
    account = small()
    cloud = cloud_of(account)
    online = {"Filters": [{"Key": "PingStatus", "Values": ["Online"]}]}
    found = ask(cloud, "ssm", "DescribeInstanceInformation", online)["InstanceInformationList"]
    everything = account.items("ssm", "instances", "us-east-1")
    assert found == [item for item in everything if item["PingStatus"] == "Online"]
    wrong = {"Filters": [{"Key": "Colour", "Values": ["red"]}]}
    with pytest.raises(AwsError, match="InvalidFilterKey"):
        ask(cloud, "ssm", "DescribeInstanceInformation", wrong)


def test_patches_can_be_asked_for_by_state() -> None:
    """Filters write the states differently than answers do."""
    account = small()
    params = first_instance(account) | {
        "Filters": [{"Key": "State", "Values": ["InstalledOther", "Missing"]}]
    }
    found = ask(cloud_of(account), "ssm", "DescribeInstancePatches", params)["Patches"]
    everything = account.items("ssm", "patches", "us-east-1")[0]["Patches"]
    wanted = ("INSTALLED_OTHER", "MISSING")
    assert found == [item for item in everything if item["State"] in wanted]
