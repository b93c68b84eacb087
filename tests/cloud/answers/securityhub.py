"""Security Hub: DescribeHub and GetFindings with its filters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, Test, answer, dig, instant, page, remembered

PATHS = {
    "ComplianceStatus": "Compliance.Status",
    "SeverityLabel": "Severity.Label",
    "SeverityNormalized": "Severity.Normalized",
    "WorkflowStatus": "Workflow.Status",
}
"""Filters whose attribute is not at the top of a finding under the filter's own name."""

COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted,
    "NOT_EQUALS": lambda value, wanted: value != wanted,
    "PREFIX": lambda value, wanted: value.startswith(wanted),
    "PREFIX_NOT_EQUALS": lambda value, wanted: not value.startswith(wanted),
    "CONTAINS": lambda value, wanted: wanted in value,
    "NOT_CONTAINS": lambda value, wanted: wanted not in value,
}


@answer("securityhub", "ListMembers")
def list_members(call: Call) -> dict[str, Any]:
    """The accounts that the caller administers."""
    found = [
        {
            "AccountId": account.id,
            "Email": account.email,
            "AdministratorId": call.account.id,
            "MemberStatus": "Enabled",
            "UpdatedAt": account.ago(200),
        }
        for account in call.members()
    ]
    chunk, more = page(call, found, default=50, maximum=50)
    return {"Members": chunk, **more}


@answer("securityhub", "GetFindings")
def get_findings(call: Call) -> dict[str, Any]:
    """Findings that pass all filters, sorted as asked; a delegated administrator sees members'."""
    found = remembered(call, lambda: matching(call), "NextToken", "MaxResults")
    chunk, more = page(call, found, default=100, maximum=100)
    return {"Findings": chunk, **more}


def matching(call: Call) -> list[Item]:
    """All findings that the request asks for."""
    filters = call.params.get("Filters") or {}
    if len(filters) > 10:
        raise AwsError("InvalidInputException", "At most 10 finding attributes can be filtered.")
    tests = [attribute_test(call, name, wanted) for name, wanted in filters.items() if wanted]
    found = [item for item in call.visible("findings") if all(test(item) for test in tests)]
    for criterion in reversed(call.params.get("SortCriteria") or []):
        path = PATHS.get(criterion["Field"], criterion["Field"])
        found.sort(
            key=lambda item, path=path: sort_key(path, item),  # type: ignore[misc]
            reverse=criterion.get("SortOrder") == "desc",
        )
    return found


def sort_key(path: str, item: Item) -> str:
    """Times sort as times, whatever the form that a product wrote them in."""
    value = dig(item, path)
    return instant(value).isoformat() if path.endswith("At") and value else str(value)


def attribute_test(call: Call, name: str, wanted: list[dict[str, Any]]) -> Test:
    """A finding passes one attribute's filters as AWS joins them.

    Positive conditions are joined by OR, negative ones by AND.
    """
    if len(wanted) > 20:
        raise AwsError("InvalidInputException", f"At most 20 values can be given for {name}.")
    if name.endswith("At"):
        spans = [span(call, condition) for condition in wanted]
        return lambda item: any(inside(item.get(name), start, end) for start, end in spans)
    if name in ("ResourceId", "ResourceType"):
        member = name.removeprefix("Resource")
        return lambda item: passes([dig(held, member) for held in item["Resources"]], wanted)
    path = PATHS.get(name, name)
    return lambda item: passes([dig(item, path)], wanted)


def span(call: Call, condition: dict[str, Any]) -> tuple[Any, Any]:
    """A DateFilter as (start, end), both included; a DateRange counts days back from now."""
    if "DateRange" in condition:
        held = condition["DateRange"]
        edge = call.cloud.now() - timedelta(days=held["Value"])
        return (None, edge) if held.get("Comparison") == "OLDER_THAN" else (edge, None)
    start, end = condition.get("Start"), condition.get("End")
    try:
        return (start and instant(start), end and instant(end))
    except ValueError as error:
        raise AwsError("InvalidInputException", f"Invalid date: {error}") from None


def inside(value: Any, start: Any, end: Any) -> bool:
    """Whether a finding's time lies within the span."""
    if value is None:
        return False
    moment = instant(value)
    return (start is None or moment >= start) and (end is None or moment <= end)


def passes(values: list[Any], wanted: list[dict[str, Any]]) -> bool:
    """String conditions on the values of one attribute."""
    texts = [str(value) for value in values if value is not None]
    positive = [held for held in wanted if "NOT" not in held["Comparison"]]
    negative = [held for held in wanted if "NOT" in held["Comparison"]]
    if positive and not any(compare(text, held) for text in texts for held in positive):
        return False
    return all(compare(text, held) for text in texts for held in negative)


def compare(text: str, condition: dict[str, Any]) -> bool:
    """One condition on one value."""
    return COMPARISONS[condition["Comparison"]](text, condition["Value"])
