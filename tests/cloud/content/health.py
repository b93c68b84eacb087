"""Health: issues, notifications and changes to come, and what they touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

KINDS = (
    ("EC2", "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", "scheduledChange"),
    ("RDS", "AWS_RDS_OPERATIONAL_ISSUE", "issue"),
    ("BILLING", "AWS_BILLING_NOTIFICATION", "accountNotification"),
    ("LAMBDA", "AWS_LAMBDA_RUNTIME_DEPRECATION_SCHEDULED", "scheduledChange"),
    ("ABUSE", "AWS_ABUSE_DOS_REPORT", "investigation"),
)
STATUSES = ("open", "closed", "upcoming", "closed")


@content("health", "events")
def events(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeEvents' Event, the one updated last first."""
    found = [event(account, number) for number in range(account.size.health_events)]
    return sorted(found, key=lambda held: held["lastUpdatedTime"], reverse=True)


def event(account: Account, number: int) -> dict[str, Any]:
    """One event; a third were updated yesterday; those that go on have no end.

    Every fourth is public, and the same for all accounts; billing's are of no region.
    """
    service, code, category = pick(KINDS, number)
    status = pick(STATUSES, number)
    place = "global" if service == "BILLING" else pick(account.regions, number)
    public = number % 4 == 3
    suffix = f"PUBLIC_{number}" if public else account.hex(20, "event", number)
    days = 0 if number % 3 == 0 else number % 85
    started = account.ago(-5 if status == "upcoming" else days + 1, seconds=number)
    ends = {"open": {}, "closed": {"endTime": account.ago(days, seconds=number + 1)}}
    return {
        "arn": f"arn:aws:health:{place}::event/{service}/{code}/{code}_{suffix}",
        "service": service,
        "eventTypeCode": code,
        "eventTypeCategory": category,
        "region": place,
        **({"availabilityZone": f"{place}a"} if place != "global" and number % 5 == 0 else {}),
        "startTime": started,
        **ends.get(status, {"endTime": account.ago(-6)}),
        "lastUpdatedTime": account.ago(days, seconds=1 + number * 389 % 80_000),
        "statusCode": status,
        "eventScopeCode": "PUBLIC" if public else "ACCOUNT_SPECIFIC",
        "actionability": pick(("ACTION_REQUIRED", "INFORMATIONAL"), number),
        "personas": [pick(("OPERATIONS", "SECURITY", "BILLING"), number)],
    }


@content("health", "entities")
def entities(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeAffectedEntities' AffectedEntity: two instances of each event about EC2.

    Without tags: botocore 1.44.6 has taken away `tags`, which AWS never filled, and AWS fills
    `resourceTags` only for who has configured keys for it.
    """
    return [
        {
            "entityArn": account.arn("health", f"entity/{entity_id}", held["region"]),
            "eventArn": held["arn"],
            "entityValue": server["InstanceId"],
            "awsAccountId": account.id,
            "lastUpdatedTime": held["lastUpdatedTime"],
            "statusCode": pick(("IMPAIRED", "PENDING"), step),
        }
        for held in account.items("health", "events")
        if held["service"] == "EC2"
        for step, server in enumerate(account.items("ec2", "instances", held["region"])[:2])
        for entity_id in [account.hex(40, held["arn"], step)]
    ]
