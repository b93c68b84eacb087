"""Systems Manager: managed nodes, inventory and patches."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, answer, grouped, page, remembered

INSTANCE_FILTERS = {
    "InstanceIds": "InstanceId",
    "PlatformTypes": "PlatformType",
    "PingStatus": "PingStatus",
    "AgentVersion": "AgentVersion",
    "ResourceType": "ResourceType",
    "AssociationStatus": "AssociationStatus",
    "IamRole": "IamRole",
    "ActivationIds": "ActivationId",
}
"""DescribeInstanceInformation's filters and the members that they are about."""

INFORMATION = "AWS:InstanceInformation"


@answer("ssm", "DescribeInstanceInformation")
def describe_instance_information(call: Call) -> dict[str, Any]:
    """Managed nodes, 10 a page by default, 50 at most."""
    filters = [(held["Key"], held["Values"]) for held in call.params.get("Filters") or []]
    older = call.params.get("InstanceInformationFilterList") or []
    if filters and older:
        raise AwsError("ValidationException", "Filters cannot be used with the older list.")
    filters += [(held["key"], held["valueSet"]) for held in older]
    found = [item for item in call.own("instances") if chosen(item, filters)]
    chunk, more = page(call, found, default=10, maximum=50)
    return {"InstanceInformationList": chunk, **more}


def chosen(item: Item, filters: list[tuple[str, list[str]]]) -> bool:
    """Whether a node passes all filters."""
    for key, values in filters:
        if key not in INSTANCE_FILTERS:
            raise AwsError("InvalidFilterKey", f"The specified key is not valid: {key}")
        if item.get(INSTANCE_FILTERS[key]) not in values:
            return False
    return True


@answer("ssm", "GetInventory")
def get_inventory(call: Call) -> dict[str, Any]:
    """Inventory of many nodes at once, 50 a page at most, or counts of it.

    Without result attributes AWS sends InstanceInformation; a node that never sent the type
    asked for comes with empty Data.
    """
    filters = call.params.get("Filters") or []
    found = remembered(
        call,
        lambda: (item for item in call.own("entities") if passes(item, filters)),
        "NextToken",
        "MaxResults",
    )
    if aggregators := call.params.get("Aggregators"):
        chunk, more = page(call, counted(found, aggregators), default=50, maximum=50)
        return {"Entities": chunk, **more}
    asked = call.params.get("ResultAttributes") or [{"TypeName": INFORMATION}]
    names = [held["TypeName"] for held in asked]
    chunk, more = page(call, found, default=50, maximum=50)
    return {"Entities": [trimmed(item, names) for item in chunk], **more}


def trimmed(item: Item, names: list[str]) -> Item:
    """An entity with only the inventory types asked for."""
    data = {name: item["Data"][name] for name in names if name in item["Data"]}
    return {"Id": item["Id"], "Data": data}


def passes(item: Item, filters: list[dict[str, Any]]) -> bool:
    """Whether an entity passes all filters, each on `<type>.<attribute>`."""
    return all(meets(values_of(item, held["Key"]), held) for held in filters)


def values_of(item: Item, key: str) -> list[str]:
    """The values that an entity has under `<type>.<attribute>`."""
    kind, _, attribute = key.rpartition(".")
    if not kind.startswith(("AWS:", "Custom:")):
        raise AwsError("InvalidFilter", f"The filter key is not valid: {key}")
    held = item["Data"].get(kind) or {"Content": []}
    return [entry[attribute] for entry in held["Content"] if attribute in entry]


def meets(values: list[str], condition: dict[str, Any]) -> bool:
    """One filter on the values of an attribute."""
    wanted, kind = condition["Values"], condition.get("Type", "Equal")
    if kind == "Exists":
        return bool(values) is (wanted[0].lower() == "true")
    if kind == "NotEqual":
        return not any(value in wanted for value in values)
    if kind == "BeginWith":
        return any(value.startswith(tuple(wanted)) for value in values)
    if kind == "Equal":
        return any(value in wanted for value in values)
    smaller = kind == "LessThan"
    return any((value < held) == smaller for value in values for held in wanted if value != held)


def counted(found: list[Item], aggregators: list[dict[str, Any]]) -> list[Item]:
    """How many entities share each value of an expression."""
    expression = aggregators[0].get("Expression", "")
    counts = Counter(value for item in found for value in set(values_of(item, expression)))
    kind, _, attribute = expression.rpartition(".")
    return [
        {
            "Data": {
                kind: {
                    "TypeName": kind,
                    "SchemaVersion": "1.0",
                    "Content": [{attribute: value, "Count": str(count)}],
                }
            }
        }
        for value, count in sorted(counts.items())
    ]


@answer("ssm", "DescribeInstancePatches")
def describe_instance_patches(call: Call) -> dict[str, Any]:
    """One node's patches; a node that was never scanned has none."""
    wanted = call.params["InstanceId"]
    if wanted not in grouped(call, "instances", "InstanceId"):
        raise AwsError("InvalidInstanceId", f"Instance {wanted} is not managed by this account.")
    scanned = grouped(call, "patches", "InstanceId").get(wanted, [])
    filters = [(test["Key"], test["Values"]) for test in call.params.get("Filters") or []]
    found = [
        item
        for held in scanned
        for item in held["Patches"]
        if all(plain(item[key]) in map(plain, values) for key, values in filters)
    ]
    chunk, more = page(call, found, default=50, maximum=100)
    return {"Patches": chunk, **more}


def plain(text: str) -> str:
    """Filters write states as InstalledOther, answers as INSTALLED_OTHER."""
    return text.replace("_", "").lower()
