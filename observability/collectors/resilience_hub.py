"""resilience_hub: applications, their goals and assessments."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.cache import Lazy
from observability.aws.errors import VANISHED, ExpectedError
from observability.aws.pages import tokens
from observability.collecting.collector import NOW, REGIONAL, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import Row, RowMapper, get_path, iso_time, listed

if TYPE_CHECKING:
    from mypy_boto3_resiliencehub import ResilienceHubClient


app_row = RowMapper(
    app_arn="appArn", name="name", compliance_status="complianceStatus",
    resiliency_score="resiliencyScore", status="status", description="description",
    creation_time=iso_time("creationTime"),
    last_assessment_time=iso_time("lastAppComplianceEvaluationTime"),
)  # fmt: skip


def get_resilience_hub_apps(scan: Scan, result: CategoryResult) -> None:
    """Applications of Resilience Hub, their policy and their assessed cost (ListApps and others).

    AWS tells an app's policy by app only (DescribeApp), the costs by assessment
    (ListAppAssessments, the newest one of each app).
    """
    client: ResilienceHubClient = scan.client("resiliencehub")
    policies: dict[str, Lazy[Row]] = {}
    lock = threading.Lock()

    def goals(arn: str) -> Row:
        with lock:
            read = Lazy(lambda: policy_goals(client.describe_resiliency_policy(policyArn=arn)))
            known = policies.setdefault(arn, read)
        return known()

    def describe(arn: str) -> Row:
        app: Row = {**client.describe_app(appArn=arn)["app"], "appArn": arn}
        policy = app.get("policyArn")
        strictest = result.try_read(lambda: goals(policy), arn) if policy else None
        cost = result.try_read(lambda: assessed_cost(client, arn), arn)
        return app_row(app, cost=cost, **(strictest or {"rto": None, "rpo": None}))

    pages = tokens(lambda **token: client.list_apps(maxResults=100, **token), "nextToken")
    apps = {app["appArn"]: app for app in listed(pages, "appSummaries", "appArn")}
    for arn, row in map_items(scan.aws, apps, describe, result):
        result.emit(row or app_row(apps[arn]))


def policy_goals(answer: Mapping[str, Any]) -> Row:
    """RTO and RPO in seconds: the strictest that a resiliency policy asks for."""
    goals = (get_path(answer, "policy.policy") or {}).values()
    return {
        "rto": min((goal["rtoInSecs"] for goal in goals), default=None),
        "rpo": min((goal["rpoInSecs"] for goal in goals), default=None),
    }


def assessed_cost(client: ResilienceHubClient, arn: str) -> float | None:
    """What an app costs a month by its newest assessment that succeeded."""
    pages = tokens(
        lambda **token: client.list_app_assessments(
            appArn=arn, assessmentStatus=["Success"], reverseOrder=True, maxResults=100, **token
        ),
        "nextToken",
    )
    newest = next(listed(pages, "assessmentSummaries", "assessmentArn"), None)
    return a_month(get_path(newest, "cost"))


TIMES_A_MONTH = {"Hourly": 730.0, "Daily": 365 / 12, "Monthly": 1.0, "Yearly": 1 / 12}


def a_month(cost: Mapping[str, Any] | None) -> float | None:
    """An amount that Resilience Hub gives by hour, day, month or year, by month."""
    if not cost:
        return None
    amount: float = cost["amount"]
    return amount * TIMES_A_MONTH[cost["frequency"]]


EXPECTED_ERRORS = (
    ExpectedError("resiliencehub", "ResourceNotFoundException", VANISHED),
)  # fmt: skip

COLLECTOR = Collector(
    category="resilience_hub",
    collect=get_resilience_hub_apps,
    scope=REGIONAL,
    backfill=NOW,
    actions=(
        "resiliencehub:ListApps",
        "resiliencehub:DescribeApp",
        "resiliencehub:DescribeResiliencyPolicy",
        "resiliencehub:ListAppAssessments",
    ),
    resources={
        "resiliencehub:DescribeApp": (
            "resiliencehub:*:${AWS::AccountId}:app/*",
            "resiliencehub:*:${AWS::AccountId}:resiliency-policy/*",
        ),
        "resiliencehub:DescribeResiliencyPolicy": (
            "resiliencehub:*:${AWS::AccountId}:app/*",
            "resiliencehub:*:${AWS::AccountId}:resiliency-policy/*",
        ),
    },
    probes=(Probe("resiliencehub:ListApps", {"maxResults": 1}),),
    expected_errors=EXPECTED_ERRORS,
)
