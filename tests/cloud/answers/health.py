"""Health: events, their details and what they touch, in us-east-1 only."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Account
from tests.cloud.answers.core import AwsError, Call, Test, answer, instant, page

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


# An organization's view, which its management account or delegated administrator has


def organization(call: Call) -> list[Account]:
    """The accounts of the view, once it is turned on, for those who administer it."""
    found = call.cloud.organization_of(call.account.id)
    if not found or not found.administers(call.account.id, "health.amazonaws.com"):
        message = "The account is not a delegated administrator of the organization."
        raise AwsError("SubscriptionRequiredException", message)
    if not found.health_view:
        message = "AWS Health has no access to the organization."
        raise AwsError("SubscriptionRequiredException", message)
    return [member.account for member in found.members.values()]


@answer("health", "DescribeEventsForOrganization")
def describe_events_for_organization(call: Call) -> dict[str, Any]:
    """Events of all accounts, each once however many accounts it is about."""
    wanted = dict(call.params.get("filter") or {})
    accounts = wanted.pop("awsAccountIds", None)
    tests = [organization_test(*held) for held in wanted.items()]
    found = {
        item["arn"]: {name: item[name] for name in item if name != "availabilityZone"}
        for account in organization(call)
        if not accounts or account.id in accounts
        for item in account.items("health", "events")
        if all(test(item) for test in tests)
    }
    newest = sorted(found.values(), key=lambda item: item["lastUpdatedTime"], reverse=True)
    chunk, more = page(call, newest, token="nextToken", size="maxResults", default=100, maximum=100)
    return {"events": chunk, **more}


def organization_test(name: str, wanted: Any) -> Test:
    """One member of the organization's filter, whose times are single spans."""
    if name in TIMES.values():
        return lambda item: within(item.get(name), wanted)
    if name in MEMBERS:
        return lambda item: item.get(MEMBERS[name]) in wanted
    raise AwsError("ValidationException", f"Filtering by {name} is not supported here.")


@answer("health", "DescribeAffectedAccountsForOrganization")
def describe_affected_accounts_for_organization(call: Call) -> dict[str, Any]:
    """The accounts that an event is about, none of a public one."""
    arn = call.params["eventArn"]
    about = {
        account.id: item["eventScopeCode"]
        for account in organization(call)
        for item in account.items("health", "events")
        if item["arn"] == arn
    }
    scope = next(iter(about.values()), "NONE")
    found = [*about] if scope == "ACCOUNT_SPECIFIC" else []
    chunk, more = page(call, found, token="nextToken", size="maxResults", default=100, maximum=100)
    return {"affectedAccounts": chunk, "eventScopeCode": scope, **more}
