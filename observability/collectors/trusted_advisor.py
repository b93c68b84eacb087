"""trusted_advisor: checks in warning or error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observability.collecting.collector import GLOBAL, NOW, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import RowMapper, batches, iso_time

if TYPE_CHECKING:
    from mypy_boto3_support import SupportClient


check_row = RowMapper(
    severity="status", affected_resources_count="resourcesSummary.resourcesFlagged",
    potential_savings="categorySpecificSummary.costOptimizing.estimatedMonthlySavings",
    timestamp=iso_time("timestamp"),
)  # fmt: skip
"""What a Trusted Advisor check found; savings in dollars a month, of cost checks only."""


def get_trusted_advisor(scan: Scan, out: CategoryResult) -> None:
    """Trusted Advisor checks in warning or error (Support: DescribeTrustedAdvisorChecks, …).

    Summaries, a hundred checks a call, tell which those are; only their results are read.
    """
    client: SupportClient = scan.global_client("support")
    checks = {c["id"]: c for c in client.describe_trusted_advisor_checks(language="en")["checks"]}
    summaries = [
        summary
        for ids in batches(checks, 100)
        for summary in client.describe_trusted_advisor_check_summaries(checkIds=ids)["summaries"]
    ]
    for check, result in map_items(
        scan.aws,
        [held["checkId"] for held in summaries if held["status"] in ("warning", "error")],
        lambda check: client.describe_trusted_advisor_check_result(checkId=check)["result"],
        out,
    ):
        about = checks[check]
        named = {"check_id": check, "check_name": about["name"], "category": about["category"]}
        if result:
            out.emit(check_row(result, recommendation=about["description"], **named))


COLLECTOR = Collector(
    category="trusted_advisor",
    collect=get_trusted_advisor,
    scope=GLOBAL,
    backfill=NOW,
    actions=(
        "support:DescribeTrustedAdvisorChecks",
        "support:DescribeTrustedAdvisorCheckSummaries",
        "support:DescribeTrustedAdvisorCheckResult",
    ),
    probes=(Probe("support:DescribeTrustedAdvisorChecks", {"language": "en"}),),
)
