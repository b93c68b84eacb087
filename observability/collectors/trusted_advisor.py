"""trusted_advisor: checks in warning or error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from observability.collecting.collector import GLOBAL, NOW, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import RowMapper, batches, iso_time
from observability.sources.support import SUPPORT_ERRORS

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
    summaries = {
        summary["checkId"]: summary
        for ids in batches(checks, 100)
        for summary in read_summaries(client, out, ids)
        if summary["status"] in ("warning", "error")
    }
    for check, result in map_items(
        scan.aws,
        summaries,
        lambda check: client.describe_trusted_advisor_check_result(checkId=check)["result"],
        out,
    ):
        about = checks[check]
        named = {"check_id": check, "check_name": about["name"], "category": about["category"]}
        # A summary has what a result has, less the resources.
        found = result or summaries[check]
        out.emit(check_row(found, recommendation=about["description"], **named))


RETIRED = re.compile(r"Unknown ID:.*?(\S+)\s*$", re.S)
"""What AWS says of a check that it still lists but no longer knows; its id is the last word.
https://github.com/aws-solutions/quota-monitor-for-aws/issues/73
"""


def read_summaries(client: SupportClient, out: CategoryResult, ids: Sequence[str]) -> list[Any]:
    """Summaries of checks (DescribeTrustedAdvisorCheckSummaries), without those that are retired.

    AWS refuses a whole batch for one id, and names that one; a batch of which it names none is
    halved.
    """
    if not ids:
        return []
    try:
        return [*client.describe_trusted_advisor_check_summaries(checkIds=ids)["summaries"]]
    except client.exceptions.ClientError as error:
        told = error.response["Error"]
        if told["Code"] != "InvalidParameterValueException":
            raise
        named = RETIRED.search(told.get("Message", ""))
    retired = named[1] if named and named[1] in ids else ids[0] if len(ids) == 1 else None
    if retired:
        out.note(f"check {retired} is left out: AWS lists it, and does not know it any longer")
        return read_summaries(client, out, [check for check in ids if check != retired])
    half = len(ids) // 2
    return [s for part in (ids[:half], ids[half:]) for s in read_summaries(client, out, part)]


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
