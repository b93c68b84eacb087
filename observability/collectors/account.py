"""account: who the account is, and whom AWS would reach for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.errors import NO_VALUE, ExpectedError, aws_errors
from observability.aws.limits import within
from observability.aws.session import Aws
from observability.collecting.collector import ALWAYS, NOW, Collector, Probe
from observability.collecting.organization import ORGANIZATIONS_ERRORS, read_membership
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.run import AccountRun
from observability.collecting.scan import Scan
from observability.dates import to_iso
from observability.rows import Row, RowMapper

if TYPE_CHECKING:
    from mypy_boto3_account import AccountClient
    from mypy_boto3_account.literals import AlternateContactTypeType


CONTACT_TYPES: tuple[AlternateContactTypeType, ...] = ("BILLING", "OPERATIONS", "SECURITY")

contact_row = RowMapper(
    full_name="FullName", company_name="CompanyName", address_line1="AddressLine1",
    address_line2="AddressLine2", address_line3="AddressLine3", city="City",
    state_or_region="StateOrRegion", postal_code="PostalCode", country_code="CountryCode",
    phone_number="PhoneNumber", website_url="WebsiteUrl",
)  # fmt: skip
CONTACTS = ("contact_info", "alternate_contacts")
"""What the account's object has of contacts, in the home region's document."""
alternate_contact_row = RowMapper(
    name="Name", title="Title", email="EmailAddress", phone="PhoneNumber"
)


def account_row(scan: Scan) -> Row:
    """What every document says of its account: who it is and how it is tagged."""
    settings = scan.settings
    return {
        "account_id": scan.account,
        "region": scan.region,
        "partner_name": settings.partner,
        "customer_name": settings.customer,
        "category": settings.category,
        "account_type": settings.environment,
    }


def get_account_details(scan: Scan, result: CategoryResult) -> None:
    """Name, state and email of the account; in the home region also contacts (Account: Get…)."""
    details, refused = scan.of_account.once(read_account)
    for error in refused:
        result.record_error(error)
    if result.problems or result.minor_problems:
        result.unread.add("")
    # Not in documents without this category, of which the receiver would add them all the same.
    if scan.settings.no_personal_data:
        details = details | {"account_email": None}
    result.head(details | {"product": scan.settings.product})
    result.rows += 1
    if scan.home and not scan.settings.no_personal_data:
        result.head(read_contacts(scan, result))
    else:
        result.unread.update(CONTACTS)


def read_contacts(scan: Scan, result: CategoryResult) -> Row:
    """Whom to reach (Account: GetContactInformation, GetAlternateContact)."""
    client: AccountClient = scan.global_client("account")

    def alternate(kind: AlternateContactTypeType) -> Row:
        answer = client.get_alternate_contact(AlternateContactType=kind)
        return alternate_contact_row(answer["AlternateContact"])

    none: Row = {}
    contact = result.try_read(
        lambda: contact_row(client.get_contact_information()["ContactInformation"]),
        absent=none,
        fills=["contact_info"],
    )
    alternates = map_items(
        scan.aws, CONTACT_TYPES, alternate, result, absent=none, fills=["alternate_contacts"]
    )
    known = {kind.lower(): contact or None for kind, contact in alternates}
    return {"contact_info": contact or None, "alternate_contacts": known}


def read_account(account: AccountRun) -> tuple[Row, list[Exception]]:
    """What all documents of an account say of it, and what AWS refused to tell.

    Account: GetAccountInformation.
    """
    aws = account.aws
    client: AccountClient = aws.client("account", aws.global_region)
    refused: list[Exception] = []

    def ask(read: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return read()
        except aws_errors() as error:
            refused.append(error)
            return {}

    found = ask(client.get_account_information)
    member = ask(lambda: membership(account))
    return account_details(aws, found, member), refused


def membership(account: AccountRun) -> Mapping[str, Any]:
    """What the organization knows of the account: by its list, else as it tells the run's caller,
    else as it tells the account itself, which it does not if that is a plain member.
    """
    aws, run = account.aws, account.run
    if account.listed:
        return account.listed
    if aws.account != run.caller.account:
        with within(aws.time_left()):
            found, _ = run.memberships.of(aws.account)
        if found:
            return found
    return read_membership(aws, aws.account)


def account_details(aws: Aws, found: Mapping[str, Any], member: Mapping[str, Any]) -> Row:
    """The account by its own information and by its organization's."""
    root = f"arn:{aws.partition}:iam::{aws.account}:root"
    return {
        "account_name": found.get("AccountName") or member.get("Name"),
        "account_email": member.get("Email"),
        "account_status": found.get("AccountState") or member.get("State") or member.get("Status"),
        "account_arn": member.get("Arn") or root,
        "joined_method": member.get("JoinedMethod"),
        "joined_timestamp": to_iso(
            member.get("JoinedTimestamp") or found.get("AccountCreatedDate")
        ),
    }


EXPECTED_ERRORS = (
    ExpectedError("account", "ResourceNotFoundException", NO_VALUE),
    *ORGANIZATIONS_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="account",
    collect=get_account_details,
    scope=ALWAYS,
    backfill=NOW,
    essential=True,
    lists=(),
    fields=("", *CONTACTS, "product"),
    actions=(
        "sts:GetCallerIdentity",
        "account:GetAccountInformation",
        "account:GetContactInformation",
        "account:GetAlternateContact",
        "organizations:DescribeAccount",
    ),
    resources={
        "account:GetAccountInformation": ("account::${AWS::AccountId}:account",),
        "account:GetContactInformation": ("account::${AWS::AccountId}:account",),
        "account:GetAlternateContact": ("account::${AWS::AccountId}:account",),
        "organizations:DescribeAccount": (
            "organizations::*:account/o-*/${AWS::AccountId}",
        ),  # the management account owns it; its id is not known
    },
    probes=(
        Probe("sts:GetCallerIdentity"),
        Probe("account:GetAccountInformation"),
        Probe("account:GetContactInformation"),
        Probe("account:GetAlternateContact", {"AlternateContactType": "BILLING"}),
        Probe("organizations:DescribeAccount", lambda scan: {"AccountId": scan.account}),
    ),
    personal=("account:GetContactInformation", "account:GetAlternateContact"),
    expected_errors=EXPECTED_ERRORS,
)
