"""Compute Optimizer: what would do for instances, volumes and functions; enrollment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

SMALLER = {
    "t3.micro": "t4g.micro",
    "m6i.large": "m7g.medium",
    "r7g.xlarge": "r7g.large",
    "c7i.2xlarge": "c7g.xlarge",
    "t4g.small": "t4g.micro",
}
FINDINGS = ("Overprovisioned", "Underprovisioned", "Optimized", "NotOptimized")
RISKS = ("VeryLow", "Low", "Medium", "High")


def savings(number: int, rank: int) -> dict[str, Any]:
    """What an option saves; the first option saves the most."""
    money = {"currency": "USD", "value": round(30.123456789 / rank + number, 9)}
    return {
        "savingsOpportunityPercentage": round(40.25 / rank, 4),
        "estimatedMonthlySavings": money,
    }


def metric(name: str, statistic: str, value: float) -> dict[str, Any]:
    """One utilization metric."""
    return {"name": name, "statistic": statistic, "value": value}


@content("compute-optimizer", "instances")
def instances(account: Account, region: str) -> list[dict[str, Any]]:
    """GetEC2InstanceRecommendations' InstanceRecommendation."""
    servers = account.items("ec2", "instances", region)
    return [instance(account, region, number, held) for number, held in enumerate(servers)]


def instance(account: Account, region: str, number: int, server: dict[str, Any]) -> dict[str, Any]:
    """One instance, two options, the better one second; memory is known of every second one."""
    arn = account.arn("ec2", f"instance/{server['InstanceId']}", region)
    memory = [metric("Memory", "Maximum", 71.5), metric("Memory", "Average", 33.25 + number % 60)]
    name = next((tag["Value"] for tag in server["Tags"] if tag["Key"] == "Name"), None)
    return {
        "instanceArn": arn,
        "accountId": account.id,
        **({"instanceName": name} if name else {}),
        "currentInstanceType": server["InstanceType"],
        "finding": pick(FINDINGS, number),
        "findingReasonCodes": ["CPUOverprovisioned"],
        "utilizationMetrics": [
            metric("NETWORK_IN_BYTES_PER_SECOND", "Maximum", 12345.5),
            metric("Cpu", "Average", 3.5),
            metric("Cpu", "Maximum", 20.75 + number % 70),
            *(memory if number % 2 == 0 else []),
        ],
        "lookBackPeriodInDays": 14.0,
        "recommendationOptions": [
            option(number, server["InstanceType"], rank=2),
            option(number, SMALLER[server["InstanceType"]], rank=1),
        ],
        "recommendationSources": [
            {"recommendationSourceArn": arn, "recommendationSourceType": "Ec2Instance"}
        ],
        "lastRefreshTimestamp": account.ago(0, seconds=3600 + number),
        "currentPerformanceRisk": pick(RISKS, number),
        "instanceState": server["State"]["Name"],
        "idle": "False",
    }


def option(number: int, instance_type: str, rank: int) -> dict[str, Any]:
    """One way to run an instance."""
    return {
        "instanceType": instance_type,
        "projectedUtilizationMetrics": [metric("Cpu", "Maximum", 41.5)],
        "platformDifferences": ["Architecture"],
        "performanceRisk": float(rank + number % 2),
        "rank": rank,
        "savingsOpportunity": savings(number, rank),
        "migrationEffort": pick(("Medium", "Low", "High", "VeryLow"), number),
    }


@content("compute-optimizer", "volumes")
def volumes(account: Account, region: str) -> list[dict[str, Any]]:
    """GetEBSVolumeRecommendations' VolumeRecommendation."""
    held = account.items("ec2", "volumes", region)
    return [volume(account, region, number, made) for number, made in enumerate(held)]


def volume(account: Account, region: str, number: int, made: dict[str, Any]) -> dict[str, Any]:
    """One volume; an optimized one has no options."""
    optimized = number % 4 == 3
    current = {
        "volumeType": made["VolumeType"],
        "volumeSize": made["Size"],
        "volumeBaselineIOPS": 300,
        "rootVolume": number % 2 == 0,
    }
    better = {
        "configuration": current | {"volumeType": "gp3", "volumeSize": made["Size"] // 2},
        "performanceRisk": 1.0 + number % 3,
        "rank": 1,
        "savingsOpportunity": savings(number, 1),
    }
    return {
        "volumeArn": account.arn("ec2", f"volume/{made['VolumeId']}", region),
        "accountId": account.id,
        "currentConfiguration": current,
        "finding": "Optimized" if optimized else "NotOptimized",
        "utilizationMetrics": [
            metric("VolumeReadOpsPerSecond", "Maximum", 10.5),
            metric("VolumeWriteOpsPerSecond", "Maximum", 11.5),
        ],
        "lookBackPeriodInDays": 14.0,
        "volumeRecommendationOptions": [] if optimized else [better],
        "lastRefreshTimestamp": account.ago(0, seconds=3700 + number),
        "currentPerformanceRisk": pick(RISKS, number),
    }


@content("compute-optimizer", "functions")
def functions(account: Account, region: str) -> list[dict[str, Any]]:
    """GetLambdaFunctionRecommendations' LambdaFunctionRecommendation."""
    held = account.items("lambda", "functions", region)
    return [function(account, number, made) for number, made in enumerate(held)]


def function(account: Account, number: int, made: dict[str, Any]) -> dict[str, Any]:
    """One function; of every fourth too little is known."""
    unknown = number % 4 == 3
    duration = [
        metric("Duration", statistic, value)
        for statistic, value in (("LowerBound", 1.5), ("Expected", 2.5), ("UpperBound", 3.5))
    ]
    better = {
        "rank": 1,
        "memorySize": max(128, made["MemorySize"] // 2),
        "projectedUtilizationMetrics": duration,
        "savingsOpportunity": savings(number, 1),
    }
    return {
        "functionArn": f"{made['FunctionArn']}:$LATEST",
        "functionVersion": "$LATEST",
        "accountId": account.id,
        "currentMemorySize": made["MemorySize"],
        "numberOfInvocations": 1000 + number,
        "utilizationMetrics": [
            metric("Duration", "Maximum", 812.5),
            metric("Duration", "Average", 200.5),
            metric("Memory", "Maximum", 90.5),
            metric("Memory", "Average", 45.25 + number % 40),
        ],
        "lookbackPeriodInDays": 14.0,
        "lastRefreshTimestamp": account.ago(0, seconds=3800 + number),
        "finding": "Unavailable" if unknown else "NotOptimized",
        "findingReasonCodes": ["InsufficientData" if unknown else "MemoryOverprovisioned"],
        "memorySizeRecommendationOptions": [] if unknown else [better],
        "currentPerformanceRisk": pick(RISKS, number),
    }
