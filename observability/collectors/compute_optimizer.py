"""compute_optimizer: what could be smaller, larger or newer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.errors import OFF, ExpectedError
from observability.aws.pages import tokens
from observability.collecting.collector import NOW, REGIONAL, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan, run_parts
from observability.rows import Row, get_path, listed, shaped

if TYPE_CHECKING:
    from mypy_boto3_compute_optimizer import ComputeOptimizerClient


def get_compute_optimizer(scan: Scan, result: CategoryResult) -> None:
    """What Compute Optimizer recommends for instances, volumes and functions of the account.

    Without accountIds AWS answers for the caller's account, also to a management account.
    """
    parts = {"instances": optimize_instances, "volumes": optimize_volumes}
    parts |= {"functions": optimize_functions}
    run_parts(scan, result, parts)


def optimize_instances(scan: Scan, result: CategoryResult) -> None:
    """EC2 instances (GetEC2InstanceRecommendations)."""
    client: ComputeOptimizerClient = scan.client("compute-optimizer")
    for page in tokens(
        lambda **t: client.get_ec2_instance_recommendations(maxResults=1000, **t), "nextToken"
    ):
        note_left_out(result, listed([page], "errors"))
        found = listed([page], "instanceRecommendations", "instanceArn")
        result.emit_all(shaped(found, instance_advice))


def instance_advice(item: Mapping[str, Any]) -> Row:
    """What is advised about an instance."""
    best = best_of(item.get("recommendationOptions"))
    return advice("EC2", item["instanceArn"], item, best) | {
        "resource_name": item.get("instanceName"),
        "current_instance_type": item.get("currentInstanceType"),
        "recommended_instance_type": best.get("instanceType"),
    }


def optimize_volumes(scan: Scan, result: CategoryResult) -> None:
    """EBS volumes (GetEBSVolumeRecommendations); sizes in GiB."""
    client: ComputeOptimizerClient = scan.client("compute-optimizer")
    for page in tokens(
        lambda **t: client.get_ebs_volume_recommendations(maxResults=1000, **t), "nextToken"
    ):
        note_left_out(result, listed([page], "errors"))
        found = listed([page], "volumeRecommendations", "volumeArn")
        result.emit_all(shaped(found, volume_advice))


def volume_advice(item: Mapping[str, Any]) -> Row:
    """What is advised about a volume; it is named by its tag, else by its id."""
    best = best_of(item.get("volumeRecommendationOptions"))
    names = [pair["value"] for pair in item.get("tags", ()) if pair["key"] == "Name"]
    return advice("EBS", item["volumeArn"], item, best) | {
        "resource_name": names[0] if names else item["volumeArn"].rpartition("/")[2],
        "current_volume_type": get_path(item, "currentConfiguration.volumeType"),
        "current_volume_size": get_path(item, "currentConfiguration.volumeSize"),
        "recommended_volume_type": get_path(best, "configuration.volumeType"),
        "recommended_volume_size": get_path(best, "configuration.volumeSize"),
    }


def optimize_functions(scan: Scan, result: CategoryResult) -> None:
    """Lambda functions (GetLambdaFunctionRecommendations); memory in MiB."""
    client: ComputeOptimizerClient = scan.client("compute-optimizer")
    pages = client.get_paginator("get_lambda_function_recommendations").paginate(
        PaginationConfig={"PageSize": 1000}
    )
    found = listed(pages, "lambdaFunctionRecommendations", "functionArn")
    result.emit_all(shaped(found, function_advice))


def function_advice(item: Mapping[str, Any]) -> Row:
    """What is advised about a function."""
    best = best_of(item.get("memorySizeRecommendationOptions"))
    return advice("Lambda", item["functionArn"], item, best) | {
        "resource_name": item["functionArn"].split(":")[6],
        "current_memory_size": item.get("currentMemorySize"),
        "recommended_memory_size": best.get("memorySize"),
    }


def note_left_out(result: CategoryResult, errors: Iterable[Mapping[str, Any]]) -> None:
    """Record what AWS could not recommend anything for, though it was asked."""
    for error in errors:
        result.fail(
            f"compute-optimizer left out, {error.get('code')}", str(error.get("identifier"))
        )
        result.unread.update(result.lists)


def best_of(options: Iterable[Mapping[str, Any]] | None) -> Mapping[str, Any]:
    """The option that AWS ranks first."""
    return min(options or ({},), key=lambda option: option.get("rank", 0), default={})


def advice(kind: str, arn: str, item: Mapping[str, Any], best: Mapping[str, Any]) -> Row:
    """What all recommendations have; savings in dollars (China's are in yuan: not told)."""
    savings = get_path(best, "savingsOpportunity.estimatedMonthlySavings") or {}
    metrics = {
        (str(metric.get("name")).lower(), str(metric.get("statistic")).lower()): metric.get("value")
        for metric in item.get("utilizationMetrics", ())
    }
    dollars = savings.get("value") if savings.get("currency") == "USD" else None
    return {
        "resource_type": kind,
        "resource_arn": arn,
        "finding": item.get("finding"),
        "savings_opportunity_percentage": get_path(
            best, "savingsOpportunity.savingsOpportunityPercentage"
        ),
        "estimated_monthly_savings_usd": dollars,
        "performance_risk": best.get("performanceRisk"),
        "current_performance_risk": item.get("currentPerformanceRisk"),
        "cpu_utilization_max": metrics.get(("cpu", "maximum")),
        "memory_utilization_avg": metrics.get(("memory", "average")),
        "migration_effort": best.get("migrationEffort"),
    }


NOT_OPTED_IN = "not opted in to it"

EXPECTED_ERRORS = (
    ExpectedError("compute-optimizer", "OptInRequiredException", OFF, NOT_OPTED_IN),
)  # fmt: skip

COLLECTOR = Collector(
    category="compute_optimizer",
    collect=get_compute_optimizer,
    scope=REGIONAL,
    backfill=NOW,
    actions=(
        "compute-optimizer:GetEC2InstanceRecommendations",
        "compute-optimizer:GetEBSVolumeRecommendations",
        "compute-optimizer:GetLambdaFunctionRecommendations",
        # which look at the resources in the caller's name
        "ec2:DescribeInstances",
        "ec2:DescribeVolumes",
        "lambda:ListFunctions",
        "lambda:ListProvisionedConcurrencyConfigs",
    ),
    resources={
        "lambda:ListProvisionedConcurrencyConfigs": ("lambda:*:${AWS::AccountId}:function:*",),
    },
    probes=(
        Probe("compute-optimizer:GetEC2InstanceRecommendations", {"maxResults": 1}),
        Probe("compute-optimizer:GetEBSVolumeRecommendations", {"maxResults": 1}),
        Probe("compute-optimizer:GetLambdaFunctionRecommendations", {"maxResults": 1}),
    ),
    expected_errors=EXPECTED_ERRORS,
)
