"""Support: Trusted Advisor and cases, in us-east-1 only."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, answer, find, instant, page

LANGUAGES = ("de", "en", "es", "fr", "id", "it", "ja", "ko", "pt_BR", "zh", "zh_TW")


def refused(message: str) -> AwsError:
    """The error of a parameter that Support does not accept."""
    return AwsError("ValidationException", message)


@answer("support", "DescribeTrustedAdvisorChecks")
def describe_trusted_advisor_checks(call: Call) -> dict[str, Any]:
    """All checks; the API has no pages."""
    if call.params["language"] not in LANGUAGES:
        raise refused(f"Invalid language code: {call.params['language']}")
    return {"checks": call.own_global("checks")}


@answer("support", "DescribeTrustedAdvisorCheckResult")
def describe_trusted_advisor_check_result(call: Call) -> dict[str, Any]:
    """One check's result with the resources that it flags."""
    return {"result": the_result(call, call.params["checkId"])}


def the_result(call: Call, check_id: str) -> Item:
    """The result of the check of that identifier."""
    held = find(call.own_global("results"), "checkId", check_id)
    if held is None:
        raise refused(f"Unable to find check: {check_id}")
    return held


@answer("support", "DescribeTrustedAdvisorCheckSummaries")
def describe_trusted_advisor_check_summaries(call: Call) -> dict[str, Any]:
    """Results of many checks at once, without the resources."""
    found = [the_result(call, check_id) for check_id in call.params["checkIds"]]
    return {
        "summaries": [
            {name: value for name, value in held.items() if name != "flaggedResources"}
            | {"hasFlaggedResources": bool(held["flaggedResources"])}
            for held in found
        ]
    }


@answer("support", "DescribeCases")
def describe_cases(call: Call) -> dict[str, Any]:
    """Cases with something said within the time asked for, resolved ones only if asked for."""
    ids = call.params.get("caseIdList")
    known = {held["caseId"] for held in call.own_global("cases")}
    for case_id in ids or []:
        if case_id not in known:
            raise AwsError("CaseIdNotFound", f"Case ID not found: {case_id}")
    found = [held for held in call.own_global("cases") if chosen(held, call.params)]
    chunk, more = page(call, found, token="nextToken", size="maxResults", default=10, maximum=100)
    if not call.params.get("includeCommunications", True):
        chunk = [without(held, "recentCommunications") for held in chunk]
    return {"cases": chunk, **more}


def without(held: Item, member: str) -> Item:
    """An item less one member."""
    return {name: value for name, value in held.items() if name != member}


def chosen(held: Item, params: dict[str, Any]) -> bool:
    """Whether a case is one that the request is about."""
    ids, display = params.get("caseIdList"), params.get("displayId")
    if (ids and held["caseId"] not in ids) or (display and held["displayId"] != display):
        return False
    if held["status"] == "resolved" and not params.get("includeResolvedCases", False):
        return False
    said = held["recentCommunications"]["communications"]
    times = [instant(spoken["timeCreated"]) for spoken in said]
    return any(within(moment, params) for moment in times)


def within(moment: Any, params: dict[str, Any]) -> bool:
    """Whether something was said within the time asked for."""
    try:
        after, before = (
            instant(params[name]) if params.get(name) else None
            for name in ("afterTime", "beforeTime")
        )
    except ValueError as error:
        raise refused(f"Invalid date: {error}") from None
    return (after is None or moment >= after) and (before is None or moment <= before)
