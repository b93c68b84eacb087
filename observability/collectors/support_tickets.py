"""support_tickets: cases with AWS Support."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observability.collecting.collector import EVENT, GLOBAL, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.dates import day_of, midnight, zulu
from observability.rows import RowMapper, iso_time, listed, shaped
from observability.sources.support import SUPPORT_ERRORS

if TYPE_CHECKING:
    from mypy_boto3_support import SupportClient


case_row = RowMapper(
    case_id="caseId", display_id="displayId", subject="subject", status="status",
    severity_code="severityCode", service_code="serviceCode", category_code="categoryCode",
    time_created=iso_time("timeCreated"), submitted_by="submittedBy", language="language",
)  # fmt: skip
"""A support case; what was written in it stays with AWS."""


PERSONAL = ("subject", "submitted_by")
"""What people wrote, and who they are; --no-personal-data leaves it out."""


def get_support_tickets(scan: Scan, result: CategoryResult) -> None:
    """Support cases, resolved ones too (Support: DescribeCases, kept for 24 months).

    A plain run reads all of them: AWS can only filter by communication, and a case that is
    resolved without a word would stay open here for ever.
    """
    client: SupportClient = scan.global_client("support")
    window = scan.window
    span = {"afterTime": zulu(midnight(window.start)), "beforeTime": zulu(window.until)}
    pages = client.get_paginator("describe_cases").paginate(
        includeResolvedCases=True,
        includeCommunications=False,
        PaginationConfig={"PageSize": 100},
        **(span if window.backfill else {}),  # type: ignore[arg-type]
    )
    unwanted = dict.fromkeys(PERSONAL if scan.settings.no_personal_data else ())
    for row in shaped(listed(pages, "cases", "caseId"), case_row):
        row |= unwanted
        builder = result.builders.of(day_of(row["time_created"]))
        row |= {"date_from": str(builder.start), "date_to": str(builder.end)}
        result.emit(row, day=builder.start)


EXPECTED_ERRORS = (
    *SUPPORT_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="support_tickets",
    collect=get_support_tickets,
    scope=GLOBAL,
    backfill=EVENT,
    actions=("support:DescribeCases",),
    probes=(Probe("support:DescribeCases", {"maxResults": 10}),),
    expected_errors=EXPECTED_ERRORS,
)
