"""CloudTrail: trails of the region, shadows of others, and recorded events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import iso, pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

EVENTS = (
    ("ConsoleLogin", "signin.amazonaws.com", "false"),
    ("DescribeInstances", "ec2.amazonaws.com", "true"),
    ("PutBucketPolicy", "s3.amazonaws.com", "false"),
    ("AssumeRole", "sts.amazonaws.com", "true"),
)
MANAGEMENT = "999988887777"
"""The account whose organization trail all accounts see."""


@content("cloudtrail", "trails")
def trails(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeTrails' Trail whose home is the region: the first records all regions."""
    return [trail(account, region, number) for number in range(account.size.trails)]


def trail(account: Account, region: str, number: int) -> dict[str, Any]:
    """One trail; every second encrypts its files with a key and sends them on to CloudWatch."""
    name = account.words.name("trail", number, region=region)
    watched = {
        "KmsKeyId": account.arn("kms", f"key/{account.uuid('key', region, 0)}", region),
        "CloudWatchLogsLogGroupArn": account.arn("logs", "log-group:trail:*", region),
        "CloudWatchLogsRoleArn": account.arn("iam", "role/trail"),
    }
    return {
        "Name": name,
        "S3BucketName": f"trail-logs-{account.id}",
        "IncludeGlobalServiceEvents": number == 0,
        "IsMultiRegionTrail": number == 0,
        "HomeRegion": region,
        "TrailARN": account.arn("cloudtrail", f"trail/{name}", region),
        "LogFileValidationEnabled": number % 3 != 2,
        "HasCustomEventSelectors": False,
        "HasInsightSelectors": False,
        "IsOrganizationTrail": False,
        **(watched if number % 2 == 0 else {}),
    }


@content("cloudtrail", "organization_trails")
def organization_trails(account: Account, region: str) -> list[dict[str, Any]]:
    """The organization's trail, which is the management account's and seen by all."""
    if not account.size.trails:
        return []
    arn = f"arn:aws:cloudtrail:us-east-1:{MANAGEMENT}:trail/organization"
    held = trail(account, region, 1) | {"Name": "organization", "TrailARN": arn}
    return [
        held
        | {
            "S3BucketName": f"trail-logs-{MANAGEMENT}",
            "HomeRegion": "us-east-1",
            "IsMultiRegionTrail": True,
            "IsOrganizationTrail": True,
        }
    ]


@content("cloudtrail", "statuses")
def statuses(account: Account, region: str) -> list[dict[str, Any]]:
    """GetTrailStatus' answers, with the TrailARN that was asked for."""
    held = account.items("cloudtrail", "trails", region)
    held = held + account.items("cloudtrail", "organization_trails", region)
    return [status(account, number, made["TrailARN"]) for number, made in enumerate(held)]


def status(account: Account, number: int, arn: str) -> dict[str, Any]:
    """One trail's status; every fourth has been stopped, and then never delivered again."""
    stopped = number % 4 == 3
    delivered = account.ago(30 if stopped else 0, seconds=60 + number)
    return {
        "TrailARN": arn,
        "IsLogging": not stopped,
        "LatestDeliveryTime": delivered,
        "LatestDigestDeliveryTime": delivered,
        "StartLoggingTime": account.ago(400, seconds=number),
        "LatestDeliveryAttemptTime": iso(delivered),
        "LatestDeliveryAttemptSucceeded": iso(delivered),
        "TimeLoggingStarted": iso(account.ago(400, seconds=number)),
        **({"StopLoggingTime": account.ago(30)} if stopped else {}),
    }


@content("cloudtrail", "events")
def events(account: Account, region: str) -> list[dict[str, Any]]:
    """LookupEvents' Event, the newest first."""
    return [event(account, region, number) for number in range(account.size.events)]


def event(account: Account, region: str, number: int) -> dict[str, Any]:
    """One event; the older, the further apart."""
    name, source, read_only = pick(EVENTS, number)
    moment = account.ago(0, seconds=600 + number * number * 300)
    event_id = account.uuid("event", region, number)
    detail = {"eventID": event_id, "eventName": name, "awsRegion": region}
    return {
        "EventId": event_id,
        "EventName": name,
        "ReadOnly": read_only,
        "AccessKeyId": "ASIA" + account.hex(16, "access").upper(),
        "EventTime": moment,
        "EventSource": source,
        "Username": account.words.text("user", number),
        "Resources": [{"ResourceType": "AWS::IAM::Role", "ResourceName": "admin"}],
        "CloudTrailEvent": json.dumps(detail),
    }
