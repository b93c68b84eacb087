"""What changes days that are long over is told: AWS restates costs for some weeks only."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from observability.receiving.result import log_result, summary
from tests import documents
from tests.documents import document
from tests.faults import story as story  # a fixture
from tests.warehouse import Warehouse

TODAY = datetime.now(UTC).date()


def test_a_day_that_is_long_over_is_not_rewritten_in_silence(
    warehouse: Warehouse, story: io.StringIO
) -> None:
    found = {}
    for days in (34, 60):
        day = TODAY - timedelta(days=days)
        first = warehouse.load(document(day), documents.key(day))
        made = document(day)
        made["meta"]["collected_at"] = (day + timedelta(days=3)).isoformat() + "T00:00:00Z"
        made["service"][0]["cost"] = "9999"
        made["service"][1:] = []
        made["config"]["compliance_score"] = "1"
        made["cost"][0]["top_services"][0]["cost"] = "7"
        made["ri_sp_savings"][0]["net_savings"] = "7"
        found[days] = [first, warehouse.load(made, documents.key(day))]
    counts = {days: [r.totals["REWRITTEN"] for r in results] for days, results in found.items()}
    assert counts[34] == [0, 0]
    assert counts[60][0] == 0  # what is new is a backfill
    backfill, forged = found[60]
    assert forged.counters["services"]["REWRITTEN"] == len(document()["service"])
    for table in ("config_reports", "service_costs", "ri_sp_daily_savings"):
        assert forged.counters[table]["REWRITTEN"] == 1, table
    told = f"{counts[60][1]} rows about days over 35 days ago were rewritten"
    assert told in summary([backfill, forged], 0.0).splitlines()
    log_result(forged)
    assert story.getvalue().count(told) == 1
    made["meta"]["collected_at"] = (day + timedelta(days=4)).isoformat() + "T00:00:00Z"
    made["service"].append(made["service"][0] | {"service": "Credits", "cost": "-9999"})
    added = warehouse.load(made, documents.key(day))
    assert added.counters["services"]["REWRITTEN"] == added.counters["services"]["CREATED"] == 1
