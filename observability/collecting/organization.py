"""What an organization tells of its accounts, and the way into them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.cache import Lazy
from observability.aws.errors import (
    DENIED,
    LACKING,
    NOT_HERE,
    OFF,
    ExpectedError,
    aws_errors,
    classify_error,
)
from observability.aws.limits import within
from observability.aws.session import Aws
from observability.contract import SKIPPED
from observability.rows import get_path
from observability.settings.sender import Settings
from observability.settings.values import TAGS, Target

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient


PROBE_SECONDS = 60.0
"""Time for what is asked before an account or a region is read; who is throttled for longer has
not answered.
"""


class OrganizationDirectory:
    """What an organization tells a run's caller about accounts: it tells its payer and
    administrators only.

    It is asked about the caller's own account first. Who may not know of that one is told of none,
    which so costs a call per run, not one per account.
    """

    def __init__(self, caller: Aws, read: Callable[[Aws, str], Mapping[str, Any]]) -> None:
        self.caller, self.read = caller, read
        self._silence = Lazy(self._why_silent)

    def of(self, account: str) -> tuple[Mapping[str, Any] | None, str]:
        """What is told of an account, or why nothing is; raises what says neither."""
        if why := self._silence():
            return None, why
        try:
            return self.read(self.caller, account), ""
        except aws_errors() as error:
            meaning, what, _ = classify_error(error)
            if meaning != SKIPPED:
                raise
            return None, what

    def _why_silent(self) -> str:
        """Why nothing is told of any account; nothing if that is not so, or not known."""
        try:
            with within(PROBE_SECONDS):
                self.read(self.caller, self.caller.account)
        except aws_errors() as error:
            meaning, what, _ = classify_error(error)
            denied = get_path(getattr(error, "response", None), "Error.Code") in DENIED
            return what if denied or meaning == SKIPPED else ""
        return ""


def read_tags(caller: Aws, account: str) -> Mapping[str, str]:
    """The tags that an organization has given an account (Organizations: ListTagsForResource).

    AWS allows no commas in them, so products are separated by colons there.
    """
    client: OrganizationsClient = caller.client("organizations", caller.global_region)
    pages = client.get_paginator("list_tags_for_resource").paginate(ResourceId=account)
    found = {item["Key"].lower(): item["Value"] for page in pages for item in page["Tags"]}
    found["product"] = found.get("product", "").replace(":", ",")
    return {name: found[name] for name in TAGS if found.get(name)}


def read_membership(caller: Aws, account: str) -> Mapping[str, Any]:
    """What an organization knows of an account (Organizations: DescribeAccount)."""
    client: OrganizationsClient = caller.client("organizations", caller.global_region)
    return client.describe_account(AccountId=account)["Account"]


def tags_of(
    caller: Aws, directory: OrganizationDirectory, settings: Settings, target: Target
) -> Mapping[str, str]:
    """An account's tags: the file's if it gives any, else the organization's.

    Where tags are not for the caller to know, the account has those of the settings. An error
    that does not say so is raised: the account must not be loaded under wrong tags.
    """
    if target.tags:
        return target.tags
    if settings.organization:
        return read_tags(caller, target.account)
    found, why = directory.of(target.account)
    if why:
        caller.log.log_once(
            f"accounts have the settings' tags where AWS Organizations tells none: {why}"
        )
    return found or {}


def assume_account_role(caller: Aws, settings: Settings, account: str) -> Aws:
    """AWS as an account's role, or as the caller where it is the caller's own account.

    It may take its share of the run's time. AWS is asked whether the role lets us in.
    """
    role = f"arn:{caller.partition}:iam::{account}:role/{settings.role_name.removeprefix('/')}"
    is_own = account == caller.account
    credentials = caller.credentials if is_own else caller.assume(role, settings.external_id)
    deadline = time.monotonic() + settings.account_time_limit
    aws = Aws(
        settings.region,
        caller.log.of(account=account),
        min(caller.deadline, deadline),
        credentials=credentials,
        limited="the account" if deadline < caller.deadline else "the run",
        caller=caller,
    )
    try:
        aws.identify()
    except aws_errors():
        aws.close()
        raise
    return aws


def payer(caller: Aws) -> str:
    """The account that pays for the caller's organization (Organizations: DescribeOrganization)."""
    client: OrganizationsClient = caller.client("organizations", caller.global_region)
    return client.describe_organization()["Organization"]["MasterAccountId"]


NOT_IN_ORGANIZATION = "they are not in the organization"

ORGANIZATIONS_ERRORS = (
    ExpectedError(
        "organizations", "AccessDeniedException", OFF,
        "the organization tells its members nothing about them",
        "You don't have permissions to access this resource",
    ),
    ExpectedError("organizations", "AWSOrganizationsNotInUseException", OFF, "in no organization"),
    ExpectedError("organizations", "AccountNotFoundException", OFF, "in no organization"),
    ExpectedError(
        "organizations:ListTagsForResource", "InvalidInputException", OFF, NOT_IN_ORGANIZATION
    ),
    ExpectedError(
        "organizations:ListTagsForResource", "TargetNotFoundException", OFF, NOT_IN_ORGANIZATION
    ),
    ExpectedError("organizations", "UnsupportedAPIEndpointException", NOT_HERE, LACKING),
)  # fmt: skip
