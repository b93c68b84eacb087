"""Compliance in the database."""

from __future__ import annotations

from datetime import date, timedelta

from tests import documents
from tests.changes import day_after
from tests.collectors.test_config import config_report
from tests.collectors.truth import same_rows
from tests.loading import Loaded
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)


def test_non_compliant_resources_are_open_then_resolved(warehouse: Warehouse) -> None:
    first, second = day_after(lambda made: made["config"]["non_compliant_resources"].pop())
    warehouse.load(first, documents.key(DAY))
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    states = warehouse.query(
        "SELECT n.resource_id, n.status, r.date_from FROM non_compliant_resources n"
        " JOIN config_reports r ON r.id = n.config_report_id ORDER BY 1"
    )
    assert states == [
        {"resource_id": "logs", "status": "OPEN", "date_from": DAY + timedelta(days=1)},
        {"resource_id": "photos", "status": "RESOLVED", "date_from": DAY},
    ]


def test_compliance_is_reported_once_a_day_and_region(loaded: Loaded) -> None:
    for document in loaded.documents:
        [row] = loaded.rows("config_reports", document["meta"]["region"])
        expected = config_report(loaded.place(document))
        same_rows([{name: row[name] for name in expected}], [expected], ("date_from",))
        open_now = loaded.rows("non_compliant_resources", document["meta"]["region"])
        assert {held["config_report_id"] for held in open_now} == {row["id"]}
        assert {held["status"] for held in open_now} == {"OPEN"}
        assert all(held["created_at"] == held["config_rule_invoked_time"] for held in open_now)
