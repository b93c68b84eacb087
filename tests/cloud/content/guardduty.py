"""GuardDuty: a detector per region and its findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import iso, pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

TYPES = (
    ("UnauthorizedAccess:EC2/SSHBruteForce", 5.0),
    ("CryptoCurrency:EC2/BitcoinTool.B!DNS", 8.0),
    ("Recon:EC2/PortProbeUnprotectedPort", 2.0),
    ("Execution:Runtime/NewBinaryExecuted", 4.7),
    ("AttackSequence:EC2/CompromisedInstanceGroup", 9.3),
)


@content("guardduty", "detectors")
def detectors(account: Account, region: str) -> list[dict[str, Any]]:
    """GetDetector's answer and the DetectorId that the list names; none if GuardDuty is off."""
    if not account.size.guardduty_findings:
        return []
    since = iso(account.ago(300))
    on = {"Status": "ENABLED"}
    return [
        {
            "DetectorId": account.hex(32, "detector", region),
            "CreatedAt": since,
            "UpdatedAt": since,
            "FindingPublishingFrequency": "FIFTEEN_MINUTES",
            "ServiceRole": account.arn("iam", "role/aws-service-role/AWSServiceRoleForGuardDuty"),
            "Status": "ENABLED",
            "DataSources": {"CloudTrail": on, "DNSLogs": on, "FlowLogs": on, "S3Logs": on},
            "Tags": {"team": "security"},
        }
    ]


@content("guardduty", "findings")
def findings(account: Account, region: str) -> list[dict[str, Any]]:
    """GetFindings' findings: every severity, archived ones, with and without confidence."""
    servers = account.items("ec2", "instances", region)
    count = account.size.guardduty_findings
    return [finding(account, region, number, servers) for number in range(count)]


def finding(
    account: Account, region: str, number: int, servers: list[dict[str, Any]]
) -> dict[str, Any]:
    """One finding about an instance, a third of them last seen yesterday."""
    kind, severity = pick(TYPES, number)
    finding_id = account.hex(32, "guardduty", region, number)
    detector = account.hex(32, "detector", region)
    days = 0 if number % 3 == 0 else number % 80
    seen = iso(account.ago(days, seconds=1 + number * 1009 % 86_400))
    first = iso(account.ago(85, seconds=number))
    path = f"detector/{detector}/finding/{finding_id}"
    server = {"InstanceDetails": {"InstanceId": pick(servers, number)["InstanceId"]}}
    return {
        "SchemaVersion": "2.0",
        "AccountId": account.id,
        "Region": region,
        "Partition": "aws",
        "Id": finding_id,
        "Arn": account.arn("guardduty", path, region),
        "Type": kind,
        "Severity": severity,
        **({"Confidence": 7.5} if number % 2 == 0 else {}),
        "Title": account.words.name("finding", number, title=account.words.text("threat", number)),
        "Description": account.words.text("threat description", number),
        "CreatedAt": first,
        "UpdatedAt": seen,
        "Resource": {"ResourceType": "Instance", **(server if servers else {})},
        "Service": {
            "ServiceName": "guardduty",
            "DetectorId": detector,
            "Archived": number % 6 == 5,
            "Count": 1 + number,
            "EventFirstSeen": first,
            "EventLastSeen": seen,
            "ResourceRole": "TARGET",
        },
    }
