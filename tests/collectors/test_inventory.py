"""Machines of Systems Manager: what is installed, and which patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from observability.collectors.inventory import application_row, instance_row, patch_row
from tests.collectors.losses import Denial, gone
from tests.collectors.registry import Golden, MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row

# Compliance and inventory


def instances(place: Place) -> Iterator[Row]:
    """Managed machines; EC2 knows the type of those that are its own."""
    types = {held["InstanceId"]: held["InstanceType"] for held in place.own("ec2", "instances")}
    for held in place.own("ssm", "instances"):
        yield {
            "instance_id": held["InstanceId"],
            "instance_type": types.get(held["InstanceId"]),
        }


def applications(place: Place) -> Iterator[Row]:
    """What is installed on the machines that exist."""
    alive = {held["InstanceId"] for held in place.own("ssm", "instances")}
    for node in place.own("ssm", "entities"):
        for held in node["Data"].get("AWS:Application", {"Content": []})["Content"]:
            if node["Id"] in alive:
                yield {
                    "instance_id": node["Id"],
                    "name": held["Name"],
                    "version": held["Version"],
                    "architecture": held["Architecture"],
                }


def patches(place: Place) -> Iterator[Row]:
    """Patches; what is missing was installed never, not in 1970."""
    for node in place.own("ssm", "patches"):
        for held in node["Patches"]:
            missing = held["State"] == "MISSING"
            yield {
                "instance_id": node["InstanceId"],
                "title": held["Title"],
                "installed_time": None if missing else held["InstalledTime"],
            }


TRUTH: Mapping[str, Truth] = {
    "inventory.instances": Truth(instances, "inventory_instances", ("instance_id",)),
    "inventory.applications": Truth(
        applications, "inventory_applications", ("instance_id", "name", "version", "architecture")
    ),
    "inventory.patches": Truth(patches, "inventory_patches", ("instance_id", "title")),
}

# https://docs.aws.amazon.com/cli/latest/reference/ssm/: describe-instance-information,
# list-inventory-entries, describe-instance-patches
GOLDEN: Mapping[str, Golden] = {
    "inventory.instances": Golden(
        instance_row,
        {
            "InstanceId": "i-1234567890abcdef0",
            "PingStatus": "Online",
            "LastPingDateTime": datetime(2019, 2, 18, 14, 57, 15, 178000, tzinfo=UTC),
            "AgentVersion": "2.3.415.0",
            "IsLatestVersion": False,
            "PlatformType": "Linux",
            "PlatformName": "Amazon Linux AMI",
            "PlatformVersion": "2018.03",
            "ResourceType": "EC2Instance",
            "IPAddress": "172.16.0.154",
            "ComputerName": "ip-172-16-0-154.ec2.internal",
            "AssociationStatus": "Success",
            "LastAssociationExecutionDate": datetime(2019, 2, 18, 14, 57, 17, tzinfo=UTC),
            "LastSuccessfulAssociationExecutionDate": datetime(2019, 2, 17, 14, tzinfo=UTC),
        },
        {
            "instance_id": "i-1234567890abcdef0",
            "platform": "Amazon Linux AMI",
            "ip_address": "172.16.0.154",
            "computer_name": "ip-172-16-0-154.ec2.internal",
            "ping_status": "Online",
            "last_ping_date_time": "2019-02-18T14:57:15.178000+00:00",
            "agent_version": "2.3.415.0",
            "platform_type": "Linux",
            "platform_version": "2018.03",
            "is_latest_version": False,
            "association_status": "Success",
            "association_execution_date": "2019-02-18T14:57:17+00:00",
            "association_success_date": "2019-02-17T14:00:00+00:00",
        },
    ),
    "inventory.applications": Golden(
        application_row,
        {
            "Architecture": "x86_64",
            "ApplicationType": "Applications",
            "InstalledTime": "2018-05-03T13:42:34Z",
            "Name": "AmazonCloudWatchAgent",
            "PackageId": "{88a60be2-89a1-4df8-812a-80863c2a2b68}",
            "Publisher": "Amazon Web Services",
            "Version": "1.200442.0",
        },
        {
            "name": "AmazonCloudWatchAgent",
            "version": "1.200442.0",
            "publisher": "Amazon Web Services",
            "architecture": "x86_64",
            "application_type": "Applications",
            "install_time": "2018-05-03T13:42:34+00:00",
        },
    ),
    "inventory.patches": Golden(
        patch_row,
        {
            "Title": "2019-01 Security Update for Adobe Flash Player (KB4480979)",
            "KBId": "KB4480979",
            "Classification": "SecurityUpdates",
            "Severity": "Critical",
            "State": "Installed",
            "InstalledTime": datetime(2019, 1, 9, tzinfo=UTC),
            "CVEIds": "CVE-2018-3620",
        },
        {
            "title": "2019-01 Security Update for Adobe Flash Player (KB4480979)",
            "classification": "SecurityUpdates",
            "severity": "Critical",
            "state": "Installed",
            "installed_time": "2019-01-09T00:00:00+00:00",
            "kb_id": "KB4480979",
            "cve_ids": "CVE-2018-3620",
        },
    ),
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
