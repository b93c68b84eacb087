"""The accounts of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from observability.aws.session import Aws
from observability.errors import UsageError
from observability.settings.sender import Settings
from observability.settings.values import Target

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_organizations.type_defs import AccountTypeDef


def find_targets(caller: Aws, settings: Settings, note: Callable[[str, str], None]) -> list[Target]:
    """The accounts of a run over several; `note` is told what is left out, and which account.

    UsageError if there is none: such a run would look as if all were well.
    """
    found = (
        organization_targets(caller, settings, note) if settings.organization else settings.accounts
    )
    for account in settings.exclude_accounts:
        known = account in {target.account for target in found}
        note("excluded" if known else "excluded, but not among the accounts anyway", account)
    targets = [target for target in found if target.account not in settings.exclude_accounts]
    if not targets:
        raise UsageError("no account is left that the run could read")
    return targets


def organization_targets(
    caller: Aws, settings: Settings, note: Callable[[str, str], None]
) -> list[Target]:
    """The organization's active accounts, or those below its units (Organizations: ListAccounts).

    UsageError if a unit is not there: accounts would be missed, or read that should not be.
    """
    client: OrganizationsClient = caller.client("organizations", caller.global_region)
    if settings.include_ou or settings.exclude_ou:
        listed = accounts_below(client, settings)
    else:
        pages = client.get_paginator("list_accounts").paginate()
        listed = [item for page in pages for item in page["Accounts"]]
    targets = {}
    for item in listed:
        state = item.get("State") or item["Status"]
        if state == "ACTIVE":
            targets[item["Id"]] = Target(item["Id"], listed=item)
        else:
            note(state.lower().replace("_", " "), item["Id"])
    return list(targets.values())


def accounts_below(client: OrganizationsClient, settings: Settings) -> list[AccountTypeDef]:
    """The accounts in the units to read and in all units below those that are not left out.

    Organizations: ListRoots, ListAccountsForParent, ListOrganizationalUnitsForParent.
    """
    pages = client.get_paginator("list_roots").paginate()
    roots = [item["Id"] for page in pages for item in page["Roots"]]
    for unit in settings.include_ou:
        check_unit(client, unit)
    waiting = list(settings.include_ou or roots)
    found: list[AccountTypeDef] = []
    met: set[str] = set()
    while waiting:
        parent = waiting.pop()
        known = parent in met
        met.add(parent)
        if known or parent in settings.exclude_ou:
            continue
        accounts = client.get_paginator("list_accounts_for_parent").paginate(ParentId=parent)
        found += [item for page in accounts for item in page["Accounts"]]
        units = client.get_paginator("list_organizational_units_for_parent")
        below = units.paginate(ParentId=parent)
        waiting += [item["Id"] for page in below for item in page["OrganizationalUnits"]]
    if unknown := set(settings.exclude_ou) - met:
        raise UsageError(f"--exclude-ou: {', '.join(sorted(unknown))} is in none of the units read")
    return found


def check_unit(client: OrganizationsClient, unit: str) -> None:
    """UsageError if the organization has no such unit (ListOrganizationalUnitsForParent)."""
    missing = client.exceptions.ParentNotFoundException, client.exceptions.InvalidInputException
    try:
        client.list_organizational_units_for_parent(ParentId=unit, MaxResults=1)
    except missing:
        raise UsageError(f"--include-ou: {unit} is no unit of the organization") from None
