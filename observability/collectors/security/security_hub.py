"""security.security_hub: findings of Security Hub, by product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.errors import OFF, ExpectedError
from observability.aws.session import Aws
from observability.collecting.collector import EVENT, Part, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.collecting.spool import SpooledRows
from observability.dates import day_of, zulu
from observability.rows import Row, RowMapper, get_path, iso_time, listed, shaped
from observability.sources.findings import Administered, Reading, findings

if TYPE_CHECKING:
    from mypy_boto3_securityhub import SecurityHubClient
    from mypy_boto3_securityhub.type_defs import (
        AwsSecurityFindingFiltersTypeDef,
        DateFilterTypeDef,
        StringFilterTypeDef,
    )


SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL")
SECURITY_HUB = "security_hub"

finding_row = RowMapper(
    finding_id="Id",
    service="Resources.0.Type", title="Title", description="Description",
    severity="Severity.Label", status="Workflow.Status",
    resource_type="Resources.0.Type", resource_id="Resources.0.Id",
    created_at=iso_time("CreatedAt"),
    updated_at=iso_time("UpdatedAt"), recommendation="Remediation.Recommendation.Text",
    compliance_status="Compliance.Status", region="Region", workflow_state="WorkflowState",
    record_state="RecordState", product_name="ProductName", company_name="CompanyName",
    product_arn="ProductArn", generator_id="GeneratorId",
    generator=lambda item: get_path(item, "GeneratorDetails.Name") or product(item),
)  # fmt: skip
"""A Security Hub finding (ASFF); the first resource stands for all that it names."""


def product(finding: Mapping[str, Any]) -> str:
    """The product that found it: its name, or else the end of its ARN."""
    return str(finding.get("ProductName") or finding["ProductArn"].rpartition("/")[2])


def is_open(row: Row) -> bool:
    """Whether a finding still wants attention: active, neither resolved nor suppressed."""
    settled = row["status"] in ("RESOLVED", "SUPPRESSED")
    return row["record_state"] != "ARCHIVED" and not settled


def security_hub_members(aws: Aws, region: str) -> dict[str, str]:
    """The accounts whose findings an administrator sees (Security Hub: ListMembers)."""
    client: SecurityHubClient = aws.client("securityhub", region)
    pages = client.get_paginator("list_members").paginate(OnlyAssociated=True)
    found = {item["AccountId"]: "" for item in listed(pages, "Members", "AccountId")}
    return {aws.account: "", **found}


def security_hub_findings(reading: Reading) -> Iterator[tuple[str, Row]]:
    """Findings of accounts (Security Hub: GetFindings)."""
    client: SecurityHubClient = reading.aws.client("securityhub", reading.region)
    pages = client.get_paginator("get_findings").paginate(
        Filters=security_hub_filters(reading), PaginationConfig={"PageSize": 100}
    )
    found = listed(pages, "Findings", "Id")
    yield from shaped(found, lambda finding: (finding["AwsAccountId"], finding_row(finding)))


FINDINGS = Administered(
    "Security Hub", "securityhub", 20, security_hub_members, security_hub_findings
)
"""AWS takes 20 values per filter."""


def get_security_hub(scan: Scan, result: CategoryResult) -> None:
    """Findings by update time, of this account and region (Security Hub: GetFindings).

    The update time is the provider's: AWS does not move it when somebody sets a workflow status.
    """
    for row in findings(scan, result, FINDINGS, lambda: {scan.account: ""}):
        labels = (row["severity"], "open" if is_open(row) else "resolved")
        part = f"{SECURITY_HUB}/{row['product_name'] or row['product_arn'].rpartition('/')[2]}"
        result.emit(row, part, day=day_of(row["updated_at"]), labels=labels)


def security_hub_filters(reading: Reading) -> AwsSecurityFindingFiltersTypeDef:
    """Findings of accounts: all that are active, or those updated since.

    An active one is read whatever workflow status people gave it, for that does not move its time.
    """

    def equal(*values: str) -> list[StringFilterTypeDef]:
        return [{"Value": value, "Comparison": "EQUALS"} for value in values]

    among: AwsSecurityFindingFiltersTypeDef = {
        "AwsAccountId": equal(*reading.accounts),
        "Region": equal(reading.region),
    }
    if reading.since is None:
        return among | {"RecordState": equal("ACTIVE")}
    span: DateFilterTypeDef = {"Start": zulu(reading.since), "End": zulu(reading.until)}
    return among | {"UpdatedAt": [span]}


def finding_groups(lists: Mapping[str, SpooledRows]) -> list[Row]:
    """Security Hub's findings by product, in the order of their names, with counts of what the
    document has of each.
    """
    return [
        {
            "service": part.partition("/")[2],
            "total_findings": rows.count,
            "severity_counts": {severity: rows.tally[severity] for severity in SEVERITIES},
            "open_findings": rows.tally["open"],
            "resolved_findings": rows.tally["resolved"],
            "findings": rows,
        }
        for part, rows in sorted(lists.items())
        if part.startswith(f"{SECURITY_HUB}/")
    ]


EXPECTED_ERRORS = (
    ExpectedError(
        "securityhub", "InvalidAccessException", OFF, "Security Hub is not enabled",
        "not (subscribed|enabled)",
    ),
)  # fmt: skip

PART = Part(
    name=SECURITY_HUB,
    collect=get_security_hub,
    backfill=EVENT,
    actions=("securityhub:GetFindings",),
    resources={
        "securityhub:GetFindings": ("securityhub:*:${AWS::AccountId}:hub/default",),
    },
    probes=(Probe("securityhub:GetFindings", {"MaxResults": 1}),),
    expected_errors=EXPECTED_ERRORS,
)
