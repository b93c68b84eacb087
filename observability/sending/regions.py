"""The regions of an account."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from observability.aws.errors import aws_errors, describe_error
from observability.aws.limits import within
from observability.aws.session import Aws
from observability.collecting.organization import PROBE_SECONDS
from observability.errors import UsageError
from observability.log import Log
from observability.rows import get_path
from observability.settings.sender import ALL_REGIONS, Settings

if TYPE_CHECKING:
    from mypy_boto3_account import AccountClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ssm import SSMClient


def regions_to_read(aws: Aws, settings: Settings, note: Callable[[str, str], None]) -> list[str]:
    """The regions to read in an account, home first: it has the most to read, and begins.

    `note` is told which of `all` are not enabled.
    """
    wanted: Sequence[str] = settings.regions
    if ALL_REGIONS in wanted:
        wanted, closed = enabled_regions(aws)
        for region in closed:
            note(NOT_ENABLED, region)
    return [settings.region, *(region for region in wanted if region != settings.region)]


NOT_ENABLED = "not enabled"


def enabled_regions(aws: Aws) -> tuple[list[str], list[str]]:
    """The regions that are enabled in the account, and those that are not.

    Account: ListRegions, or where that is refused EC2: DescribeRegions.
    """
    client: AccountClient = aws.client("account", aws.global_region)
    try:
        pages = client.get_paginator("list_regions").paginate(PaginationConfig={"PageSize": 50})
        with within(PROBE_SECONDS):
            listed = [held for page in pages for held in page["Regions"]]
        states: dict[str, str] = {held["RegionName"]: held["RegionOptStatus"] for held in listed}
    except aws_errors() as error:
        aws.log.say("INFO", f"{describe_error(error)}; EC2 is asked for the regions")
        ec2: EC2Client = aws.client("ec2", aws.home)
        regions = ec2.describe_regions(AllRegions=True)["Regions"]
        states = {held["RegionName"]: held["OptInStatus"] for held in regions}
    enabled = ("ENABLED", "ENABLED_BY_DEFAULT", "opted-in", "opt-in-not-required")
    found = sorted(name for name, state in states.items() if state in enabled)
    return found, sorted(states.keys() - {*found})


DENIED_BY_SCP = "denied by a service control policy"


def why_closed(aws: Aws, region: str, *, enabled: bool) -> str | None:
    """Why a region cannot be read at all, if that is so.

    A region that is not enabled knows no credentials of the account; one that the account calls
    `enabled` has to, and is read to show what it says. A service control policy says that it is
    one; it has closed the region, not a service, if it denies two that policies which close
    regions do not spare (EC2: DescribeInstances, SSM: DescribeInstanceInformation). Whatever else
    goes wrong is the collectors' to tell.
    """
    if not aws.knows(region):
        return "no region that botocore knows (install a newer boto3)"
    try:
        with within(PROBE_SECONDS):
            ec2: EC2Client = aws.client("ec2", region)
            why = refusal(lambda: ec2.describe_instances(MaxResults=5))
            if why == DENIED_BY_SCP:
                ssm: SSMClient = aws.client("ssm", region)
                why = refusal(lambda: ssm.describe_instance_information(MaxResults=5))
    finally:
        aws.forget(region)
    return None if enabled and why == NOT_ENABLED else why


def refusal(ask: Callable[[], object]) -> str | None:
    """Why a region does not answer a call, if it is closed."""
    try:
        ask()
    except aws_errors() as error:
        told = get_path(getattr(error, "response", None), "Error") or {}
        if told.get("Code") in ("AuthFailure", "OptInRequired"):
            return NOT_ENABLED
        if re.search("(deny in a|because no) service control policy", told.get("Message", "")):
            return DENIED_BY_SCP
    return None


def check_regions(caller: Aws, settings: Settings) -> None:
    """UsageError if a region is named that does not exist: nobody would notice it missing."""
    for region in settings.regions:
        if region != ALL_REGIONS and not caller.knows(region):
            known = "check its name, or install a newer boto3"
            raise UsageError(f"REGIONS (--regions): botocore knows no region {region!r}: {known}")


def log_of_region(log: Log, settings: Settings, region: str) -> Log:
    """The log of a region, whose lines name it in the text too if it is one of several."""
    return (log.of if len(settings.regions) > 1 else log.with_fields)(region=region)
