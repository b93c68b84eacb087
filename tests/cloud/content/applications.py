"""Application Signals and Resilience Hub: services that were seen, applications judged."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

COMPLIANCES = ("PolicyMet", "PolicyBreached", "NotAssessed", "ChangesDetected", "MissingPolicy")
TIERS = ("MissionCritical", "Critical", "NonCritical")


@content("application-signals", "services")
def services(account: Account, region: str) -> list[dict[str, Any]]:
    """ListServices' ServiceSummary."""
    return [service(account, region, number) for number in range(account.size.services)]


def service(account: Account, region: str, number: int) -> dict[str, Any]:
    """One service; a remote one has no environment."""
    kind = pick(("Service", "RemoteService", "AWS::Service"), number)
    place = {"Environment": account.words.name("cluster", number)} if kind == "Service" else {}
    name = account.words.name("service", number)
    dimensions = [{"Name": "Service", "Value": name}]
    references = [
        {
            "Namespace": "ApplicationSignals",
            "MetricType": metric.upper(),
            "MetricName": metric,
            "Dimensions": dimensions,
            "AccountId": account.id,
        }
        for metric in ("Latency", "Error", "Fault")
    ]
    return {
        "KeyAttributes": {"Type": kind, "Name": name, **place},
        "AttributeMaps": [{"PlatformType": "AWS::EKS", "EKS.Cluster": "main"}],
        "MetricReferences": references,
    }


@content("application-signals", "seen")
def seen(account: Account, region: str) -> list[dict[str, Any]]:
    """When each service was first seen; the last of them yesterday for the first time."""
    count = account.size.services
    return [{"since": account.ago(1 if number == count - 1 else 200)} for number in range(count)]


@content("resiliencehub", "apps")
def apps(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeApp's App."""
    return [app(account, region, number) for number in range(account.size.resilience_apps)]


def app(account: Account, region: str, number: int) -> dict[str, Any]:
    """One application; one that was never assessed has no times, one without policy no targets."""
    compliance = pick(COMPLIANCES, number)
    app_id = account.uuid("app", region, number)
    assessed = {
        "lastAppComplianceEvaluationTime": account.ago(number % 9, seconds=60 + number),
        "lastResiliencyScoreEvaluationTime": account.ago(number % 9, seconds=60 + number),
        "lastDriftEvaluationTime": account.ago(number % 12, seconds=90 + number),
        "resiliencyScore": 55.5 + number % 40,
    }
    targets = {
        "policyArn": policy_arn(account, region, number),
        "rpoInSecs": 3600 + number % 10,
        "rtoInSecs": 7200 + number % 10,
    }
    return {
        "appArn": account.arn("resiliencehub", f"app/{app_id}", region),
        "name": account.words.name("resilient app", number),
        "description": account.words.text("application", number),
        "creationTime": account.ago(300 - number % 200, seconds=number),
        "complianceStatus": compliance,
        "assessmentSchedule": pick(("Daily", "Disabled"), number),
        "driftStatus": "NotChecked" if compliance == "NotAssessed" else "NotDetected",
        "status": "Active",
        **(assessed if compliance != "NotAssessed" else {"resiliencyScore": 0.0}),
        **(targets if compliance != "MissingPolicy" else {}),
        "tags": {"team": account.words.text("team", 2)},
    }


def policy_arn(account: Account, region: str, number: int) -> str:
    """The ARN of one of the region's three policies."""
    policy_id = account.uuid("policy", region, number % 3)
    return account.arn("resiliencehub", f"resiliency-policy/{policy_id}", region)


@content("resiliencehub", "policies")
def policies(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeResiliencyPolicy's ResiliencyPolicy: targets for each kind of disruption."""
    return [
        {
            "policyArn": policy_arn(account, region, number),
            "policyName": f"policy-{number}",
            "policyDescription": account.words.text("policy", number),
            "tier": pick(TIERS, number),
            "creationTime": account.ago(310),
            "dataLocationConstraint": "AnyLocation",
            "policy": {
                kind: {"rtoInSecs": 3600 * (number + step + 1), "rpoInSecs": 900 * (number + step)}
                for step, kind in enumerate(("Software", "Hardware", "AZ", "Region"))
            },
        }
        for number in range(min(3, account.size.resilience_apps))
    ]


@content("resiliencehub", "assessments")
def assessments(account: Account, region: str) -> list[dict[str, Any]]:
    """ListAppAssessments' AppAssessmentSummary: three of each application that was assessed."""
    return [
        assessment(account, region, held, number)
        for held in account.items("resiliencehub", "apps", region)
        if held["complianceStatus"] != "NotAssessed"
        for number in range(3)
    ]


def assessment(account: Account, region: str, held: dict[str, Any], number: int) -> dict[str, Any]:
    """One assessment and what the application costs; the newest was the last evaluation."""
    ended = held["lastAppComplianceEvaluationTime"] - timedelta(days=2 - number)
    name = account.uuid("assessment", held["appArn"], number)
    met = "PolicyBreached" if held["complianceStatus"] == "PolicyBreached" else "PolicyMet"
    return {
        "appArn": held["appArn"],
        "appVersion": "release",
        "assessmentArn": account.arn("resiliencehub", f"app-assessment/{name}", region),
        "assessmentName": f"assessment-{number}",
        "assessmentStatus": "Success",
        "complianceStatus": met,
        "cost": {"amount": 10.125 + number, "currency": "USD", "frequency": "Monthly"},
        "driftStatus": "NotDetected",
        "startTime": ended,
        "endTime": ended,
        "invoker": "System",
        "resiliencyScore": held["resiliencyScore"],
        "versionName": "1",
    }
