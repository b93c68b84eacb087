"""Nobody knows the future: rows about days to come are refused, whoever sends them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import document
from tests.warehouse import Warehouse

TODAY = datetime.now(UTC).date()
AHEAD = (TODAY + timedelta(days=30)).isoformat()
AFTER = (TODAY + timedelta(days=31)).isoformat()

ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "services": ("service.0", {"date_from": AHEAD, "date_to": AFTER}),
    "cost_reports": ("cost.period", {"start": AHEAD, "end": AFTER}),
    "config_reports": ("config", {"date_from": AHEAD, "date_to": AFTER}),
    "cost_by_tag": ("cost_by_tag.0", {"day": AHEAD}),
    "ri_sp_daily_savings": ("ri_sp_savings.0", {"date_from": AHEAD, "date_to": AFTER}),
    "marketplace_usage": ("marketplace.0", {"period_start": AHEAD, "period_end": AFTER}),
    "logs": ("logs", {"date_created": f"{AHEAD}T00:00:00+00:00"}),
}


def of_tomorrow(path: str, values: dict[str, Any], *, meta: bool) -> dict[str, Any]:
    made = document(TODAY - timedelta(days=1), meta=meta)
    held: Any = made
    for name in path.split("."):
        held = held[int(name) if name.isdigit() else name]
        held = held[0] if isinstance(held, list) and name == "cost" else held
    held.update(values)
    return made


@pytest.mark.parametrize("table", ROWS)
def test_a_row_about_a_day_to_come_is_refused(warehouse: Warehouse, table: str) -> None:
    key = documents.key(TODAY - timedelta(days=1))
    result = warehouse.load(of_tomorrow(*ROWS[table], meta=True), key)
    assert result.status is FileStatus.REJECTED
    assert any("is over a day after S3 got the object" in reason for reason in result.reasons)
    result = warehouse.load(of_tomorrow(*ROWS[table], meta=False), key)
    assert result.status is FileStatus.LOADED
    assert result.left_out[table] == 1 or table == "logs"
    column = {"logs": "date_created"}.get(table, "created_at")
    assert not warehouse.query(f"SELECT FROM {table} WHERE {column} > now() + interval '2 days'")


def test_what_is_of_today_and_forecasts_are_no_future(warehouse: Warehouse) -> None:
    """A document of the day that is not over, from a clock that is a few hours ahead."""
    made = document(TODAY)
    made["cost"][0]["forecast"][0]["period"] = {"start": AHEAD, "end": AFTER}
    made["meta"]["collected_at"] = datetime.now(UTC).isoformat()
    assert warehouse.load(made, documents.key(TODAY)).status is FileStatus.LOADED
    assert warehouse.query(f"SELECT FROM cost_forecasts WHERE period_start = '{AHEAD}'")
