"""An organization, and what its views tell of all its accounts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.accounts import GLOBAL, Cloud, Item
from tests.cloud.answers import AwsError
from tests.cloud.organization import Organization
from tests.cloud.tests.answering import (
    ONE,
    TWO,
    Listing,
    ask,
    cloud_of,
    held,
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
