"""Account Management: account information, contact information, alternate contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content

if TYPE_CHECKING:
    from tests.cloud.accounts import Account


@content("account", "information")
def information(account: Account, region: str) -> list[dict[str, Any]]:
    """GetAccountInformation's answer."""
    return [
        {
            "AccountId": account.id,
            "AccountName": account.name,
            "AccountCreatedDate": account.created,
            "AccountState": "ACTIVE",
        }
    ]


@content("account", "contact")
def contact(account: Account, region: str) -> list[dict[str, Any]]:
    """GetContactInformation's ContactInformation; every account was opened with one."""
    required, optional = account.words.contact
    return [{**required, **(optional if account.size.contacts else {})}]


@content("account", "alternates")
def alternates(account: Account, region: str) -> list[dict[str, Any]]:
    """GetAlternateContact's AlternateContact for each type that is set."""
    if not account.size.contacts:
        return []
    return [
        {
            "AlternateContactType": kind,
            "Name": name,
            "Title": title,
            "EmailAddress": f"{kind.lower()}+{account.id[-4:]}@example.com",
            "PhoneNumber": phone,
        }
        for kind, name, title, phone in account.words.people
    ]
