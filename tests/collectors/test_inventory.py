"""Machines of Systems Manager: what is installed, and which patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from observability.collectors.inventory import instance_row, patch_row
from tests.collectors.losses import Denial, gone
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, moment
from tests.runs import Row

# Compliance and inventory


def instances(place: Place) -> Iterator[Row]:
    """Managed machines; EC2 knows the type of those that are its own."""
    types = {held["InstanceId"]: held["InstanceType"] for held in place.own("ec2", "instances")}
    for held in place.own("ssm", "instances"):
        yield {
            "instance_id": held["InstanceId"],
            "instance_type": types.get(held["InstanceId"]),
            "platform": held["PlatformName"],
            "ip_address": held["IPAddress"],
            "computer_name": held["ComputerName"],
            "ping_status": held["PingStatus"],
            "last_ping_date_time": held["LastPingDateTime"],
            "agent_version": held["AgentVersion"],
            "platform_type": held["PlatformType"],
            "platform_version": held["PlatformVersion"],
            "is_latest_version": held["IsLatestVersion"],
            "association_status": held.get("AssociationStatus"),
            "association_execution_date": held.get("LastAssociationExecutionDate"),
            "association_success_date": held.get("LastSuccessfulAssociationExecutionDate"),
        }


def applications(place: Place) -> Iterator[Row]:
    """What is installed on the machines that exist."""
    alive = {held["InstanceId"] for held in place.own("ssm", "instances")}
    for node in place.own("ssm", "entities"):
        for held in node["Data"].get("AWS:Application", {"Content": []})["Content"]:
            if node["Id"] in alive:
                installed = held.get("InstalledTime")
                yield {
                    "instance_id": node["Id"],
                    "name": held["Name"],
                    "version": held["Version"],
                    "publisher": held.get("Publisher"),
                    "architecture": held["Architecture"],
                    "application_type": held["ApplicationType"],
                    "install_time": moment(installed) if installed else None,
                }


def patches(place: Place) -> Iterator[Row]:
    """Patches; what is missing was installed never, not in 1970."""
    for node in place.own("ssm", "patches"):
        for held in node["Patches"]:
            missing = held["State"] == "MISSING"
            yield {
                "instance_id": node["InstanceId"],
                "title": held["Title"],
                "classification": held["Classification"],
                "severity": held["Severity"],
                "state": held["State"],
                "installed_time": None if missing else held["InstalledTime"],
                "kb_id": held["KBId"],
                "cve_ids": held.get("CVEIds"),
            }


TRUTH: Mapping[str, Truth] = {
    "inventory.instances": Truth(instances, "inventory_instances", ("instance_id",)),
    "inventory.applications": Truth(
        applications, "inventory_applications", ("instance_id", "name", "version", "architecture")
    ),
    "inventory.patches": Truth(patches, "inventory_patches", ("instance_id", "title")),
}

DENIALS: Mapping[str, Denial] = {
    "ssm:DescribeInstanceInformation": Denial(
        ("inventory",),
        {
            "inventory.instances": gone,
            "inventory.applications": gone,
            "inventory.patches": gone,
        },
    ),
    "ssm:GetInventory": Denial(("inventory",), {"inventory.applications": gone}),
    "ssm:DescribeInstancePatches": Denial(("inventory",), {"inventory.patches": gone}),
}

MADE_OF: Mapping[str, MadeOf] = {
    "node": (
        instance_row,
        "ssm",
        "DescribeInstanceInformation",
        "InstanceInformationList",
    ),
    "patch": (patch_row, "ssm", "DescribeInstancePatches", "Patches"),
}

# Compliance


def test_a_patch_that_is_not_installed_has_no_time() -> None:
    epoch, later = datetime(1970, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    assert patch_row({"InstalledTime": epoch})["installed_time"] is None
    assert patch_row({})["installed_time"] is None
    row = patch_row({"InstalledTime": later})
    assert datetime.fromisoformat(row["installed_time"]) == later
