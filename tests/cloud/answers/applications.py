"""Application Signals and Resilience Hub."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, answer, find, instant, page

SUMMARY = (
    "appArn",
    "assessmentSchedule",
    "complianceStatus",
    "creationTime",
    "description",
    "driftStatus",
    "lastAppComplianceEvaluationTime",
    "name",
    "resiliencyScore",
    "rpoInSecs",
    "rtoInSecs",
    "status",
)
"""The members of an application that the list has."""

FILTERS = ("appArn", "awsApplicationArn", "name")
ASSESSED = ("fromLastAssessmentTime", "toLastAssessmentTime")


@answer("application-signals", "ListServices")
def list_services(call: Call) -> dict[str, Any]:
    """Services seen within the time asked for, a day at most."""
    start, end = instant(call.params["StartTime"]), instant(call.params["EndTime"])
    if end <= start:
        raise AwsError("ValidationException", "StartTime must be before EndTime.")
    if end - start > timedelta(hours=24):
        message = "The time range must not be longer than 24 hours."
        raise AwsError("ValidationException", message)
    pairs = zip(call.own("services"), call.own("seen"), strict=True)
    found = [held for held, span in pairs if span["since"] < end]
    chunk, more = page(call, found, default=50, maximum=100)
    return {"StartTime": start, "EndTime": end, "ServiceSummaries": chunk, **more}


def hub_page(call: Call, found: list[Item]) -> tuple[list[Item], dict[str, str]]:
    """A page of a Resilience Hub list."""
    return page(call, found, token="nextToken", size="maxResults", default=100, maximum=100)


@answer("resiliencehub", "ListApps")
def list_apps(call: Call) -> dict[str, Any]:
    """Summaries of applications, by the time of their last assessment."""
    params = call.params
    used = [name for name in FILTERS if name in params]
    if len(used) + any(name in params for name in ASSESSED) > 1:
        message = "Only one filter is supported for this operation."
        raise AwsError("ValidationException", message)
    found = [
        held
        for held in call.own("apps")
        if all(held.get(name) == params[name] for name in used) and assessed_within(held, params)
    ]
    oldest = call.account.created
    found.sort(
        key=lambda held: held.get("lastAppComplianceEvaluationTime", oldest),
        reverse=params.get("reverseOrder", False),
    )
    summaries = [{name: held[name] for name in SUMMARY if name in held} for held in found]
    chunk, more = hub_page(call, summaries)
    return {"appSummaries": chunk, **more}


def assessed_within(held: Item, params: dict[str, Any]) -> bool:
    """Whether an application's last assessment lies within the bounds, if any are given."""
    start, end = (params.get(name) for name in ASSESSED)
    if start is None and end is None:
        return True
    moment = held.get("lastAppComplianceEvaluationTime")
    if moment is None:
        return False
    after = start is None or moment >= instant(start)
    return bool(after and (end is None or moment <= instant(end)))


def the_app(call: Call) -> Item:
    """The application that the request names."""
    held = find(call.own("apps"), "appArn", call.params["appArn"])
    if held is None:
        raise AwsError("ResourceNotFoundException", "App not found.", 404)
    return held


@answer("resiliencehub", "DescribeApp")
def describe_app(call: Call) -> dict[str, Any]:
    """One application."""
    return {"app": the_app(call)}


@answer("resiliencehub", "DescribeResiliencyPolicy")
def describe_resiliency_policy(call: Call) -> dict[str, Any]:
    """One policy, with a target for each kind of disruption."""
    held = find(call.own("policies"), "policyArn", call.params["policyArn"])
    if held is None:
        raise AwsError("ResourceNotFoundException", "Policy not found.", 404)
    return {"policy": held}


@answer("resiliencehub", "ListAppAssessments")
def list_app_assessments(call: Call) -> dict[str, Any]:
    """Assessments of one application or of all, the oldest first unless reversed."""
    params = call.params
    wanted = params.get("appArn")
    if wanted:
        the_app(call)
    found = [
        held
        for held in call.own("assessments")
        if (not wanted or held["appArn"] == wanted)
        and held["assessmentStatus"] in params.get("assessmentStatus", ["Success"])
        and held["complianceStatus"] == params.get("complianceStatus", held["complianceStatus"])
        and held["invoker"] == params.get("invoker", held["invoker"])
    ]
    found.sort(key=lambda held: held["startTime"], reverse=params.get("reverseOrder", False))
    chunk, more = hub_page(call, found)
    return {"assessmentSummaries": chunk, **more}
