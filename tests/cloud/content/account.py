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
    required = {
        "FullName": "Jürgen O'Neil",
        "AddressLine1": 'Straße des 17. Juni "135"',
        "City": "Zürich",
        "PostalCode": "8001",
        "CountryCode": "CH",
        "PhoneNumber": "+41 44 555-0100",
    }
    optional = {
        "AddressLine2": "Gebäude 2",
        "AddressLine3": "c/o Müller & Söhne",
        "StateOrRegion": "Zürich (ZH)",
        "DistrictOrCounty": "Altstadt",
        "CompanyName": "O'Neil & Söhne AG",
        "WebsiteUrl": "https://example.com/über?uns=1&x=2",
    }
    return [required | (optional if account.size.contacts else {})]


@content("account", "alternates")
def alternates(account: Account, region: str) -> list[dict[str, Any]]:
    """GetAlternateContact's AlternateContact for each type that is set."""
    people = (
        ("BILLING", "Zoë Billing", "Head of “Billing”", "+1 (206) 555-0101"),
        ("OPERATIONS", "操作 太郎", "On-call", "+81 3-5555-0102"),
        ("SECURITY", "Seán O'Security", "CISO", "+353 1 555 0103"),
    )
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
        for kind, name, title, phone in people
    ]
