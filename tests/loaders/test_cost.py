"""Costs in the database."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from tests import documents
from tests.changes import day_after
from tests.collectors.test_cost import forecast
from tests.collectors.truth import day_cost, same_rows
from tests.conftest import REGIONS
from tests.documents import Document, document
from tests.loading import Loaded
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)
HOME, OTHER = REGIONS


def test_restated_costs_replace_the_day_whole(warehouse: Warehouse) -> None:
    def restate(made: Document) -> None:
        made["service"] = documents.service_part(DAY)[:1]
        made["service"][0]["cost"] = "9.9999999999"
        made["cost"] = documents.cost_part(DAY)
        made["cost"][0]["top_services"].pop()

    first, second = day_after(restate)
    warehouse.load(first, documents.key(DAY))
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    costs = warehouse.query("SELECT service, cost::text FROM services")
    assert costs == [{"service": "Amazon EC2", "cost": "9.9999999999"}]
    assert len(warehouse.query("SELECT FROM service_costs")) == 1


def test_costs_restated_to_nothing_are_gone(warehouse: Warehouse) -> None:
    first, second = document(DAY), document(DAY)
    second["meta"]["collected_at"] = "2026-11-11T09:00:00+00:00"
    second["service"], second["marketplace"], second["ri_sp_savings"] = [], [], []
    warehouse.load(first, documents.key(DAY))
    warehouse.load(second, documents.key(DAY))
    assert warehouse.query("SELECT FROM services") == []
    assert warehouse.query("SELECT FROM marketplace_usage") == []
    assert warehouse.query("SELECT FROM ri_sp_daily_savings") == []


def test_costs_are_exact_to_the_last_digit(loaded: Loaded) -> None:
    home = loaded.place(loaded.documents[0])
    reports = {row["period_start"]: row for row in loaded.rows("cost_reports", HOME)}
    assert reports.keys() == set(home.cost_days)
    assert not loaded.rows("cost_reports", OTHER)
    for day, report in reports.items():
        costs, before = (
            day_cost(loaded.account, day),
            day_cost(loaded.account, day - timedelta(days=1)),
        )
        current, previous = sum(costs.values(), Decimal()), sum(before.values(), Decimal())
        assert report["current_period_cost"] == current
        assert report["previous_period_cost"] == previous
        assert report["cost_difference"] == current - previous
        assert (report["period_end"], report["period_granularity"]) == (
            day + timedelta(days=1),
            "DAILY",
        )
        assert report["region"] == "Global"
        services = loaded.query(
            "SELECT * FROM service_costs WHERE cost_report_id = %s", report["id"]
        )
        assert {row["service_name"]: row["cost"] for row in services} == costs
        assert len(services) == len(costs)
    newest = reports[max(reports)]
    told = loaded.query("SELECT * FROM cost_forecasts WHERE cost_report_id = %s", newest["id"])
    expected = forecast(loaded.account, home.end)
    same_rows(
        [{name: row[name] for name in expected[0]} for row in told], expected, ("period_start",)
    )
    [count] = loaded.query("SELECT count(*) FROM cost_forecasts")
    assert count["count"] == len(expected)
