"""AWS Organizations, as the management account, an administrator and a plain member see it."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, answer, page
from tests.cloud.organization import Member, Organization, Unit

MOST = 20
"""Accounts, units and the like on a page."""


def organization_of(call: Call, *, administrators: bool = True) -> Organization:
    """The caller's organization; what concerns others is for its administrators."""
    found = call.cloud.organization_of(call.account.id)
    if found is None:
        message = "Your account is not a member of an organization."
        raise AwsError("AWSOrganizationsNotInUseException", message)
    if administrators and not found.administers(call.account.id):
        message = "You don't have permissions to access this resource."
        raise AwsError("AccessDeniedException", message)
    return found


def account_item(organization: Organization, member: Member) -> Item:
    """The model's Account; Status knows fewer states than State, which follows it."""
    account = member.account
    status = "SUSPENDED" if member.state == "CLOSED" else member.state
    return {
        "Id": account.id,
        "Arn": organization.arn(f"account/{organization.id}/{account.id}"),
        "Email": account.email,
        "Name": account.name,
        "State": member.state,
        "JoinedMethod": member.joined,
        "JoinedTimestamp": member.since,
    } | ({} if status == "PENDING_ACTIVATION" else {"Status": status})


def unit_item(organization: Organization, unit: Unit) -> Item:
    """The model's OrganizationalUnit."""
    arn = organization.arn(f"ou/{organization.id}/{unit.id}")
    return {"Id": unit.id, "Arn": arn, "Name": unit.name}


@answer("organizations", "DescribeOrganization")
def describe_organization(call: Call) -> dict[str, Any]:
    """The organization, which each member may see."""
    found = organization_of(call, administrators=False)
    payer = found.payer
    return {
        "Organization": {
            "Id": found.id,
            "Arn": found.arn(f"organization/{found.id}"),
            "FeatureSet": "ALL",
            "MasterAccountArn": found.arn(f"account/{found.id}/{payer.id}"),
            "MasterAccountId": payer.id,
            "MasterAccountEmail": payer.email,
            "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
        }
    }


@answer("organizations", "DescribeAccount")
def describe_account(call: Call) -> dict[str, Any]:
    """One account."""
    found = organization_of(call)
    member = found.members.get(call.params["AccountId"])
    if member is None:
        message = "You specified an account that doesn't exist."
        raise AwsError("AccountNotFoundException", message)
    return {"Account": account_item(found, member)}


@answer("organizations", "ListAccounts")
def list_accounts(call: Call) -> dict[str, Any]:
    """All accounts, in whatever state, the management account too."""
    found = organization_of(call)
    held = [account_item(found, member) for member in found.members.values()]
    chunk, more = page(call, held, default=MOST, maximum=MOST)
    return {"Accounts": chunk, **more}


@answer("organizations", "ListRoots")
def list_roots(call: Call) -> dict[str, Any]:
    """The one root."""
    found = organization_of(call)
    root = {
        "Id": found.root,
        "Arn": found.arn(f"root/{found.id}/{found.root}"),
        "Name": "Root",
        "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
    }
    chunk, more = page(call, [root], default=MOST, maximum=MOST)
    return {"Roots": chunk, **more}


def parent_of(call: Call, organization: Organization) -> str:
    """The root or unit that is asked about."""
    parent: str = call.params["ParentId"]
    if parent != organization.root and parent not in organization.units:
        message = "You specified parent that doesn't exist."
        raise AwsError("ParentNotFoundException", message)
    return parent


@answer("organizations", "ListOrganizationalUnitsForParent")
def list_units(call: Call) -> dict[str, Any]:
    """The units right below the root or a unit."""
    found = organization_of(call)
    parent = parent_of(call, found)
    held = [unit_item(found, unit) for unit in found.units.values() if unit.parent == parent]
    chunk, more = page(call, held, default=MOST, maximum=MOST)
    return {"OrganizationalUnits": chunk, **more}


@answer("organizations", "ListAccountsForParent")
def list_accounts_of(call: Call) -> dict[str, Any]:
    """The accounts right below the root or a unit."""
    found = organization_of(call)
    parent = parent_of(call, found)
    members = (member for member in found.members.values() if member.parent == parent)
    held = [account_item(found, member) for member in members]
    chunk, more = page(call, held, default=MOST, maximum=MOST)
    return {"Accounts": chunk, **more}


@answer("organizations", "ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    """The tags of an account; those of units and the root are not used."""
    found = organization_of(call)
    member = found.members.get(call.params["ResourceId"])
    if member is None:
        message = "You specified a target that doesn't exist."
        raise AwsError("TargetNotFoundException", message)
    held = [{"Key": key, "Value": value} for key, value in member.tags.items()]
    chunk, more = page(call, held, size=None, default=50)
    return {"Tags": chunk, **more}


@answer("organizations", "ListDelegatedAdministrators")
def list_administrators(call: Call) -> dict[str, Any]:
    """The accounts that administer a service, or any, for the organization."""
    found = organization_of(call)
    wanted = call.params.get("ServicePrincipal")
    held = [
        account_item(found, member) | {"DelegationEnabledDate": min(member.services.values())}
        for member in found.members.values()
        if member.services and (wanted is None or wanted in member.services)
    ]
    chunk, more = page(call, held, default=MOST, maximum=MOST)
    return {"DelegatedAdministrators": chunk, **more}
