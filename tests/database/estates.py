"""Small estates that the receiver loads, for tests of what the views tell of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests import documents
from tests.documents import Document, document
from tests.warehouse import Warehouse

HOME, OTHER = "us-east-1", "eu-west-1"
SHOP, BANK = "111122223333", "444455556666"
NOW = datetime.now(UTC).replace(microsecond=0)
YESTERDAY = NOW.date() - timedelta(days=1)
Row = dict[str, Any]


def ago(days: float) -> str:
    """An instant, so many days ago; negative: to come."""
    return (NOW - timedelta(days=days)).isoformat()


def quiet(day: date = YESTERDAY, account: str = SHOP, region: str = HOME) -> Document:
    """A document of an account that has nothing, and of which everything could be read."""
    made = document(day, account, region)
    for category in documents.CATEGORIES:
        if isinstance(made[category], list):
            made[category] = []
    made["config"]["non_compliant_resources"] = []
    made["security"] = {part: [] for part in made["security"]}
    made["inventory"] = {part: [] for part in made["inventory"]}
    made["account"]["account_name"] = f"Name of {account}"
    made["account"]["customer_name"] = f"Customer of {account}"
    return made


def full(path: str, account: str = SHOP, region: str = HOME) -> Row:
    """A row of a list, with a value in every field."""
    found: Any = document(YESTERDAY, account, region)
    for part in path.split("."):
        found = found[part]
    return dict(found[0])


def load(warehouse: Warehouse, *made: Document) -> None:
    """Load documents, each under the key that its own words give it."""
    for each in made:
        about = each["meta"]
        start = date.fromisoformat(about["period"]["start"])
        key = documents.key(start, about["account_id"], about["region"])
        assert warehouse.load(each, key).status.name == "LOADED"


def view(warehouse: Warehouse, name: str, columns: str, where: str = "true") -> list[Any]:
    """The rows of a view as tuples, in the order of their columns; a single column's values."""
    positions = ", ".join(str(n + 1) for n in range(len(columns.split(", "))))
    rows = warehouse.query(f"SELECT {columns} FROM {name} WHERE {where} ORDER BY {positions}")
    found = [tuple(row.values()) for row in rows]
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(count)]


def cost_rows(costs: Iterable[tuple[date, str, str, str | None]]) -> list[Row]:
    """Rows of `service`: (day, service, usage type, cost)."""
    return [
        {
            "service": service,
            "usage_types": usage_type,
            "date_from": str(day),
            "date_to": str(day + timedelta(days=1)),
            "cost": cost,
            "currency": "USD",
        }
        for day, service, usage_type, cost in costs
    ]


def reservation(day: date, **values: Any) -> Row:
    dates = {"date_from": str(day), "date_to": str(day + timedelta(days=1))}
    return full("ri_sp_savings") | dates | {"end_date": ago(-100)} | values
