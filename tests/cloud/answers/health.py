"""Health: events, their details and what they touch, in us-east-1 only."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import Call, Test, answer, instant, page

MEMBERS = {
    "eventArns": "arn",
    "eventTypeCodes": "eventTypeCode",
    "services": "service",
    "regions": "region",
    "availabilityZones": "availabilityZone",
    "eventTypeCategories": "eventTypeCategory",
    "eventStatusCodes": "statusCode",
    "actionabilities": "actionability",
}
TIMES = {
    "startTimes": "startTime",
    "endTimes": "endTime",
    "lastUpdatedTimes": "lastUpdatedTime",
}


@answer("health", "DescribeEvents")
def describe_events(call: Call) -> dict[str, Any]:
    """Events that pass the filter, the one updated last first, 10 to 100 a page."""
    tests = [event_test(call, *held) for held in (call.params.get("filter") or {}).items()]
    everything = call.own_global("events")
    found = [item for item in everything if all(test(item) for test in tests)]
    chunk, more = page(call, found, token="nextToken", size="maxResults", default=100, maximum=100)
    return {"events": chunk, **more}


def event_test(call: Call, name: str, wanted: Any) -> Test:
    """One member of the filter as a test of an event."""
    if name in MEMBERS:
        return lambda item: item.get(MEMBERS[name]) in wanted
    if name in TIMES:
        return lambda item: any(within(item.get(TIMES[name]), span) for span in wanted)
    if name in ("entityArns", "entityValues"):
        member = "entityArn" if name == "entityArns" else "entityValue"
        touched = {
            held["eventArn"] for held in call.own_global("entities") if held[member] in wanted
        }
        return lambda item: item["arn"] in touched
    return lambda item: bool({*item.get("personas", [])} & {*wanted})


def within(moment: Any, span: dict[str, Any]) -> bool:
    """Whether a time is from `from` on and not after `to`; what has no time is within none."""
    start, end = span.get("from"), span.get("to")
    if moment is None:
        return False
    after = start is None or moment >= instant(start)
    return after and (end is None or moment <= instant(end))


@answer("health", "DescribeEventDetails")
def describe_event_details(call: Call) -> dict[str, Any]:
    """The descriptions of up to ten events; what is unknown comes as a failure."""
    index = {held["event"]["arn"]: held for held in call.own_global("descriptions")}
    arns = call.params["eventArns"]
    return {
        "successfulSet": [index[arn] for arn in arns if arn in index],
        "failedSet": [
            {"eventArn": arn, "errorName": "InvalidEventArn", "errorMessage": "No such event"}
            for arn in arns
            if arn not in index
        ],
    }


@answer("health", "DescribeAffectedEntities")
def describe_affected_entities(call: Call) -> dict[str, Any]:
    """What up to ten events touch."""
    held = call.params["filter"]
    statuses = held.get("statusCodes")
    found: list[Item] = [
        item
        for item in call.own_global("entities")
        if item["eventArn"] in held["eventArns"]
        and (not statuses or item["statusCode"] in statuses)
    ]
    chunk, more = page(call, found, token="nextToken", size="maxResults", default=100, maximum=100)
    return {"entities": chunk, **more}
