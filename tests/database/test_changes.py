"""What each load changed, as `changes` and the view recent_changes tell it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

import receiver
from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import Document, document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)
ALL = "table_name, change, row_key, old_values, new_values"


def load(warehouse: Warehouse, made: Document) -> None:
    about = made["meta"]
    key = documents.key(date.fromisoformat(about["period"]["start"]), about["account_id"])
    assert warehouse.load(made, key).status is FileStatus.LOADED


def changes(warehouse: Warehouse, day: date, columns: str = ALL) -> list[tuple[Any, ...]]:
    """What the documents of a day changed."""
    rows = warehouse.query(f"""
        SELECT {columns} FROM changes c JOIN documents d ON d.id = c.document_id
        WHERE d.period_start = '{day}' ORDER BY table_name, change, CAST(row_key AS text)""")
    return [tuple(row.values()) for row in rows]


def next_day(number: int = 1) -> Document:
    """A document of a later day that tells of the same things."""
    made = document(DAY + timedelta(days=number))
    made["service"] = documents.service_part(DAY)
    made["cost"] = documents.cost_part(DAY)
    made["marketplace"] = document(DAY)["marketplace"]
    made["ri_sp_savings"] = document(DAY)["ri_sp_savings"]
    made["config"]["date_from"] = str(DAY + timedelta(days=number))
    return made


def test_the_first_listing_of_an_account_is_no_change_nor_is_the_same_again(
    warehouse: Warehouse,
) -> None:
    load(warehouse, document(DAY))
    assert changes(warehouse, DAY) == []
    load(warehouse, next_day())
    assert changes(warehouse, DAY + timedelta(days=1)) == []


def test_created_updated_gone_and_returned(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    made = next_day()
    [key] = made["security"]["kms"]
    made["security"]["kms"] = [key | {"key_state": "Disabled"}, key | {"key_id": "new"}]
    load(warehouse, made)
    key_id = key["key_id"]
    assert changes(warehouse, DAY + timedelta(days=1)) == [
        ("kms_keys", "created", {"key_id": "new"}, None, None),
        ("kms_keys", "updated", {"key_id": key_id},
         {"key_state": key["key_state"]}, {"key_state": "Disabled"}),
    ]  # fmt: skip
    made = next_day(2)
    made["security"]["kms"] = []
    load(warehouse, made)
    gone = [("gone", "new"), ("gone", key_id)]
    told = changes(warehouse, DAY + timedelta(days=2), "change, row_key ->> 'key_id' AS key")
    assert sorted(told) == sorted(gone)
    load(warehouse, next_day(3))
    assert changes(warehouse, DAY + timedelta(days=3), "change, row_key, new_values") == [
        ("returned", {"key_id": key_id}, {"key_state": key["key_state"]})
    ]


def test_columns_that_always_move_do_not_count(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    made = next_day()
    later = f"{DAY + timedelta(days=1)}T10:00:00+00:00"
    for instance in made["inventory"]["instances"]:
        instance["last_ping_date_time"] = later
    made["security"]["cloudtrail"][0]["latest_delivery_time"] = later
    made["security"]["secrets_manager"][0]["last_accessed_date"] = later
    made["config"]["non_compliant_resources"][0]["config_rule_invoked_time"] = later
    made["security"]["inspector"][0] |= {"last_observed_at": later, "updated_at": later}
    made["security"]["security_hub"][0]["findings"][0]["updated_at"] = later
    load(warehouse, made)
    assert changes(warehouse, DAY + timedelta(days=1)) == []
    [ping] = warehouse.query("SELECT DISTINCT last_ping_date_time AS at FROM inventory_instances")
    assert ping["at"].isoformat() == later


def test_a_finding_that_is_resolved_and_a_new_one(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    made = next_day()
    findings = made["security"]["security_hub"][0]["findings"]
    at = "2026-11-25T10:00:00+00:00"
    findings[0] |= {"status": "RESOLVED", "updated_at": at}
    findings.append({**findings[1], "id": "another", "finding_id": "another"})
    load(warehouse, made)
    told = changes(warehouse, DAY + timedelta(days=1), "change, row_key, new_values")
    assert told == [
        ("created", {"finding_id": "another"}, None),
        ("updated", {"finding_id": findings[0]["finding_id"]}, {"status": "RESOLVED"}),
    ]


def test_a_restated_day_is_a_change_and_a_new_day_is_none(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    made = next_day()
    made["service"][0]["cost"] = "99.5"
    dropped = made["cost"][0]["top_services"].pop()
    made["service"] += documents.service_part(DAY + timedelta(days=1))
    made["cost"] += documents.cost_part(DAY + timedelta(days=1))
    load(warehouse, made)
    told = {row[0]: row[1:] for row in changes(warehouse, DAY + timedelta(days=1))}
    assert told.keys() == {"services", "service_costs"}
    assert told["services"][0] == "updated"
    assert told["services"][1]["date_from"] == str(DAY)
    assert told["services"][3] == {"cost": 99.5}
    assert told["service_costs"][:2] == ("gone", {
        "service_name": dropped["service"], "region": "Global",
        "report_period_start": str(DAY), "report_period_granularity": "DAILY",
        "report_region": "Global",
    })  # fmt: skip


def test_parts_are_told_with_what_they_are_part_of(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    made = next_day()
    patch = made["inventory"]["patches"][0]
    patch["state"] = "Failed"
    made["account"]["product"] = "Shop, Pay"
    load(warehouse, made)
    assert changes(warehouse, DAY + timedelta(days=1), "table_name, change, row_key") == [
        ("inventory_patches", "updated",
         {"instance_id": patch["instance_id"], "title": patch["title"]}),
        ("product_accounts", "created", {"name": "Pay"}),
        ("product_accounts", "gone", {"name": "Search"}),
    ]  # fmt: skip


def test_what_an_account_is_and_what_reports_say_beside_costs(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    made = next_day()
    made["account"]["account_status"] = "SUSPENDED"
    made["cost"][0]["anomalies_detected"] = 77
    load(warehouse, made)
    told = changes(warehouse, DAY + timedelta(days=1), "table_name, row_key, new_values")
    assert told == [
        ("accounts", {}, {"account_status": "SUSPENDED"}),
        ("cost_reports", {"period_start": str(DAY), "period_granularity": "DAILY",
                          "region": "Global"}, {"anomalies_detected": 77}),
    ]  # fmt: skip


def test_a_long_value_is_cut_off(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    made = next_day()
    made["security"]["kms"][0]["description"] = "x" * 100_000
    load(warehouse, made)
    [(new,)] = changes(warehouse, DAY + timedelta(days=1), "new_values ->> 'description' AS new")
    assert new == "x" * 1000 + "…"


@pytest.mark.parametrize("status", ["Fail", "Skipped"])
def test_what_could_not_be_read_is_no_change(warehouse: Warehouse, status: str) -> None:
    load(warehouse, document(DAY))
    made = next_day()
    made["security"]["kms"] = []
    made["logs"]["security_status"] = status
    load(warehouse, made)
    assert changes(warehouse, DAY + timedelta(days=1)) == []


def test_changes_are_kept_for_a_set_time(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    for number in (1, 2):
        made = next_day(number)
        made["security"]["kms"][0]["description"] = f"of day {number}"
        load(warehouse, made)
    old = "UPDATE changes SET created_at = now() - interval '91 days' WHERE id IN"
    warehouse.query(f"{old} (SELECT min(id) FROM changes)", fetch=False)
    receiver.load_waiting(warehouse.receiver, retry=False)
    told = warehouse.query("SELECT new_values FROM changes")
    assert told == [{"new_values": {"description": "of day 2"}}]


def test_of_personal_data_only_that_they_changed(warehouse: Warehouse) -> None:
    """Readers may see changes, but nobody's name, address or phone number."""
    load(warehouse, document(DAY))
    made = next_day()
    account = made["account"]
    account |= {"account_email": "secret-1", "account_name": "renamed"}
    account["contact_info"] |= {"city": "secret-2", "phone_number": None}
    kind = next(iter(account["alternate_contacts"]))
    account["alternate_contacts"][kind] |= {"email": "secret-3"}
    made["support_tickets"][0] |= {"subject": "secret-4", "status": "another"}
    load(warehouse, made)
    told = {row[0]: row[3:] for row in changes(warehouse, DAY + timedelta(days=1))}
    assert told["accounts"][1] == {"account_email": "personal", "account_name": "renamed"}
    assert told["contact_info"][1] == {"city": "personal", "phone_number": None}
    assert told["alternate_contacts"] == ({"email": "personal"}, {"email": "personal"})
    assert told["support_tickets"][1] == {"subject": "personal", "status": "another"}
    everything = str(warehouse.query("SELECT * FROM changes"))
    assert "secret" not in everything
    assert documents.account_part("", "")["account_email"] not in everything
