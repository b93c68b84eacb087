"""Support: Trusted Advisor's checks and results, and cases with what was said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import iso, pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

CATEGORIES = (
    "cost_optimizing",
    "security",
    "fault_tolerance",
    "performance",
    "service_limits",
    "operational_excellence",
)
CHECK_STATUSES = ("warning", "error", "ok", "warning", "not_available", "ok", "error")
CASE_STATUSES = (
    "opened",
    "resolved",
    "pending-customer-action",
    "resolved",
    "work-in-progress",
    "reopened",
    "unassigned",
)
SEVERITIES = ("low", "normal", "high", "urgent", "critical")


@content("support", "checks")
def checks(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeTrustedAdvisorChecks' TrustedAdvisorCheckDescription; the text is HTML."""
    return [
        {
            "id": f"{account.hex(10, 'check', number)}",
            "name": account.words.name("check", number),
            "description": "Checks things.<br/>\n<b>Alert Criteria</b> "
            + account.words.text("check", number),
            "category": pick(CATEGORIES, number),
            "metadata": ["Region/AZ", "Instance ID", "Estimated Monthly Savings", "Reason"],
        }
        for number in range(account.size.advisor_checks)
    ]


@content("support", "results")
def results(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeTrustedAdvisorCheckResult's TrustedAdvisorCheckResult."""
    return [
        result(account, number, held)
        for number, held in enumerate(account.items("support", "checks"))
    ]


def result(account: Account, number: int, check: dict[str, Any]) -> dict[str, Any]:
    """One check's result; cost checks tell what could be saved, to a fraction of a cent."""
    status = pick(CHECK_STATUSES, number)
    flagged = flagged_resources(account, number) if status in ("warning", "error") else []
    savings = {
        "costOptimizing": {
            "estimatedMonthlySavings": 12.345678 * len(flagged),
            "estimatedPercentMonthlySavings": 0.25,
        }
    }
    return {
        "checkId": check["id"],
        "timestamp": account.ago(number % 5, seconds=60 + number).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": status,
        "resourcesSummary": {
            "resourcesProcessed": 10 + len(flagged),
            "resourcesFlagged": len(flagged),
            "resourcesIgnored": 0,
            "resourcesSuppressed": sum(held["isSuppressed"] for held in flagged),
        },
        "categorySpecificSummary": savings if check["category"] == "cost_optimizing" else {},
        "flaggedResources": flagged,
    }


def flagged_resources(account: Account, number: int) -> list[dict[str, Any]]:
    """The instances of the home region that a check flags, one of them suppressed."""
    servers = account.items("ec2", "instances", account.home_region)
    return [
        {
            "status": "warning",
            "region": account.home_region,
            "resourceId": account.hex(40, "flagged", number, server["InstanceId"]),
            "isSuppressed": step == 2,
            "metadata": [account.home_region, server["InstanceId"], "$12.35", "idle"],
        }
        for step, server in enumerate(servers[: 1 + number % 4])
    ]


@content("support", "cases")
def cases(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeCases' CaseDetails with all communications."""
    return [case(account, number) for number in range(account.size.cases)]


def case(account: Account, number: int) -> dict[str, Any]:
    """One case; every third was created yesterday, the others up to a year ago."""
    days = 0 if number % 3 == 0 else 5 + number * 13 % 360
    created = account.ago(days, seconds=1 + number * 457 % 80_000 + 6_000)
    year = created.year
    case_id = f"case-{account.id}-muen-{year}-{account.hex(16, 'case', number)}"
    return {
        "caseId": case_id,
        "displayId": str(1_700_000_000 + number),
        "subject": f"{pick(account.words.apps, number)}: {account.words.text('case', number)}"[
            :250
        ],
        "status": pick(CASE_STATUSES, number),
        "serviceCode": pick(("amazon-elastic-compute-cloud-linux", "billing"), number),
        "categoryCode": pick(("using-aws", "payment-issue", "other"), number),
        "severityCode": pick(SEVERITIES, number),
        "submittedBy": account.words.text("submitter", number),
        "timeCreated": iso(created),
        "recentCommunications": {"communications": communications(account, number, case_id)},
        "ccEmailAddresses": ["team@example.com"] if number % 2 else [],
        "language": pick(("en", "ja"), number),
    }


def communications(account: Account, number: int, case_id: str) -> list[dict[str, Any]]:
    """What was said, the newest first; the last word on an old case came days afterwards."""
    days = 0 if number % 3 == 0 else 5 + number * 13 % 360
    created = account.ago(days, seconds=1 + number * 457 % 80_000 + 6_000)
    times = [created]
    if number % 4 == 1:
        times.append(account.ago(0, seconds=3_000 + number))
    elif days:
        times.append(account.ago(days - 2, seconds=number))
    return [
        {
            "caseId": case_id,
            "body": account.words.text("reply", number + step),
            "submittedBy": pick(("ops@example.com", "Amazon Web Services"), step),
            "timeCreated": iso(moment),
            "attachmentSet": [],
        }
        for step, moment in reversed(list(enumerate(times)))
    ]
