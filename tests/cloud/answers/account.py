"""Account Management, and nothing that needs the organization."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Account
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
    """The regions that the account uses."""
    wanted = call.params.get("RegionOptStatusContains")
    found = [
        {"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"}
        for name in sorted(asked_for(call).regions)
        if not wanted or "ENABLED_BY_DEFAULT" in wanted
    ]
    chunk, more = page(call, found, default=20, maximum=50)
    return {"Regions": chunk, **more}
