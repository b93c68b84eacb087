"""Findings and their counts in the database."""

from __future__ import annotations

from datetime import date, timedelta

from tests import documents
from tests.changes import day_after
from tests.collectors.registry import stated
from tests.documents import Document
from tests.loading import Loaded
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)


def test_security_counts_follow_the_findings(warehouse: Warehouse) -> None:
    def resolve(made: Document) -> None:
        found = made["security"]["security_hub"][0]["findings"][0]
        found.update(status="RESOLVED", updated_at="2026-11-21T00:00:00+00:00", severity="LOW")
        made["security"]["security_hub"][0]["findings"] = [found]

    first, second = day_after(resolve)
    counts = (
        "SELECT total_findings, critical_count, low_count, open_findings, resolved_findings"
        " FROM security"
    )
    warehouse.load(first, documents.key(DAY))
    assert list(warehouse.query(counts)[0].values()) == [2, 1, 1, 1, 1]
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    assert list(warehouse.query(counts)[0].values()) == [2, 0, 2, 0, 2]


def test_security_counts_are_those_of_the_findings(loaded: Loaded) -> None:
    for document in loaded.documents:
        region = document["meta"]["region"]
        findings = list(stated("TRUTH")["security.security_hub"].rows(loaded.place(document)))
        for row in loaded.rows("security", region):
            own = [held for held in findings if held["product_name"] == row["service"]]
            assert {held["record_state"] for held in own} == {"ACTIVE"}
            statuses = [held["status"] for held in own]
            assert row["total_findings"] == len(own)
            assert row["open_findings"] == sum(map(statuses.count, ("NEW", "NOTIFIED")))
            assert row["resolved_findings"] == statuses.count("RESOLVED")
            for severity in ("critical", "high", "medium", "low", "informational"):
                of_it = [held for held in own if held["severity"] == severity.upper()]
                assert row[f"{severity}_count"] == len(of_it)
        groups = {row["id"]: row["service"] for row in loaded.rows("security", region)}
        assert set(groups.values()) == {held["product_name"] for held in findings}
        for row in loaded.rows("findings", region):
            assert groups[row["security_id"]] == row["product_name"]
