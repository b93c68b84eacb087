"""security.inspector: vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from observability.aws.errors import OFF, ExpectedError
from observability.aws.session import Aws
from observability.collecting.collector import EVENT, Part, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.dates import day_of
from observability.rows import Row, RowMapper, iso_time, listed, shaped
from observability.sources.findings import Administered, Reading, findings

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_inspector2.type_defs import FilterCriteriaTypeDef
    from mypy_boto3_inspector2.type_defs import StringFilterTypeDef as InspectorStringFilterTypeDef


inspector_row = RowMapper(
    finding_arn="findingArn", severity="severity", status="status", type="type", title="title",
    description="description", first_observed_at=iso_time("firstObservedAt"),
    last_observed_at=iso_time("lastObservedAt"), updated_at=iso_time("updatedAt"),
    resource_type="resources.0.type", resource_id="resources.0.id",
    vulnerability_id="packageVulnerabilityDetails.vulnerabilityId",
    inspector_score="inspectorScore", fix_available="fixAvailable",
    exploit_available="exploitAvailable",
)  # fmt: skip
"""An Inspector finding; the first resource stands for all that it names."""


def inspector_members(aws: Aws, region: str) -> dict[str, str]:
    """The accounts whose findings an administrator sees (Inspector: ListMembers)."""
    client: Inspector2Client = aws.client("inspector2", region)
    pages = client.get_paginator("list_members").paginate(onlyAssociated=True)
    every = listed(pages, "members", "accountId")
    enabled = [item for item in every if item["relationshipStatus"] == "ENABLED"]
    return {aws.account: "", **{item["accountId"]: "" for item in enabled}}


def inspector_findings(reading: Reading) -> Iterator[tuple[str, Row]]:
    """Findings of accounts (Inspector: ListFindings)."""
    client: Inspector2Client = reading.aws.client("inspector2", reading.region)
    pages = client.get_paginator("list_findings").paginate(
        filterCriteria=inspector_criteria(reading), PaginationConfig={"PageSize": 100}
    )
    found = listed(pages, "findings", "findingArn")
    yield from shaped(found, lambda item: (item["awsAccountId"], inspector_row(item)))


INSPECTOR = Administered("Inspector", "inspector2", 10, inspector_members, inspector_findings)
"""AWS takes 10 values per criterion."""


def get_inspector(scan: Scan, result: CategoryResult) -> None:
    """Vulnerabilities by update time, of this account (Inspector: ListFindings)."""
    for row in findings(scan, result, INSPECTOR, lambda: {scan.account: ""}):
        result.emit(row, "inspector", day=day_of(row["updated_at"]))


def inspector_criteria(reading: Reading) -> FilterCriteriaTypeDef:
    """Findings of accounts: all that Inspector keeps, or those updated since.

    Closed ones are kept for 3 or 30 days: with them is known what was closed on days that nobody
    read. Suppressed ones may never change again, so that nobody would ever read them.
    https://docs.aws.amazon.com/inspector/latest/user/findings-understanding.html
    """
    named: list[InspectorStringFilterTypeDef] = [
        {"comparison": "EQUALS", "value": account} for account in reading.accounts
    ]
    among: FilterCriteriaTypeDef = {"awsAccountId": named}
    if reading.since is None:
        return among
    first, last = reading.since, reading.until
    return among | {"updatedAt": [{"startInclusive": first, "endInclusive": last}]}


EXPECTED_ERRORS = (
    ExpectedError(
        "inspector2", "AccessDeniedException", OFF, "Inspector is not enabled",
        "(?i)account is not enabled",
    ),
)  # fmt: skip

PART = Part(
    name="inspector",
    collect=get_inspector,
    backfill=EVENT,
    actions=("inspector2:ListFindings",),
    probes=(Probe("inspector2:ListFindings", {"maxResults": 1}),),
    expected_errors=EXPECTED_ERRORS,
)
