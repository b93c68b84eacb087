"""Security Hub: findings of several products, in the AWS Security Finding Format."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import iso, pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

PRODUCTS = (
    ("Security Hub", "AWS", "securityhub"),
    ("GuardDuty", "Amazon", "guardduty"),
    ("Inspector", "Amazon", "inspector"),
    ("Config", "AWS", "config"),
    ("IAM Access Analyzer", "AWS", "access-analyzer"),
)
SEVERITIES = (
    ("CRITICAL", 90),
    ("HIGH", 70),
    ("MEDIUM", 40),
    ("LOW", 1),
    ("INFORMATIONAL", 0),
    ("MEDIUM", 50),
    ("HIGH", 75),
)
WORKFLOWS = ("NEW", "NOTIFIED", "NEW", "RESOLVED", "SUPPRESSED", "NEW")
COMPLIANCES = ("FAILED", "PASSED", "WARNING", "NOT_AVAILABLE")
CONTROLS = (
    ("EC2.8", "EC2 instances should use IMDSv2"),
    ("S3.1", "S3 buckets should block public access"),
    ("RDS.3", "RDS DB instances should have encryption at-rest enabled"),
    ("KMS.4", "AWS KMS key rotation should be enabled"),
    ("Lambda.1", "Lambda functions should prohibit public access"),
)
FORMATS: tuple[Callable[[datetime], str], ...] = (
    iso,
    datetime.isoformat,
    lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
)


@content("securityhub", "findings")
def findings(account: Account, region: str) -> list[dict[str, Any]]:
    """GetFindings' findings: every severity, workflow, product and record state."""
    targets = resources(account, region)
    count = account.size.security_hub_findings
    return [finding(account, region, number, targets) for number in range(count)]


def resources(account: Account, region: str) -> list[tuple[str, str]]:
    """(type, identifier) of what findings are about: the account itself, then what it runs."""
    found = [("AwsAccount", f"AWS::::Account:{account.id}")]
    found += [
        ("AwsEc2Instance", account.arn("ec2", f"instance/{server['InstanceId']}", region))
        for server in account.items("ec2", "instances", region)
    ]
    found += [
        ("AwsS3Bucket", f"arn:aws:s3:::{bucket['Name']}")
        for bucket in account.items("s3", "buckets")
    ]
    found += [
        ("AwsRdsDbInstance", database["DBInstanceArn"])
        for database in account.items("rds", "instances", region)
    ]
    return found


def updated(account: Account, number: int) -> datetime:
    """When a finding changed last: a third of them yesterday, the others over two months."""
    days = 0 if number % 3 == 0 else number % 60
    return account.ago(days, seconds=1 + number * 977 % 86_400)


def finding(
    account: Account, region: str, number: int, targets: list[tuple[str, str]]
) -> dict[str, Any]:
    """One finding; its times are in one of the forms that products send."""
    product, company, slug = pick(PRODUCTS, number)
    label, normalized = pick(SEVERITIES, number)
    control, title = pick(CONTROLS, number)
    kind, target = pick(targets, number)
    moment, form = updated(account, number), pick(FORMATS, number // 3)
    finding_id = account.uuid("finding", region, number)
    path = f"subscription/{slug}/v/1.0.0/{control}/finding/{finding_id}"
    first = form(account.ago(61 + number % 30, seconds=number))
    return {
        "SchemaVersion": "2018-10-08",
        "Id": account.arn("securityhub", path, region),
        "ProductArn": f"arn:aws:securityhub:{region}::product/aws/{slug}",
        "ProductName": product,
        "CompanyName": company,
        "Region": region,
        "GeneratorId": f"security-control/{control}",
        "AwsAccountId": account.id,
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "FirstObservedAt": first,
        "LastObservedAt": form(moment),
        "CreatedAt": first,
        "UpdatedAt": form(moment),
        "Severity": {"Label": label, "Normalized": normalized, "Original": label},
        "Title": account.words.name("finding", number, title=title),
        "Description": account.words.text("finding", number),
        "Remediation": {
            "Recommendation": {
                "Text": account.words.text("recommendation", number + 1),
                "Url": "https://example.com/",
            }
        },
        "ProductFields": {"aws/securityhub/ProductName": product},
        "Resources": [{"Type": kind, "Id": target, "Partition": "aws", "Region": region}],
        **compliance(number, control),
        "WorkflowState": "NEW",
        "Workflow": {"Status": pick(WORKFLOWS, number)},
        "RecordState": "ARCHIVED" if number % 11 == 10 else "ACTIVE",
    }


def compliance(number: int, control: str) -> dict[str, Any]:
    """The result of a control; other products' findings carry none."""
    if number % 5 == 4:
        return {}
    return {"Compliance": {"Status": pick(COMPLIANCES, number), "SecurityControlId": control}}
