"""Costs by tag: a document states whole days of the tags that it tells of, and of no other."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import Document, document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 21)


def told(day: date, **costs: str) -> Document:
    """A document of a day that tells the costs of DAY: `tag_value` and what it cost."""
    made = document(day)
    [row] = document(DAY)["cost_by_tag"]
    made["cost_by_tag"] = []
    for name, cost in costs.items():
        key, _, value = name.partition("_")
        made["cost_by_tag"].append(row | {"tag_key": key, "tag_value": value, "cost": cost})
    return made


def load(warehouse: Warehouse, made: Document) -> None:
    key = documents.key(date.fromisoformat(made["meta"]["period"]["start"]))
    assert warehouse.load(made, key).status is FileStatus.LOADED


def costs(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    rows = warehouse.query("""
        SELECT tag_key, tag_value, unblended_cost FROM daily_tag_costs ORDER BY 1, 2""")
    return [tuple(row.values()) for row in rows]


def test_a_later_document_restates_the_day_of_its_tags_whole(warehouse: Warehouse) -> None:
    load(warehouse, told(DAY, team_Web="1.5", team_="2", project_X="3"))
    later = told(DAY + timedelta(days=1), team_Web="1.75", team_Data="4")
    load(warehouse, later)
    expected = [
        ("project", "X", Decimal(3)),
        ("team", "Data", Decimal(4)),
        ("team", "Web", Decimal("1.75")),
    ]
    assert costs(warehouse) == expected
    load(warehouse, told(DAY, team_Web="1.5", team_="2", project_X="3"))  # the older one again
    assert costs(warehouse) == expected
