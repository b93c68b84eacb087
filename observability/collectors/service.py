"""service: cost and usage per service, usage type and day."""

from __future__ import annotations

from datetime import date

from observability.collecting.collector import GLOBAL, PERIOD, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.sources.cost_explorer import (
    COST_EXPLORER_ERRORS,
    days_told,
    last_week,
    read_costs,
)


def get_services(scan: Scan, result: CategoryResult) -> None:
    """Cost and usage per service, usage type and day (Cost Explorer, shared with get_cost)."""
    costs = scan.once(read_costs)
    first = str(days_told(scan.window, costs.first, result)[0])
    for row in costs.rows:
        if row["date_from"] >= first:
            result.emit(row, day=date.fromisoformat(row["date_from"]))


EXPECTED_ERRORS = (
    *COST_EXPLORER_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="service",
    collect=get_services,
    scope=GLOBAL,
    backfill=PERIOD,
    essential=True,
    actions=("ce:GetCostAndUsage",),
    probes=(Probe("ce:GetCostAndUsage", last_week),),
    expected_errors=EXPECTED_ERRORS,
)
