"""Systems Manager: managed nodes, their inventory and their patches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import iso, pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

PLATFORMS = (
    ("Linux", "Amazon Linux", "2023"),
    ("Linux", "Ubuntu", "24.04"),
    ("Windows", "Microsoft Windows Server 2025 Datacenter", "10.0.26100"),
)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The InstalledTime that AWS sends of a patch that is not installed."""


@content("ssm", "instances")
def instances(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeInstanceInformation's nodes: EC2 instances but the last, and one on premises."""
    servers = account.items("ec2", "instances", region)
    if not servers:
        return []
    managed = [node(account, region, number, made) for number, made in enumerate(servers[:-1])]
    return [*managed, on_premises(account, region, len(managed))]


def node(account: Account, region: str, number: int, server: dict[str, Any]) -> dict[str, Any]:
    """The node that an instance is; a stopped one has lost its connection."""
    platform, name, version = pick(PLATFORMS, number)
    online = server["State"]["Name"] == "running"
    seen = account.ago(0 if online else 9, seconds=60 + number)
    return {
        "InstanceId": server["InstanceId"],
        "PingStatus": "Online" if online else "ConnectionLost",
        "LastPingDateTime": seen,
        "AgentVersion": f"3.3.{1000 + number}.0",
        "IsLatestVersion": number % 2 == 0,
        "PlatformType": platform,
        "PlatformName": name,
        "PlatformVersion": version,
        "ResourceType": "EC2Instance",
        "IPAddress": server["PrivateIpAddress"],
        "ComputerName": account.words.name("computer", number, region=region),
        "SourceId": server["InstanceId"],
        "SourceType": "AWS::EC2::Instance",
        **associations(account, number),
    }


def associations(account: Account, number: int) -> dict[str, Any]:
    """What came of the node's associations; a node may have none yet."""
    if number % 7 == 6:
        return {}
    status = pick(("Success", "Failed", "Pending"), number)
    return {
        "AssociationStatus": status,
        "LastAssociationExecutionDate": account.ago(1, seconds=number),
        "LastSuccessfulAssociationExecutionDate": account.ago(2, seconds=number),
        "AssociationOverview": {
            "DetailedStatus": status,
            "InstanceAssociationStatusAggregatedCount": {status: 1 + number % 3},
        },
    }


def on_premises(account: Account, region: str, number: int) -> dict[str, Any]:
    """A node outside AWS, registered by an activation, under a name and an IPv6 address."""
    return {
        "InstanceId": f"mi-{account.hex(17, 'node', region)}",
        "PingStatus": "Inactive",
        "LastPingDateTime": account.ago(40, seconds=number),
        "AgentVersion": "3.2.2303.0",
        "IsLatestVersion": False,
        "PlatformType": "Linux",
        "PlatformName": "Debian GNU/Linux",
        "PlatformVersion": "13",
        "ActivationId": account.uuid("activation", region),
        "IamRole": "service-role/managed-node",
        "RegistrationDate": account.ago(200),
        "ResourceType": "ManagedInstance",
        "Name": account.words.text("server", 0),
        "IPAddress": "2001:db8::1:2",
        "ComputerName": account.words.text("server", 1),
        "SourceId": f"mi-{account.hex(17, 'node', region)}",
        "SourceType": "AWS::SSM::ManagedInstance",
    }


@content("ssm", "entities")
def entities(account: Account, region: str) -> list[dict[str, Any]]:
    """GetInventory's entities: each node with the inventory types that it has sent.

    The node on premises has sent nothing but its InstanceInformation, and a node that was
    terminated is still in the inventory, as it is in AWS for a while.
    """
    nodes = account.items("ssm", "instances", region)
    found = [entity(account, region, number, made) for number, made in enumerate(nodes[:-1])]
    if nodes:
        found.append({"Id": nodes[-1]["InstanceId"], "Data": information(nodes[-1], "Active")})
        gone = nodes[0] | {"InstanceId": f"i-{account.hex(17, 'terminated', region)}"}
        data = information(gone, "Terminated") | wrapped("AWS:Application", "1.1", [GONE])
        found.append({"Id": gone["InstanceId"], "Data": data})
    return found


GONE = {"Name": "left-behind", "Version": "1", "Architecture": "x86_64", "Publisher": "nobody"}


def entity(account: Account, region: str, number: int, made: dict[str, Any]) -> dict[str, Any]:
    """One node's inventory."""
    windows = made["PlatformType"] == "Windows"
    programs = applications(account, number, windows)
    network = {"Name": "eth0", "IPV4": made["IPAddress"], "MacAddress": "06:00:00:00:00:01"}
    agent = {"Name": "amazon-ssm-agent", "Version": made["AgentVersion"], "Publisher": "Amazon"}
    updates = [{"HotFixId": f"KB{5000000 + number}", "Description": "Security Update"}]
    data = information(made, "Active" if made["PingStatus"] == "Online" else "Stopped")
    data |= wrapped("AWS:Application", "1.1", programs)
    data |= wrapped("AWS:AWSComponent", "1.0", [agent])
    data |= wrapped("AWS:Network", "1.0", [network])
    return {
        "Id": made["InstanceId"],
        "Data": data | (wrapped("AWS:WindowsUpdate", "1.0", updates) if windows else {}),
    }


def information(made: dict[str, Any], status: str) -> dict[str, Any]:
    """The inventory item that every node has."""
    fields = ("AgentVersion", "ComputerName", "InstanceId", "PlatformName", "PlatformType")
    return wrapped(
        "AWS:InstanceInformation",
        "1.0",
        [
            {name: str(made[name]) for name in fields}
            | {
                "AgentType": "amazon-ssm-agent",
                "InstanceStatus": status,
                "IpAddress": made["IPAddress"],
                "PlatformVersion": made["PlatformVersion"],
                "ResourceType": made["ResourceType"],
            }
        ],
    )


def wrapped(kind: str, version: str, entries: list[dict[str, str]]) -> dict[str, Any]:
    """An inventory item under its type's name."""
    item = {"TypeName": kind, "SchemaVersion": version, "Content": entries}
    return {kind: item | {"CaptureTime": "2026-11-21T03:04:05Z", "ContentHash": "0" * 32}}


def applications(account: Account, number: int, windows: bool) -> list[dict[str, str]]:
    """AWS:Application entries, no two alike in name, version and architecture.

    The first three are one name in two versions and two architectures.
    """
    count = account.size.applications_per_instance
    same = [("1.0", "x86_64"), ("2.0", "x86_64"), ("2.0", "i386")][:count]
    found = [application(account, "kernel", *pair, step) for step, pair in enumerate(same)]
    for step in range(len(same), count):
        name = account.words.name("program", step)
        version = f"{step}.{number % 9}.0-{'r' if windows else 'amzn2023'}"
        machine = pick(("x86_64", "noarch", "arm64"), step)
        found.append(application(account, name, version, machine, step))
    return found


def application(
    account: Account, name: str, version: str, machine: str, number: int
) -> dict[str, str]:
    """One entry; every fifth does not say when it was installed, nor by whom it is published."""
    known = {
        "Publisher": account.words.text("publisher", number),
        "InstalledTime": iso(account.ago(10 + number % 300, seconds=number)),
    }
    return {
        "Name": name,
        "Version": version,
        "Architecture": machine,
        "ApplicationType": pick(("System Environment/Base", "Applications", "Unspecified"), number),
        "PackageId": f"{name}-{version}.src.rpm",
        "URL": "https://example.com/",
        **(known if number % 5 != 4 else {}),
    }


@content("ssm", "patches")
def patches(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeInstancePatches' Patches, with the InstanceId that was asked for."""
    nodes = account.items("ssm", "instances", region)[:-1]
    count = account.size.patches_per_instance
    return [
        {
            "InstanceId": made["InstanceId"],
            "Patches": [patch(account, number, step) for step in range(count)],
        }
        for number, made in enumerate(nodes)
    ]


PATCH_STATES = ("INSTALLED", "MISSING", "INSTALLED_OTHER", "FAILED", "INSTALLED_PENDING_REBOOT")


def patch(account: Account, number: int, step: int) -> dict[str, Any]:
    """One patch of a node; what is missing was installed at the beginning of time."""
    state = pick(PATCH_STATES, number + step)
    installed = account.ago(5 + step % 200, seconds=number)
    return {
        "Title": f"{account.words.text('patch', step).splitlines()[0]} (KB{5_000_000 + step})",
        "KBId": f"KB{5_000_000 + step}",
        "Classification": pick(("SecurityUpdates", "Security", "Bugfix", "CriticalUpdates"), step),
        "Severity": pick(("Critical", "Important", "Moderate", "Low", "Unspecified"), step),
        "State": state,
        "InstalledTime": NEVER if state == "MISSING" else installed,
        **({"CVEIds": f"CVE-2026-{step:05d},CVE-2026-{step + 1:05d}"} if step % 2 == 0 else {}),
    }
