"""Trusted Advisor's checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.trusted_advisor import check_row
from tests.collectors.losses import Denial, listing
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, moment, number
from tests.runs import Row


def trusted_advisor(place: Place) -> Iterator[Row]:
    """Checks in warning or error."""
    checks = {held["id"]: held for held in place.everywhere("support", "checks")}
    for held in place.everywhere("support", "results"):
        if held["status"] in ("warning", "error"):
            check = checks[held["checkId"]]
            saved = held["categorySpecificSummary"].get("costOptimizing")
            yield {
                "check_id": held["checkId"],
                "check_name": check["name"],
                "category": check["category"],
                "severity": held["status"],
                "recommendation": check["description"],
                "affected_resources_count": held["resourcesSummary"]["resourcesFlagged"],
                "potential_savings": number(saved["estimatedMonthlySavings"]) if saved else None,
                "timestamp": moment(held["timestamp"]),
            }


TRUTH: Mapping[str, Truth] = {
    "trusted_advisor": Truth(trusted_advisor, "trusted_advisor_checks", ("category", "check_name")),
}

DENIALS: Mapping[str, Denial] = {
    "support:DescribeTrustedAdvisorChecks": listing("trusted_advisor"),
    "support:DescribeTrustedAdvisorCheckSummaries": listing("trusted_advisor"),
    # a summary tells what a result tells
    "support:DescribeTrustedAdvisorCheckResult": Denial(("trusted_advisor",)),
}

MADE_OF: Mapping[str, MadeOf] = {
    "check": (check_row, "support", "DescribeTrustedAdvisorCheckResult", "result"),
}
