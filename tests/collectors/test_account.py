"""The account: who it is, its contacts, and what its organization says of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from observability.collecting.run import Run
from observability.collectors.account import account_details, alternate_contact_row, contact_row
from observability.log import Log
from observability.settings.sender import Settings
from tests.cloud import Account, EmbeddedCloud, Size
from tests.cloud.organization import Organization
from tests.collectors.conftest import Play
from tests.collectors.examples import examples
from tests.collectors.losses import Denial, Off, without
from tests.collectors.reading import without_bucket
from tests.collectors.registry import MadeOf
from tests.conftest import REGIONS, MakeAccount
from tests.runs import Document, send

HOME, OTHER = REGIONS
REGION = "eu-west-1"
SETTINGS = Settings(region=REGION, regions=(REGION,))
DENIALS: Mapping[str, Denial] = {
    "account:GetAccountInformation": Denial(
        ("account",), {"account": without("account_name", "account_status", "joined_timestamp")}
    ),
    "account:GetContactInformation": Denial(("account",), {"account": without("contact_info")}),
    "account:GetAlternateContact": Denial(("account",), {"account": without("alternate_contacts")}),
    "organizations:DescribeAccount": Denial(("account",)),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "organizations": Off("in no organization", passed=("account",)),
}

MADE_OF: Mapping[str, MadeOf] = {
    "contact": (contact_row, "account", "GetContactInformation", "ContactInformation"),
    "alternate": (
        alternate_contact_row,
        "account",
        "GetAlternateContact",
        "AlternateContact",
    ),
}

EXAMPLES = {
    "member": "organizations:DescribeAccount",
    "identity": "sts:GetCallerIdentity",
}

# Pages


def test_the_account_is_what_account_management_knows(account: Account, whole: Document) -> None:
    held = whole["account"]
    information = account.items("account", "information")[0]
    contact = account.items("account", "contact")[0]
    assert {name: held[name] for name in ("account_id", "account_name", "account_status")} == {
        "account_id": account.id,
        "account_name": information["AccountName"],
        "account_status": information["AccountState"],
    }
    assert datetime.fromisoformat(held["joined_timestamp"]) == account.created
    assert held["account_arn"] == f"arn:aws:iam::{account.id}:root"
    tags = ("customer_name", "partner_name", "category", "account_type", "product", "region")
    assert [held[name] for name in tags] == [
        "Example Corp", "Example Partner", "Production", "production", "Shop,Billing", HOME,
    ]  # fmt: skip
    assert held["contact_info"] == {
        "full_name": contact["FullName"],
        "company_name": contact["CompanyName"],
        "address_line1": contact["AddressLine1"],
        "address_line2": contact["AddressLine2"],
        "address_line3": contact["AddressLine3"],
        "city": contact["City"],
        "state_or_region": contact["StateOrRegion"],
        "postal_code": contact["PostalCode"],
        "country_code": contact["CountryCode"],
        "phone_number": contact["PhoneNumber"],
        "website_url": contact["WebsiteUrl"],
    }
    assert held["alternate_contacts"] == {
        contact["AlternateContactType"].lower(): {
            "name": contact["Name"],
            "title": contact["Title"],
            "email": contact["EmailAddress"],
            "phone": contact["PhoneNumber"],
        }
        for contact in account.items("account", "alternates")
    }


def test_an_organization_tells_email_and_how_the_account_joined(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.empty())
    embedded.cloud.organizations.append(Organization(account))
    organizations = embedded.client("organizations", account.id)
    known = organizations.describe_account(AccountId=account.id)["Account"]
    held = send(without_bucket(embedded, account), tmp_path, "--only", "account").document[
        "account"
    ]
    assert held["account_email"] == known["Email"]
    assert held["account_arn"] == known["Arn"]
    assert held["joined_method"] == known["JoinedMethod"]
    joined = datetime.fromisoformat(held["joined_timestamp"])
    assert joined == known["JoinedTimestamp"]
    assert held["account_name"] == account.name


# An account that holds nothing


def test_an_empty_account_has_only_the_contact_that_it_was_opened_with(
    empty: tuple[int, Document],
) -> None:
    _, document = empty
    held = document["account"]
    assert held["alternate_contacts"] == {"billing": None, "operations": None, "security": None}
    assert held["contact_info"]["full_name"]
    assert held["contact_info"]["website_url"] is None


# Text and rows


@pytest.mark.parametrize(
    ("information", "member", "name", "status"),
    [
        ({"AccountName": "own", "AccountState": "ACTIVE"}, {"Name": "org", "Status": "SUSPENDED"},
         "own", "ACTIVE"),
        ({}, {"Name": "org", "Status": "SUSPENDED"}, "org", "SUSPENDED"),
        ({}, {"Name": "org", "State": "CLOSED", "Status": "SUSPENDED"}, "org", "CLOSED"),
        ({"AccountName": "own"}, {}, "own", None),
        ({}, {}, None, None),
    ],
)  # fmt: skip
def test_an_account_is_what_it_says_itself_and_else_what_its_organization_says(
    information: dict[str, str], member: dict[str, str], name: str | None, status: str | None
) -> None:
    aws = Run(SETTINGS, Log()).caller
    aws.identity = {"Account": "111122223333", "Arn": "arn:aws-cn:iam::111122223333:user/x"}
    row = account_details(aws, information, member)
    assert (row["account_name"], row["account_status"]) == (name, status)
    assert row["account_arn"] == "arn:aws-cn:iam::111122223333:root"


def test_a_member_of_an_organization(play: Play) -> None:
    held = play("account", member=0)["account"]
    assert held["account_email"] == "anika@example.com"
    arn = "arn:aws:organizations::111111111111:account/o-exampleorgid/555555555555"
    assert held["account_arn"] == arn
    assert held["joined_method"] is None


@pytest.mark.parametrize("number", range(len(examples(EXAMPLES["identity"]))))
def test_whoever_calls_the_account_is_the_same(number: int, play: Play) -> None:
    document = play("account", identity=number)
    assert document["meta"]["account_id"] == document["account"]["account_id"] == "123456789012"
    assert document["account"]["account_arn"] == "arn:aws:iam::123456789012:root"
