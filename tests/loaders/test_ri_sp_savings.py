"""Savings of reserved capacity in the database."""

from __future__ import annotations

from datetime import date, timedelta

from observability.loaders.cost import PARTIAL_UPDATES
from tests import documents
from tests.changes import day_after
from tests.documents import Document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)


def test_savings_stay_when_a_later_document_reads_the_day_again(warehouse: Warehouse) -> None:
    def read_again(made: Document) -> None:
        made["cost"] = documents.cost_part(DAY)
        made["cost"][0]["current_period_cost"] = "8"
        for name in PARTIAL_UPDATES["cost_savings"]:
            del made["cost"][0][name]

    first, second = day_after(read_again)
    warehouse.load(first, documents.key(DAY))
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    state = "SELECT current_period_cost, potential_monthly_savings FROM cost_reports"
    assert [tuple(map(str, row.values())) for row in warehouse.query(state)] == [("8", "17.5")]


def test_restated_savings_replace_the_day_whole(warehouse: Warehouse) -> None:
    first, second = day_after(lambda made: None)
    plan, other = documents.savings_plan(DAY), {"subscription_id": "sp-2"}
    first["ri_sp_savings"] = [plan, plan | other]
    next_day = documents.savings_plan(DAY + timedelta(days=1))
    second["ri_sp_savings"] = [plan | {"net_savings": "0.5"}, next_day]
    for made, day in ((first, DAY), (second, DAY + timedelta(days=1))):
        warehouse.load(made, documents.key(day))
    query = "SELECT date_from, subscription_id, net_savings FROM ri_sp_daily_savings ORDER BY 1"
    assert [tuple(map(str, row.values())) for row in warehouse.query(query)] == [
        (str(DAY), "sp-1", "0.5"),
        (str(DAY + timedelta(days=1)), "sp-1", "1.0000000001"),
    ]
