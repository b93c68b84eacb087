"""The regions of an account."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from observability.aws.errors import (
    CREDENTIALS_REFUSED,
    NOT_ACTIVATED,
    RegionUnreadable,
    aws_errors,
    describe_error,
)
from observability.aws.limits import within
from observability.aws.session import Aws
from observability.collecting.organization import PROBE_SECONDS
from observability.errors import UsageError
from observability.log import Log
from observability.rows import get_path
from observability.sending.summary import RunSummary
from observability.settings.sender import ALL_REGIONS, Settings

if TYPE_CHECKING:
    from mypy_boto3_account import AccountClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ssm import SSMClient


RegionsOfAccount = Callable[[], tuple[list[str], list[str]]]
"""The regions that an account has enabled, and those that it has not, read once."""


def regions_to_read(
    settings: Settings, enabled: RegionsOfAccount, note: Callable[[str, str], None]
) -> list[str]:
    """The regions to read in an account, home first: it has the most to read, and begins.

    `note` is told which of `all` are not enabled.
    """
    wanted: Sequence[str] = settings.regions
    if ALL_REGIONS in wanted:
        wanted, closed = enabled()
        for region in closed:
            note(NOT_ENABLED, region)
    return [settings.region, *(region for region in wanted if region != settings.region)]


def reading_order(settings: Settings, regions: Sequence[str]) -> list[str]:
    """The order in which an account's regions are read: home first.

    In a run over several accounts the others follow in any order. So accounts that begin at the
    same time are not all in the same region, and leave clients to each other; and if time runs
    out, it is not for the same regions each day.
    """
    home, *others = regions
    return [home, *(random.sample(others, len(others)) if settings.several else others)]


NOT_ENABLED = "not enabled"


def enabled_regions(aws: Aws) -> tuple[list[str], list[str]]:
    """The regions that are enabled in the account, and those that are not.

    Account: ListRegions, or where that is refused EC2: DescribeRegions.
    """
    client: AccountClient = aws.client("account", aws.global_region)
    try:
        pages = client.get_paginator("list_regions").paginate(PaginationConfig={"PageSize": 50})
        with within(PROBE_SECONDS):
            listed = [item for page in pages for item in page["Regions"]]
        states: dict[str, str] = {item["RegionName"]: item["RegionOptStatus"] for item in listed}
    except aws_errors() as error:
        aws.log.say("INFO", f"{describe_error(error)}; EC2 is asked for the regions")
        ec2: EC2Client = aws.client("ec2", aws.home)
        regions = ec2.describe_regions(AllRegions=True)["Regions"]
        states = {item["RegionName"]: item["OptInStatus"] for item in regions}
    enabled = ("ENABLED", "ENABLED_BY_DEFAULT", "opted-in", "opt-in-not-required")
    found = sorted(name for name, state in states.items() if state in enabled)
    return found, sorted(states.keys() - {*found})


DENIED_BY_SCP = "denied by a service control policy"


def why_closed(aws: Aws, region: str, enabled: RegionsOfAccount) -> str | None:
    """Why a region cannot be read at all, if that is so; RegionUnreadable where it should be.

    A region that is not enabled knows no credentials of the account, but so does an enabled one if
    they are a token of the global STS endpoint: only the account's own list, `enabled`, tells.
    A service control policy says that it is one; it has closed the region, not a service, if it
    denies two that policies which close regions do not spare (EC2: DescribeInstances, SSM:
    DescribeInstanceInformation). Whatever else goes wrong is the collectors' to tell.
    """
    if not aws.knows(region):
        return "no region that botocore knows (install a newer boto3)"
    try:
        with within(PROBE_SECONDS):
            ec2: EC2Client = aws.client("ec2", region)
            error = refusal(lambda: ec2.describe_instances(MaxResults=5))
            if error and code_of(error) in CREDENTIALS_REFUSED | NOT_ACTIVATED:
                return why_refused(error, region, enabled)
            if is_denied_by_scp(error):
                ssm: SSMClient = aws.client("ssm", region)
                error = refusal(lambda: ssm.describe_instance_information(MaxResults=5))
    finally:
        aws.forget(region)
    return DENIED_BY_SCP if is_denied_by_scp(error) else None


def why_refused(error: Exception, region: str, enabled: RegionsOfAccount) -> str:
    """That the account has not enabled a region which refused it; RegionUnreadable otherwise."""
    try:
        known, off = enabled()
    except aws_errors() as unknown:
        why = f"whether it is enabled could not be read: {describe_error(unknown)}"
        raise RegionUnreadable(f"{describe_error(error)}; {why}") from error
    if region in off:
        return NOT_ENABLED
    state = "is enabled" if region in known else "is in no list of the account's regions"
    raise RegionUnreadable(f"{region} {state}, but {describe_error(error)}") from error


def refusal(ask: Callable[[], object]) -> Exception | None:
    """The error that a region answers a call with, if it does."""
    try:
        ask()
    except aws_errors() as error:
        return error
    return None


def code_of(error: Exception | None) -> str:
    """AWS's code of an error."""
    return str(get_path(getattr(error, "response", None), "Error.Code"))


def is_denied_by_scp(error: Exception | None) -> bool:
    """Whether an error is a denial by a service control policy."""
    message = str(get_path(getattr(error, "response", None), "Error.Message"))
    return bool(re.search("(deny in a|because no) service control policy", message))


def check_regions(caller: Aws, settings: Settings) -> None:
    """UsageError if a region is named that does not exist: nobody would notice it missing."""
    for region in settings.regions:
        if region != ALL_REGIONS and not caller.knows(region):
            known = "check its name, or install a newer boto3"
            raise UsageError(f"REGIONS (--regions): botocore knows no region {region!r}: {known}")


def log_of_region(log: Log, settings: Settings, region: str) -> Log:
    """The log of a region, whose lines name it in the text too if it is one of several."""
    return (log.of if len(settings.regions) > 1 else log.with_fields)(region=region)


def is_closed(aws: Aws, why: Callable[[], str | None], region: str) -> str | None:
    """Why a region is left out, if it is; one that should let us in and does not is read all the
    same, so that its document says what failed.
    """
    try:
        return why()
    except RegionUnreadable as error:
        aws.log.say("ERROR", describe_error(error), region=region)
        return None


def fail_region(aws: Aws, summary: RunSummary, region: str, error: Exception) -> None:
    """A region of an account could not be read."""
    aws.log.say("ERROR", f"{region}: {describe_error(error)}", region=region)
    summary.fail(aws.account, f"{region}: {describe_error(error)}")


UPLOADED = "uploaded earlier today"


def leave_out(aws: Aws, summary: RunSummary, why: str, region: str) -> None:
    """A region of an account is not read, and that is no failure.

    No document is expected of it, unless there is one already.
    """
    if why != UPLOADED:
        summary.regions.get(aws.account, set()).discard(region)
    aws.log.say("INFO", f"{region} is left out: {why}", region=region)
    summary.leave_out(f"region {region}, {why}", aws.account)
