"""Secrets Manager: the list of secrets."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import Call, answer, page

ORDERS = {
    "created-date": "CreatedDate",
    "last-changed-date": "LastChangedDate",
    "last-accessed-date": "LastAccessedDate",
    "name": "Name",
}


@answer("secretsmanager", "ListSecrets")
def list_secrets(call: Call) -> dict[str, Any]:
    """Secrets; those planned for deletion only when asked for."""
    everything = call.params.get("IncludePlannedDeletion", False)
    found = [held for held in call.own("secrets") if everything or "DeletedDate" not in held]
    for condition in call.params.get("Filters") or []:
        found = [held for held in found if meets(held, condition)]
    if order := ORDERS.get(call.params.get("SortBy", "")):
        descending = call.params.get("SortOrder") == "desc"
        found.sort(key=lambda held: held[order], reverse=descending)
    chunk, more = page(call, found, default=100, maximum=100)
    return {"SecretList": chunk, **more}


def meets(held: Item, condition: dict[str, Any]) -> bool:
    """One filter: a value is a prefix, and refuses what has it if it begins with `!`."""
    texts = {
        "name": [held["Name"]],
        "description": [held.get("Description", "")],
        "tag-key": [tag["Key"] for tag in held["Tags"]],
        "tag-value": [tag["Value"] for tag in held["Tags"]],
    }.get(condition["Key"], [held["Name"], held.get("Description", "")])
    return any(
        any(text.startswith(value.removeprefix("!")) for text in texts) != value.startswith("!")
        for value in condition["Values"]
    )
