"""security.guard_duty: threats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from observability.aws.cache import Lazy
from observability.aws.errors import OFF, ExpectedError, SharedReadUnavailable
from observability.aws.session import Aws
from observability.collecting.batch import read_batch
from observability.collecting.collector import EVENT, Part, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.dates import day_of
from observability.rows import Row, RowMapper, batches, iso_time, listed, shaped
from observability.sources.findings import Administered, Reading, findings

if TYPE_CHECKING:
    from mypy_boto3_guardduty import GuardDutyClient
    from mypy_boto3_guardduty.type_defs import ConditionTypeDef


guard_duty_row = RowMapper(
    id="Id", type="Type", severity="Severity", title="Title", description="Description",
    confidence="Confidence", region="Region", created_at=iso_time("CreatedAt"),
    updated_at=iso_time("UpdatedAt"), resource_type="Resource.ResourceType",
    archived="Service.Archived",
)  # fmt: skip


def own_detector(aws: Aws, region: str) -> str | None:
    """The caller's detector, of which a region has one at most (GuardDuty: ListDetectors)."""
    client: GuardDutyClient = aws.client("guardduty", region)
    pages = client.get_paginator("list_detectors").paginate()
    return next((found for page in pages for found in page.get("DetectorIds", ())), None)


def guard_duty_members(aws: Aws, region: str) -> dict[str, str]:
    """The detectors of the accounts whose findings an administrator sees (ListMembers)."""
    client: GuardDutyClient = aws.client("guardduty", region)
    if not (own := own_detector(aws, region)):
        raise SharedReadUnavailable("its administrator has not enabled it")
    pages = client.get_paginator("list_members").paginate(DetectorId=own, OnlyAssociated="true")
    every = listed(pages, "Members", "AccountId")
    enabled = [item for item in every if item["RelationshipStatus"].lower() == "enabled"]
    found = {item["AccountId"]: item["DetectorId"] for item in enabled if item.get("DetectorId")}
    return {aws.account: own, **found}


def guard_duty_findings(reading: Reading) -> Iterator[tuple[str, Row]]:
    """Findings of accounts (GuardDuty: ListFindings, GetFindings by fifties)."""
    aws, region = reading.aws, reading.region
    client: GuardDutyClient = aws.client("guardduty", region)
    detector = reading.accounts.get(aws.account) or own_detector(aws, region) or ""

    def own_row(item: Any) -> tuple[str, Row]:
        account = item["AccountId"]
        return account, guard_duty_row(item, detector_id=reading.accounts[account])

    def ask(ids: Sequence[str]) -> Iterator[tuple[str, Row]]:
        answer = client.get_findings(DetectorId=detector, FindingIds=ids)
        return shaped(listed([answer], "Findings", "Id"), own_row)

    def refused(finding: str) -> None:
        reading.result.note(
            f"finding {finding} is left out: GuardDuty lists it, and does not tell it"
        )

    def get(ids: list[str]) -> list[tuple[str, Row]]:
        return read_batch(ask, ids, refused)

    pages = client.get_paginator("list_findings").paginate(
        DetectorId=detector,
        FindingCriteria={"Criterion": guard_duty_criteria(reading)},
        PaginationConfig={"PageSize": 50},
    )
    ids = (found for page in pages for found in page.get("FindingIds", ()) if found)
    fills = reading.result.lists
    for _, rows in map_items(aws, batches(ids, 50), get, reading.result, fills=fills):
        yield from rows or ()


GUARD_DUTY = Administered("GuardDuty", "guardduty", 50, guard_duty_members, guard_duty_findings)
"""AWS takes 50 values per criterion."""


def get_guard_duty_security(scan: Scan, result: CategoryResult) -> None:
    """Threats by update time (GuardDuty: ListDetectors, ListFindings, GetFindings by fifties)."""
    detector = Lazy(lambda: own_detector(scan.aws, scan.region))

    def own() -> dict[str, str]:
        found = detector()
        if not found:
            result.skipped = "GuardDuty is not enabled"
        return {scan.account: found} if found else {}

    for row in findings(scan, result, GUARD_DUTY, own):
        result.emit(row, "guard_duty", day=day_of(row["updated_at"]))


def guard_duty_criteria(reading: Reading) -> dict[str, ConditionTypeDef]:
    """Findings of accounts: all that AWS keeps (90 days), or those updated since."""
    among: dict[str, ConditionTypeDef] = {"accountId": {"Equals": [*reading.accounts]}}
    if reading.since is None:
        return among
    span = (reading.since, reading.until)
    first, last = (int(moment.timestamp() * 1000) for moment in span)
    return among | {"updatedAt": {"GreaterThanOrEqual": first, "LessThanOrEqual": last}}


EXPECTED_ERRORS = (
    ExpectedError(
        "guardduty", "BadRequestException", OFF, "GuardDuty is not enabled",
        "detectorId is not owned by the current account",
    ),
)  # fmt: skip

PART = Part(
    name="guard_duty",
    collect=get_guard_duty_security,
    backfill=EVENT,
    actions=(
        "guardduty:ListDetectors",
        "guardduty:ListFindings",
        "guardduty:GetFindings",
    ),
    probes=(Probe("guardduty:ListDetectors", {"MaxResults": 1}),),
    expected_errors=EXPECTED_ERRORS,
)
