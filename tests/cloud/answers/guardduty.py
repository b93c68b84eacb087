"""GuardDuty: detectors, identifiers of findings by criteria, findings by identifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import (
    AwsError,
    Call,
    Test,
    answer,
    dig,
    find,
    grouped,
    instant,
    page,
    remembered,
)

BAD_DETECTOR = (
    "The request is rejected because the input detectorId is not owned by the current account."
)


@answer("guardduty", "ListDetectors")
def list_detectors(call: Call) -> dict[str, Any]:
    """The detector of the region, if GuardDuty is on."""
    ids = [held["DetectorId"] for held in call.own("detectors")]
    chunk, more = page(call, ids, default=50, maximum=50)
    return {"DetectorIds": chunk, **more}


def detector(call: Call) -> Item:
    """The detector that the request names; one of another account is refused."""
    held = find(call.own("detectors"), "DetectorId", call.params["DetectorId"])
    if held is None:
        raise AwsError("BadRequestException", BAD_DETECTOR)
    return held


@answer("guardduty", "ListMembers")
def list_members(call: Call) -> dict[str, Any]:
    """The accounts that the caller administers, and their detectors."""
    detector(call)
    found = [
        {
            "AccountId": account.id,
            "DetectorId": held["DetectorId"],
            "MasterId": call.account.id,
            "AdministratorId": call.account.id,
            "Email": account.email,
            "RelationshipStatus": "Enabled",
            "UpdatedAt": held["UpdatedAt"],
        }
        for account in call.members()
        for held in account.items("guardduty", "detectors", call.region)
    ]
    chunk, more = page(call, found, default=50, maximum=50)
    return {"Members": chunk, **more}


@answer("guardduty", "ListFindings")
def list_findings(call: Call) -> dict[str, Any]:
    """Identifiers of the findings that meet all criteria, an administrator's members' too."""
    detector(call)
    found = remembered(call, lambda: matching(call), "NextToken", "MaxResults")
    chunk, more = page(call, found, default=50, maximum=50)
    return {"FindingIds": chunk, **more}


def matching(call: Call) -> list[str]:
    """The identifiers of all findings that the request asks for."""
    criteria = (call.params.get("FindingCriteria") or {}).get("Criterion") or {}
    tests = [criterion(name, wanted) for name, wanted in criteria.items()]
    found = [item for item in call.visible("findings") if all(test(item) for test in tests)]
    return [item["Id"] for item in ordered(call, found)]


def ordered(call: Call, found: list[Item]) -> list[Item]:
    """Findings sorted by the attribute that the request names."""
    sort = call.params.get("SortCriteria") or {}
    name = sort.get("AttributeName")
    if not name:
        return found
    return sorted(found, key=lambda item: value_of(item, name), reverse=sort["OrderBy"] == "DESC")


def value_of(item: Item, name: str) -> Any:
    """A finding's value under the name that criteria use: camelCase; times in milliseconds."""
    path = ".".join(part[:1].upper() + part[1:] for part in name.split("."))
    value = dig(item, path)
    if name in ("updatedAt", "createdAt"):
        return round(instant(value).timestamp() * 1000)
    return str(value).lower() if isinstance(value, bool) else value


def criterion(name: str, wanted: dict[str, Any]) -> Test:
    """A finding meets every condition of one criterion."""
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "Equals": lambda value, held: str(value) in held,
        "NotEquals": lambda value, held: str(value) not in held,
        "GreaterThan": lambda value, held: value > held,
        "GreaterThanOrEqual": lambda value, held: value >= held,
        "LessThan": lambda value, held: value < held,
        "LessThanOrEqual": lambda value, held: value <= held,
    }
    older = {"Eq": "Equals", "Neq": "NotEquals", "Gt": "GreaterThan", "Lt": "LessThan"}
    older |= {"Gte": "GreaterThanOrEqual", "Lte": "LessThanOrEqual"}
    conditions = [(compare[older.get(key, key)], held) for key, held in wanted.items()]
    return lambda item: all(test(value_of(item, name), held) for test, held in conditions)


@answer("guardduty", "GetFindings")
def get_findings(call: Call) -> dict[str, Any]:
    """Findings by identifier, at most 50; identifiers that are unknown are left out."""
    detector(call)
    callers = (replace(call, account=account) for account in (call.account, *call.members()))
    indexes = [grouped(held, "findings", "Id") for held in callers]
    wanted = call.params["FindingIds"]
    found = [item for name in wanted for index in indexes for item in index.get(name, [])]
    return {"Findings": ordered(call, found)}
