"""Inspector: vulnerabilities of instances and functions, and ways to reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED")
STATUSES = ("ACTIVE", "ACTIVE", "CLOSED", "ACTIVE", "SUPPRESSED")


@content("inspector2", "findings")
def findings(account: Account, region: str) -> list[dict[str, Any]]:
    """ListFindings' findings: every severity, status and type."""
    return [finding(account, region, number) for number in range(account.size.inspector_findings)]


def finding(account: Account, region: str, number: int) -> dict[str, Any]:
    """One finding; every fourth is about reachability, the others about a package."""
    days = 0 if number % 3 == 0 else number % 50
    seen = account.ago(days, seconds=1 + number * 631 % 86_400)
    reachable = number % 4 == 3
    name = account.hex(32, "inspector", region, number)
    return {
        "findingArn": account.arn("inspector2", f"finding/{name}", region),
        "awsAccountId": account.id,
        "type": "NETWORK_REACHABILITY" if reachable else "PACKAGE_VULNERABILITY",
        "severity": pick(SEVERITIES, number),
        "status": pick(STATUSES, number),
        "title": f"{'Port 22 is reachable' if reachable else f'CVE-2026-{number:05d}'} - kernel",
        "description": account.words.text("vulnerability", number),
        "remediation": {"recommendation": {"text": account.words.text("remedy", number + 2)}},
        "firstObservedAt": account.ago(60 + number % 20, seconds=number),
        "lastObservedAt": seen,
        "updatedAt": seen,
        "resources": [target(account, region, number)],
        **(reachability() if reachable else vulnerability(account, number)),
    }


def target(account: Account, region: str, number: int) -> dict[str, Any]:
    """The instance that a finding is about, or the account where it runs none."""
    servers = account.items("ec2", "instances", region)
    named = pick(servers, number)["InstanceId"] if servers else account.id
    return {"type": "AWS_EC2_INSTANCE", "id": named, "partition": "aws", "region": region}


def reachability() -> dict[str, Any]:
    """What a finding about an open port says."""
    step = {"componentId": "igw-0a1b2c3d", "componentType": "AWS::EC2::InternetGateway"}
    details = {
        "openPortRange": {"begin": 22, "end": 22},
        "protocol": "TCP",
        "networkPath": {"steps": [step]},
    }
    return {"networkReachabilityDetails": details}


def vulnerability(account: Account, number: int) -> dict[str, Any]:
    """What a finding about a package says."""
    package = {"name": "kernel", "version": "6.1.0", "arch": "X86_64", "packageManager": "OS"}
    details = {
        "vulnerabilityId": f"CVE-2026-{number:05d}",
        "source": "NVD",
        "vendorSeverity": "Important",
        "vendorCreatedAt": account.ago(90, seconds=number),
        "vulnerablePackages": [package],
    }
    return {
        "inspectorScore": 1.0 + number % 90 / 10,
        "fixAvailable": "YES",
        "exploitAvailable": "NO",
        "packageVulnerabilityDetails": details,
    }
