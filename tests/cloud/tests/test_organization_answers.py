"""An organization, and what its views tell of all its accounts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.cloud import Account
from tests.cloud.accounts import GLOBAL, Aggregator, Cloud, Item
from tests.cloud.answers import AwsError
from tests.cloud.organization import Organization
from tests.cloud.tests.answering import (
    ONE,
    REGIONS,
    TWO,
    Listing,
    ask,
    cloud_of,
    expected_compliance,
    first_rule,
    held,
    recorded,
    rule_results,
    small,
)

# An organization's views


def test_an_organizations_health_is_its_accounts_together() -> None:
    """Public events once, those of an account with the account that they are about."""
    account, member = small(), small(TWO)
    cloud = cloud_of(account, member, page_size=5)
    organization = in_organization(cloud)
    with pytest.raises(AwsError, match="no access to the organization"):
        ask(cloud, "health", "DescribeEventsForOrganization")
    organization.health_view = True
    listing = Listing(
        "health",
        "DescribeEventsForOrganization",
        "events",
        truth=held("health", "events", GLOBAL),
        token="nextToken",
    )
    found = [item["arn"] for item in listing.everything(cloud)]
    own, theirs = ({it["arn"] for it in one.items("health", "events")} for one in (account, member))
    assert set(found) == own | theirs
    assert len(found) == len(set(found))
    assert own & theirs
    for arn in found:
        response = ask(
            cloud, "health", "DescribeAffectedAccountsForOrganization", {"eventArn": arn}
        )
        about = [name for name, arns in ((ONE, own), (TWO, theirs)) if arn in arns]
        public = len(about) == 2
        assert response["eventScopeCode"] == ("PUBLIC" if public else "ACCOUNT_SPECIFIC")
        assert response["affectedAccounts"] == ([] if public else about)
    only = listing.everything(cloud, filter={"awsAccountIds": [TWO], "services": ["EC2"]})
    assert {item["arn"] for item in only} == {
        item["arn"] for item in member.items("health", "events") if item["service"] == "EC2"
    }
    with pytest.raises(AwsError, match="SubscriptionRequiredException"):
        ask(cloud, "health", "DescribeEventsForOrganization", account=TWO)
    organization.delegate(member, "health.amazonaws.com")
    assert ask(cloud, "health", "DescribeEventsForOrganization", account=TWO)["events"]


def in_organization(cloud: Cloud) -> Organization:
    """An organization of all accounts, the first being its payer."""
    payer, *members = cloud.accounts.values()
    organization = Organization(payer)
    cloud.organizations.append(organization)
    for member in members:
        organization.join(member)
    return organization


def test_an_organizations_enrollment_is_that_of_its_accounts() -> None:
    """By status; the management account is no member, and one that is not enrolled has nothing."""
    account, member = small(), small(TWO)
    cloud = cloud_of(account, member)
    organization = in_organization(cloud)
    named = ("compute-optimizer", "GetEnrollmentStatusesForOrganization")
    for status, lists in (("Active", 1), ("Inactive", 0)):
        member.replace(
            "compute-optimizer", "enrollment", GLOBAL,
            [{"status": status, "lastUpdatedTimestamp": account.ago(1)}],
        )  # fmt: skip
        [told] = ask(cloud, *named)["accountEnrollmentStatuses"]
        assert (told["accountId"], told["status"]) == (TWO, status)
        active = {"filters": [{"name": "Status", "values": ["Active"]}]}
        assert len(ask(cloud, *named, active)["accountEnrollmentStatuses"]) == lists
    with pytest.raises(AwsError, match="OptInRequiredException"):
        ask(cloud, "compute-optimizer", "GetEBSVolumeRecommendations", account=TWO)
    with pytest.raises(AwsError, match="AccessDeniedException"):
        ask(cloud, *named, account=TWO)
    organization.delegate(member, "compute-optimizer.amazonaws.com")
    assert ask(cloud, *named, account=TWO)["accountEnrollmentStatuses"]


def aggregating(*aggregators: Aggregator) -> Account:
    """An account with aggregators."""
    return replace(small(), aggregators=aggregators)


def test_an_aggregator_holds_what_its_accounts_hold() -> None:
    """Resources, compliance and results of all accounts in all their regions."""
    account, member = aggregating(Aggregator("all", "us-east-1", (ONE, TWO))), small(TWO)
    cloud = cloud_of(account, member)
    [told] = ask(cloud, "config", "DescribeConfigurationAggregators")["ConfigurationAggregators"]
    named = {"ConfigurationAggregatorName": told["ConfigurationAggregatorName"]}
    listing = Listing(
        "config",
        "SelectAggregateResourceConfig",
        "Results",
        truth=held("config", "resources"),
        params=lambda account: named | {"Expression": "SELECT accountId, resourceId"},
    )
    rows = [json.loads(row) for row in listing.everything(cloud)]
    assert [(row["accountId"], row["resourceId"]) for row in rows] == [
        (one.id, item["resourceId"])
        for one in (account, member)
        for region in REGIONS
        for item in recorded(one, region)
    ]
    rules = ask(cloud, "config", "DescribeAggregateComplianceByConfigRules", named | {
        "Filters": {"AccountId": TWO, "AwsRegion": "us-east-1"}})  # fmt: skip
    assert rules["AggregateComplianceByConfigRules"] == [
        item | {"AccountId": TWO, "AwsRegion": "us-east-1"} for item in expected_compliance(member)
    ]
    place = {"AccountId": TWO, "AwsRegion": "us-east-1"}
    results = ask(cloud, "config", "GetAggregateComplianceDetailsByConfigRule",
                  named | place | first_rule(member))  # fmt: skip
    expected = [item | place for item in rule_results(member)]
    assert results["AggregateEvaluationResults"] == expected
    with pytest.raises(AwsError, match="NoSuchConfigurationAggregatorException"):
        ask(cloud, "config", "SelectAggregateResourceConfig",
            named | {"Expression": "SELECT accountId"}, account=TWO)  # fmt: skip


def test_an_aggregator_says_what_it_does_not_hold() -> None:
    """What it could not read is not there, what is outdated is there in part, nor other types."""
    behind = {(TWO, "us-east-1"): "FAILED", (TWO, "eu-west-1"): "OUTDATED"}
    kinds = ("AWS::EC2::Volume",)
    account = aggregating(
        Aggregator("all", "us-east-1", (ONE, TWO), behind=behind),
        Aggregator("some", "us-east-1", (ONE,), types=kinds),
        Aggregator("elsewhere", "eu-west-1", (ONE, TWO)),
    )
    cloud = cloud_of(account, small(TWO), page_size=1)
    cloud.organizations.append(Organization(account))
    told = aggregators("DescribeConfigurationAggregators", "ConfigurationAggregators").everything(
        cloud
    )
    assert [held["ConfigurationAggregatorName"] for held in told] == ["all", "some"]
    assert [held.get("AggregatorFilters", {}).get("ResourceType") for held in told] == [
        None,
        {"Type": "INCLUDE", "Value": [*kinds]},
    ]
    states = sources_of(cloud, "all")
    assert [held for held in states if held[0] == TWO] == [
        (TWO, "us-east-1", "FAILED"), (TWO, "eu-west-1", "OUTDATED")
    ]  # fmt: skip
    assert [held for held in states if held[2] == "SUCCEEDED"] == sources_of(
        cloud, "all", UpdateStatus=["SUCCEEDED"]
    )
    assert {held[0] for held in states} == {cloud.organizations[0].id, ONE, TWO}
    cloud.page_size = None
    [row] = aggregate(cloud, "all", f"SELECT accountId, COUNT(*) WHERE accountId = '{TWO}' "
                                    "GROUP BY accountId")  # fmt: skip
    assert row["COUNT(*)"] == (len(recorded(cloud.accounts[TWO], "eu-west-1")) + 1) // 2
    found = aggregate(cloud, "some", "SELECT resourceType, COUNT(*) GROUP BY resourceType")
    assert [held["resourceType"] for held in found] == [*kinds]


def sources_of(cloud: Cloud, name: str, **params: Any) -> list[tuple[str, str | None, str]]:
    """(id, region, status) of an aggregator's sources."""
    named = {"ConfigurationAggregatorName": name, **params}
    found = aggregators(
        "DescribeConfigurationAggregatorSourcesStatus", "AggregatedSourceStatusList"
    ).everything(cloud, **named)
    return [(one["SourceId"], one.get("AwsRegion"), one["LastUpdateStatus"]) for one in found]


def aggregators(operation: str, member: str) -> Listing:
    """What Config lists about aggregators."""
    return Listing("config", operation, member, truth=lambda _: [])


def aggregate(cloud: Cloud, name: str, expression: str) -> list[Item]:
    """Rows of the advanced query over an aggregator."""
    params = {"ConfigurationAggregatorName": name, "Expression": expression}
    found = ask(cloud, "config", "SelectAggregateResourceConfig", params)["Results"]
    return [json.loads(row) for row in found]


# Organizations


def organization(members: int) -> tuple[Cloud, Organization, str]:
    """A payer, and members in a unit below a unit; the cloud, and that unit."""
    accounts = [small(str(int(ONE) + number)) for number in range(members + 1)]
    made = Organization(accounts[0])
    unit = made.unit("Europe", made.unit("Shops"))
    for account in accounts[1:]:
        made.join(account, unit, customer=f"Customer {account.id}")
    cloud = cloud_of(*accounts)
    cloud.organizations.append(made)
    return cloud, made, unit


def listed(
    cloud: Cloud, operation: str, member: str, account: str = ONE, **params: Any
) -> list[Item]:
    """All items of a listing of AWS Organizations, over all its pages."""
    found: list[Item] = []
    token: dict[str, str] = {}
    while True:
        response = ask(cloud, "organizations", operation, params | token, account)
        found += response[member]
        if "NextToken" not in response:
            return found
        token = {"NextToken": response["NextToken"]}


def test_an_organization_lists_its_accounts_twenty_at_a_time() -> None:
    cloud, made, unit = organization(45)
    everybody = listed(cloud, "ListAccounts", "Accounts")
    assert [held["Id"] for held in everybody] == list(cloud.accounts)
    assert len(ask(cloud, "organizations", "ListAccounts")["Accounts"]) == 20
    assert listed(cloud, "ListAccountsForParent", "Accounts", ParentId=unit) == everybody[1:]
    payer = listed(cloud, "ListAccountsForParent", "Accounts", ParentId=made.root)
    assert payer == everybody[:1]
    described = ask(cloud, "organizations", "DescribeAccount", {"AccountId": ONE})
    assert described["Account"] == everybody[0]
    assert cloud.accounts[ONE].payer_for == tuple(cloud.accounts)[1:]


def test_units_hang_below_units_and_accounts_have_tags() -> None:
    cloud, made, unit = organization(1)
    [root] = listed(cloud, "ListRoots", "Roots")
    assert root["Id"] == made.root
    units = {"operation": "ListOrganizationalUnitsForParent", "member": "OrganizationalUnits"}
    [shops] = listed(cloud, **units, ParentId=root["Id"])
    [europe] = listed(cloud, **units, ParentId=shops["Id"])
    assert (shops["Name"], europe["Name"], europe["Id"]) == ("Shops", "Europe", unit)
    member = list(cloud.accounts)[1]
    tags = listed(cloud, "ListTagsForResource", "Tags", ResourceId=member)
    assert tags == [{"Key": "customer", "Value": f"Customer {member}"}]


def test_members_know_their_organization_and_administrators_all_of_it() -> None:
    cloud, made, _ = organization(2)
    _, security, plain = cloud.accounts
    made.delegate(cloud.accounts[security], "securityhub.amazonaws.com")
    for account in cloud.accounts:
        told = ask(cloud, "organizations", "DescribeOrganization", account=account)
        assert told["Organization"]["MasterAccountId"] == ONE
    with pytest.raises(AwsError, match="AccessDeniedException: You don't have permissions"):
        ask(cloud, "organizations", "ListAccounts", account=plain)
    assert len(listed(cloud, "ListAccounts", "Accounts", security)) == 3
    administrators = {
        "operation": "ListDelegatedAdministrators",
        "member": "DelegatedAdministrators",
    }
    [found] = listed(cloud, **administrators, ServicePrincipal="securityhub.amazonaws.com")
    assert found["Id"] == security
    assert not listed(cloud, **administrators, ServicePrincipal="guardduty.amazonaws.com")
    assert cloud.accounts[security].delegated_for == (ONE, plain)


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("DescribeAccount", {"AccountId": TWO}, "AccountNotFoundException"),
        ("ListTagsForResource", {"ResourceId": TWO}, "TargetNotFoundException"),
        ("ListAccountsForParent", {"ParentId": "r-none"}, "ParentNotFoundException"),
    ],
)
def test_an_organization_knows_what_it_lacks(
    operation: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(AwsError, match=code):
        ask(organization(1)[0], "organizations", operation, params)


def test_an_account_in_no_organization_is_told_so() -> None:
    with pytest.raises(AwsError, match="AWSOrganizationsNotInUseException"):
        ask(cloud_of(small()), "organizations", "DescribeOrganization")
