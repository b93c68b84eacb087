"""CloudTrail: trails, their status and recorded events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.cloud.accounts import Account, Item
from tests.cloud.answers.core import AwsError, Call, answer, find, instant, page

ATTRIBUTES = {
    "EventId": "EventId",
    "EventName": "EventName",
    "EventSource": "EventSource",
    "ReadOnly": "ReadOnly",
    "Username": "Username",
    "AccessKeyId": "AccessKeyId",
}


def shadows(account: Account, region: str) -> list[Item]:
    """The multi-region trails of other regions, and the organization's."""
    found = [
        held
        for other in account.regions
        if other != region
        for held in account.items("cloudtrail", "trails", other)
        if held["IsMultiRegionTrail"]
    ]
    return found + account.items("cloudtrail", "organization_trails", region)


@answer("cloudtrail", "DescribeTrails")
def describe_trails(call: Call) -> dict[str, Any]:
    """The region's trails and, unless they are not wanted, shadows of others; no pages."""
    found = list(call.own("trails"))
    names = call.params.get("trailNameList")
    if call.params.get("includeShadowTrails", True):
        found += shadows(call.account, call.region)
    if names:
        found = [held for held in found if held["Name"] in names or held["TrailARN"] in names]
    return {"trailList": found}


@answer("cloudtrail", "GetTrailStatus")
def get_trail_status(call: Call) -> dict[str, Any]:
    """A trail's status, by name in its home region, by ARN anywhere."""
    wanted = call.params["Name"]
    named = find(call.own("trails"), "Name", wanted)
    arn = named["TrailARN"] if named else wanted
    for region in (call.region, *call.account.regions):
        held = find(call.account.items("cloudtrail", "statuses", region), "TrailARN", arn)
        if held:
            return {name: value for name, value in held.items() if name != "TrailARN"}
    message = f"Unknown trail: {wanted} for the user: {call.account.id}"
    raise AwsError("TrailNotFoundException", message)


@answer("cloudtrail", "LookupEvents")
def lookup_events(call: Call) -> dict[str, Any]:
    """Management events of the last 90 days, the newest first, 50 a page."""
    attributes = call.params.get("LookupAttributes") or []
    if len(attributes) > 1:
        message = "You can specify only one lookup attribute."
        raise AwsError("InvalidLookupAttributesException", message)
    start, end = window(call)
    found = [
        held
        for held in call.own("events")
        if start <= held["EventTime"] <= end and all(meets(held, test) for test in attributes)
    ]
    found.sort(key=lambda held: held["EventTime"], reverse=True)
    chunk, more = page(call, found, default=50, maximum=50)
    return {"Events": chunk, **more}


def window(call: Call) -> tuple[Any, Any]:
    """The span that is looked through, both ends included."""
    now = call.cloud.now()
    start = instant(call.params.get("StartTime") or now - timedelta(days=90))
    end = instant(call.params.get("EndTime") or now)
    if start > end:
        message = "Start time must be before or equal to the end time."
        raise AwsError("InvalidTimeRangeException", message)
    return max(start, now - timedelta(days=90)), end


def meets(held: Item, condition: dict[str, str]) -> bool:
    """Whether an event has the attribute looked for."""
    key, value = condition["AttributeKey"], condition["AttributeValue"]
    if key in ATTRIBUTES:
        return bool(held[ATTRIBUTES[key]] == value)
    return any(resource[key] == value for resource in held["Resources"])
