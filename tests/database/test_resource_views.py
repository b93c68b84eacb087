"""What exists, which patches are missing and what will happen, as views tell it."""

from __future__ import annotations

from datetime import timedelta

from tests.database.estates import HOME, OTHER, YESTERDAY, ago, full, load, quiet, reservation, view
from tests.warehouse import Warehouse


def test_what_will_happen(warehouse: Warehouse) -> None:
    certificate, key = full("security.certificate_manager"), full("security.kms")
    event = full("health") | {"status_code": "upcoming", "end_time": None}
    before, made = quiet(YESTERDAY - timedelta(days=1)), quiet()
    before["security"]["kms"] = [key | {"key_id": "gone", "deletion_date": ago(-5)}]
    made["security"]["certificate_manager"] = [
        certificate | {"not_after": ago(-60.5), "in_use": False},
        certificate | {"arn": "expired", "not_after": ago(1)},
        certificate | {"arn": "revoked", "not_after": ago(-9), "status": "REVOKED"},
    ]
    made["security"]["kms"] = [
        key | {"deletion_date": ago(-7.5)},
        key | {"key_id": "stays", "deletion_date": None},
    ]
    made["health"] = [
        event | {"start_time": ago(-3.5)},
        event | {"arn": "undated", "start_time": None},
        event | {"arn": "called off", "start_time": ago(-9), "status_code": "closed"},
        event | {"arn": "goes on", "start_time": ago(1), "status_code": "open"},
    ]
    made["ri_sp_savings"] = [
        reservation(YESTERDAY, end_date=ago(-20.5)),
        reservation(YESTERDAY, subscription_id="ri", reservation_type="ReservedInstance",
                    end_date=ago(-10.5)),
    ]  # fmt: skip
    again = quiet(region=OTHER)  # as another producer, that reads what is global in each region
    again["health"] = [event | {"start_time": ago(-3.5)}]
    load(warehouse, before, made, again)
    assert view(warehouse, "upcoming_events", "event, days_left, resource_id, detail") == [
        ("AWS Health event", 3, event["arn"], "issue"),
        ("AWS Health event", None, "undated", "issue"),
        ("certificate expires", 60, certificate["arn"], "not in use, renewed by ACM"),
        ("key is deleted", 7, key["arn"], "PendingDeletion"),
        ("reservation ends", 10, "ri", "Reserved Instance"),
        ("savings plan ends", 20, "sp-1", "Savings Plan"),
    ]


def test_patches_that_are_not_in_effect(warehouse: Warehouse) -> None:
    machine, patch = full("inventory.instances"), full("inventory.patches")
    before, made = quiet(YESTERDAY - timedelta(days=1)), quiet()
    before["inventory"]["instances"] = [machine | {"instance_id": "i-gone"}]
    before["inventory"]["patches"] = [patch | {"instance_id": "i-gone", "state": "Missing"}]
    open_states = ["AvailableSecurityUpdate", "Failed", "INSTALLED_PENDING_REBOOT", "Missing"]
    states = [*open_states, "Installed", "InstalledOther", "NotApplicable", None]
    made["inventory"]["instances"] = [machine]
    made["inventory"]["patches"] = [
        patch | {"instance_id": "i-1", "title": f"patch {state}", "state": state}
        for state in states
    ]
    load(warehouse, before, made)
    assert view(warehouse, "missing_patches", "instance_id, computer_name, title, cve_ids") == [
        ("i-1", "host", f"patch {state}", "CVE-2026-2") for state in open_states
    ]


def test_resources_that_exist_count_once(warehouse: Warehouse) -> None:
    """Where a service lists a type in a region, AWS Config does not count for it."""
    listed = full("service_resources", region=HOME) | {"resource_type": "Instance"}
    bucket = listed | {"service_name": "S3", "resource_type": "Bucket", "resource_id": "logs"}
    recorded = full("config_inventory", region=HOME)
    before, here, there = quiet(YESTERDAY - timedelta(days=1)), quiet(), quiet(region=OTHER)
    before["service_resources"] = [listed | {"resource_id": "i-gone"}]
    here["service_resources"] = [listed, bucket | {"region": OTHER}]
    here["config_inventory"] = [
        recorded | {"resource_type": "AWS::EC2::Instance"},
        recorded | {"resource_type": "AWS::EC2::Instance", "resource_id": "i-of-config"},
        recorded | {"resource_type": "AWS::IAM::Role", "resource_id": "admin", "region": "global"},
        recorded | {"resource_type": "AWS::Lambda::Function", "resource_id": "resize"},
    ]
    there["service_resources"] = [bucket | {"region": OTHER}]
    there["config_inventory"] = [
        recorded | {"resource_type": "AWS::S3::Bucket", "resource_id": "logs", "region": OTHER},
        recorded | {"resource_type": "AWS::EC2::Instance", "resource_id": "i-2", "region": OTHER},
        recorded | {"resource_type": "AWS::IAM::Role", "resource_id": "admin", "region": "global"},
    ]
    load(warehouse, before, here, there)
    assert view(warehouse, "existing_resources", "resource_type, resource_id, region, source") == [
        ("AWS::EC2::Instance", "i-1", HOME, "EC2"),
        ("AWS::EC2::Instance", "i-2", OTHER, "AWS Config"),
        ("AWS::IAM::Role", "admin", "global", "AWS Config"),
        ("AWS::Lambda::Function", "resize", HOME, "AWS Config"),
        ("AWS::S3::Bucket", "logs", OTHER, "S3"),
    ]
