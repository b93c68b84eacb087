"""How much there was of something each day, as `daily_counts` and daily_measures tell it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import Document, document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)


def load(warehouse: Warehouse, made: Document) -> None:
    key = documents.key(date.fromisoformat(made["meta"]["period"]["start"]))
    assert warehouse.load(made, key).status is FileStatus.LOADED


def counts(warehouse: Warehouse, day: date = DAY) -> dict[tuple[str, str], Decimal]:
    rows = warehouse.query(f"SELECT * FROM daily_measures WHERE day = '{day}'")
    return {(row["measure"], row["dimension"]): row["value"] for row in rows}


def bare(day: date = DAY) -> Document:
    """A document that tells of one thing of each kind that is counted, as it should be."""
    made = document(day)
    security = made["security"]
    for finding in security["security_hub"][0]["findings"]:
        finding |= {"status": "RESOLVED", "record_state": "ACTIVE", "updated_at": str(day)}
    security["guard_duty"] = []
    security["inspector"] = []
    security["kms"][0] |= {"enabled": True, "key_manager": "CUSTOMER", "key_rotation_enabled": True}
    security["secrets_manager"][0] |= {"rotation_enabled": True, "deleted_date": None}
    security["certificate_manager"][0] |= {
        "status": "ISSUED", "type": "AMAZON_ISSUED", "in_use": True, "not_after": "2030-01-01",
    }  # fmt: skip
    made["config"]["non_compliant_resources"] = []
    for patch in made["inventory"]["patches"]:
        patch["state"] = "Installed"
    return made


def worsened(day: date) -> Document:
    """The same, a day later, with something wrong of each kind."""
    made = bare(day)
    security = made["security"]
    finding = security["security_hub"][0]["findings"][0]
    for number, severity in enumerate(("CRITICAL", "HIGH", "HIGH")):
        security["security_hub"][0]["findings"].append(
            finding | {"finding_id": f"new-{number}", "severity": severity, "status": "NEW"}
        )
    security["guard_duty"] = document(day)["security"]["guard_duty"]
    security["guard_duty"][0] |= {"severity": 5, "archived": False, "updated_at": str(day)}
    security["kms"][0]["key_rotation_enabled"] = False
    security["secrets_manager"][0]["rotation_enabled"] = False
    security["certificate_manager"][0]["not_after"] = f"{day}T00:00:00+00:00"
    [violation, *_] = document(day)["config"]["non_compliant_resources"]
    made["config"]["non_compliant_resources"] = [
        violation | {"rule_name": rule, "resource_id": resource}
        for rule, resource in (("one", "a"), ("one", "b"), ("two", "a"))
    ]
    made["inventory"]["patches"][0] |= {"state": "Missing", "severity": "Important"}
    return made


WRONG = {
    ("open_findings", "CRITICAL"): (0, 1),
    ("open_findings", "HIGH"): (0, 2),
    ("open_findings", "MEDIUM"): (0, 1),
    ("open_findings", "LOW"): (0, 0),
    ("keys_without_rotation", ""): (0, 1),
    ("secrets_without_rotation", ""): (0, 1),
    ("expired_certificates", ""): (0, 1),
    ("non_compliant_rules", ""): (0, 2),
    ("non_compliant_resources", ""): (0, 2),
    ("missing_patches", "Important"): (None, 1),
}


def test_each_day_has_its_counts(warehouse: Warehouse) -> None:
    next_day = DAY + timedelta(days=1)
    load(warehouse, bare())
    load(warehouse, worsened(next_day))
    before, after = counts(warehouse), counts(warehouse, next_day)
    for name, (good, bad) in WRONG.items():
        assert before.get(name) == good, name
        assert after.get(name) == bad, name
    machines = len(document()["inventory"]["instances"])
    assert before["managed_instances", ""] == machines
    resources = [row for name, row in before.items() if name[0] == "resources"]
    assert sum(resources) == len(document()["service_resources"])


def rows(warehouse: Warehouse) -> list[dict[str, Any]]:
    return warehouse.query("""
        SELECT c.day, c.measure, c.dimension, c.value, d.key FROM daily_counts c
        JOIN documents d ON d.id = c.document_id ORDER BY 1, 2, 3""")


def test_loading_again_in_order_gives_the_same(warehouse: Warehouse) -> None:
    story = [bare(), worsened(DAY + timedelta(days=1)), bare(DAY + timedelta(days=2))]
    for made in story:
        load(warehouse, made)
    told = rows(warehouse)
    for made in story[-1:]:  # a second time changes nothing
        load(warehouse, made)
    assert rows(warehouse) == told
    warehouse.empty()
    for made in story:
        load(warehouse, made)
    assert rows(warehouse) == told


@pytest.mark.parametrize("status", ["Fail", "Skipped"])
def test_what_could_not_be_read_is_not_counted(warehouse: Warehouse, status: str) -> None:
    made = worsened(DAY)
    made["logs"]["security_status"] = status
    load(warehouse, made)
    told = {measure for measure, _ in counts(warehouse)}
    assert "non_compliant_rules" in told
    assert told.isdisjoint({"open_findings", "keys_without_rotation", "secrets_without_rotation"})


def test_a_later_document_of_the_day_counts_and_an_older_does_not(warehouse: Warehouse) -> None:
    morning, noon = worsened(DAY), bare()
    noon["meta"]["collected_at"] = f"{DAY + timedelta(days=1)}T12:00:00+00:00"
    noon["logs"]["date_created"] = noon["meta"]["collected_at"]
    load(warehouse, morning)
    assert ("missing_patches", "Important") in counts(warehouse)
    load(warehouse, noon)
    told = counts(warehouse)
    assert told["non_compliant_rules", ""] == 0
    assert ("missing_patches", "Important") not in told
    load(warehouse, bare(DAY + timedelta(days=3)))
    load(warehouse, worsened(DAY + timedelta(days=1)))  # what exists is not of that day
    assert counts(warehouse, DAY + timedelta(days=1)) == {}


def test_a_document_of_a_past_day_counts_nothing(warehouse: Warehouse) -> None:
    made = bare()
    made["meta"]["collected_at"] = f"{DAY + timedelta(days=9)}T03:00:00+00:00"
    load(warehouse, made)
    assert counts(warehouse) == {}


def test_an_account_cannot_make_more_than_a_bounded_number_of_rows(warehouse: Warehouse) -> None:
    made = bare()
    resource = made["service_resources"][0]
    made["service_resources"] = [
        resource | {"resource_type": f"{number}" * 500, "resource_id": f"r{number}"}
        for number in range(150)
    ]
    load(warehouse, made)
    kinds = [dimension for measure, dimension in counts(warehouse) if measure == "resources"]
    assert (len(kinds), max(map(len, kinds))) == (100, 100)
