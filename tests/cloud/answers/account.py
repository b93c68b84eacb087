"""Account Management, and nothing that needs the organization."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import OPT_IN_REGIONS, Account
from tests.cloud.answers.core import AwsError, Call, answer, find, page


def asked_for(call: Call) -> Account:
    """The account that the request names: the caller's own by default, or one that it manages."""
    wanted = call.params.get("AccountId")
    if wanted is None:
        return call.account
    if wanted in call.account.payer_for:
        return call.cloud.accounts[wanted]
    message = "User is not authorized to access another account's information."
    raise AwsError("AccessDeniedException", message, 403)


@answer("account", "GetAccountInformation")
def get_account_information(call: Call) -> dict[str, Any]:
    """Name, creation date and state."""
    return asked_for(call).items("account", "information")[0]


@answer("account", "GetContactInformation")
def get_contact_information(call: Call) -> dict[str, Any]:
    """The primary contact."""
    return {"ContactInformation": asked_for(call).items("account", "contact")[0]}


@answer("account", "GetAlternateContact")
def get_alternate_contact(call: Call) -> dict[str, Any]:
    """One alternate contact; ResourceNotFoundException where none of that type is set."""
    alternates = asked_for(call).items("account", "alternates")
    found = find(alternates, "AlternateContactType", call.params["AlternateContactType"])
    if found is None:
        message = "No contact of the inputted alternate contact type found."
        raise AwsError("ResourceNotFoundException", message, 404)
    return {"AlternateContact": found}


@answer("account", "ListRegions")
def list_regions(call: Call) -> dict[str, Any]:
    """The regions that the account uses, and those that it has not opted in to."""
    wanted = call.params.get("RegionOptStatusContains")
    account = asked_for(call)
    states = {
        name: "ENABLED" if name in OPT_IN_REGIONS else "ENABLED_BY_DEFAULT"
        for name in account.regions
    } | {name: "DISABLED" for name in OPT_IN_REGIONS if account.is_off(name)}
    found = [
        {"RegionName": name, "RegionOptStatus": state}
        for name, state in sorted(states.items())
        if not wanted or state in wanted
    ]
    chunk, more = page(call, found, default=20, maximum=50)
    return {"Regions": chunk, **more}
