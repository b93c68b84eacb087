"""Inspector: findings by criteria, and whether scanning is on."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import Call, Test, answer, instant, page, remembered

MEMBERS = {"findingType": "type", "findingStatus": "status"}
"""Criteria that are named differently than the finding's member."""


@answer("inspector2", "ListFindings")
def list_findings(call: Call) -> dict[str, Any]:
    """Findings that meet all criteria; a delegated administrator sees its members' too."""
    found = remembered(call, lambda: matching(call), "nextToken", "maxResults")
    # The model allows 100 to be asked for, but a response holds 25 at most.
    chunk, more = page(call, found, token="nextToken", size="maxResults", default=25, maximum=25)
    return {"findings": chunk, **more}


def matching(call: Call) -> list[Item]:
    """All findings that the request asks for."""
    criteria = call.params.get("filterCriteria") or {}
    tests = [criterion(name, wanted) for name, wanted in criteria.items()]
    return [item for item in call.visible("findings") if all(test(item) for test in tests)]


def criterion(name: str, wanted: list[dict[str, Any]]) -> Test:
    """A finding meets one criterion if it meets any of its conditions (none, if negative)."""
    member = MEMBERS.get(name, name)
    if name.endswith("At"):
        return lambda item: any(within(item[member], held) for held in wanted)
    if name == "resourceId":
        return lambda item: any(meets(held["id"], wanted) for held in item["resources"])
    return lambda item: meets(item.get(member), wanted)


def within(moment: Any, condition: dict[str, Any]) -> bool:
    """Whether a time lies within a condition's bounds, both included."""
    start, end = condition.get("startInclusive"), condition.get("endInclusive")
    after = start is None or moment >= instant(start)
    return after and (end is None or moment <= instant(end))


def meets(value: Any, wanted: list[dict[str, Any]]) -> bool:
    """String conditions on one value."""
    refused = [held["value"] for held in wanted if held["comparison"] == "NOT_EQUALS"]
    if value in refused:
        return False
    rest = [held for held in wanted if held["comparison"] != "NOT_EQUALS"]
    return not rest or any(equals(str(value), held) for held in rest)


def equals(value: str, condition: dict[str, Any]) -> bool:
    """One positive condition."""
    if condition["comparison"] == "PREFIX":
        return value.startswith(condition["value"])
    return bool(value == condition["value"])


@answer("inspector2", "ListMembers")
def list_members(call: Call) -> dict[str, Any]:
    """The accounts that the caller administers."""
    found = [
        {
            "accountId": account.id,
            "relationshipStatus": "ENABLED",
            "delegatedAdminAccountId": call.account.id,
            "updatedAt": account.ago(200),
        }
        for account in call.members()
    ]
    chunk, more = page(call, found, token="nextToken", size="maxResults", default=50, maximum=50)
    return {"members": chunk, **more}
