"""trusted_advisor: checks in warning or error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from observability.collecting.batch import read_batch
from observability.collecting.collector import GLOBAL, NOW, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import Row, RowMapper, batches, identified, iso_time, listed, shaped
from observability.sources.support import SUPPORT_ERRORS

if TYPE_CHECKING:
    from mypy_boto3_support import SupportClient


check_row = RowMapper(
    severity="status", affected_resources_count="resourcesSummary.resourcesFlagged",
    potential_savings="categorySpecificSummary.costOptimizing.estimatedMonthlySavings",
    timestamp=iso_time("timestamp"),
)  # fmt: skip
"""What a Trusted Advisor check found; savings in dollars a month, of cost checks only."""


def get_trusted_advisor(scan: Scan, result: CategoryResult) -> None:
    """Trusted Advisor checks in warning or error (Support: DescribeTrustedAdvisorChecks, …).

    Summaries, a hundred checks a call, tell which those are; only their results are read. For a
    check that was retired, and is listed still, AWS refuses the summaries of all that are asked:
    https://github.com/aws-solutions/quota-monitor-for-aws/issues/73
    """
    client: SupportClient = scan.global_client("support")
    answer = client.describe_trusted_advisor_checks(language="en")
    checks = {check["id"]: check for check in identified(listed([answer], "checks", "id"), "name")}

    def read_summaries(ids: Sequence[str]) -> Iterator[Any]:
        found = client.describe_trusted_advisor_check_summaries(checkIds=ids)
        return listed([found], "summaries", "checkId")

    def retired(check: str) -> None:
        result.note(f"check {check} is left out: AWS lists it, and does not know it any longer")

    summaries = {
        summary["checkId"]: summary
        for ids in batches(checks, 100)
        for summary in read_batch(read_summaries, ids, retired)
        if summary.get("status") in ("warning", "error")
    }

    def row(found: tuple[str, Any]) -> Row:
        check, check_result = found
        about = checks[check]
        # A summary has what a result has, less the resources.
        return check_row(
            check_result or summaries[check],
            recommendation=about.get("description"),
            check_id=check,
            check_name=about["name"],
            category=about["category"],
        )

    results = map_items(
        scan.aws,
        summaries,
        lambda check: client.describe_trusted_advisor_check_result(checkId=check)["result"],
        result,
    )
    result.emit_all(shaped(results, row))


EXPECTED_ERRORS = (
    *SUPPORT_ERRORS,
)  # fmt: skip

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
    expected_errors=EXPECTED_ERRORS,
)
