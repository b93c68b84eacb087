"""Compute Optimizer's recommendations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.collectors.compute_optimizer import advice, best_of
from tests.cloud.accounts import Item
from tests.collectors.losses import Denial, Off, gone, unless
from tests.collectors.truth import Place, Truth, number
from tests.runs import Row

# Operations


def compute_optimizer(place: Place) -> Iterator[Row]:
    """Recommendations for instances, volumes and functions."""
    for held in place.own("compute-optimizer", "instances"):
        best = first(held["recommendationOptions"])
        yield recommendation(held, held["instanceArn"], "EC2", best) | {
            "resource_name": held.get("instanceName"),
            "current_instance_type": held["currentInstanceType"],
            "recommended_instance_type": best["instanceType"],
        }
    for held in place.own("compute-optimizer", "volumes"):
        better = first(held["volumeRecommendationOptions"])
        advised = better.get("configuration", {})
        yield recommendation(held, held["volumeArn"], "EBS", better) | {
            "resource_name": held["volumeArn"].split("/")[-1],
            "current_volume_type": held["currentConfiguration"]["volumeType"],
            "current_volume_size": held["currentConfiguration"]["volumeSize"],
            "recommended_volume_type": advised.get("volumeType"),
            "recommended_volume_size": advised.get("volumeSize"),
        }
    for held in place.own("compute-optimizer", "functions"):
        better = first(held["memorySizeRecommendationOptions"])
        yield recommendation(held, held["functionArn"], "Lambda", better) | {
            "resource_name": held["functionArn"].split(":")[-2],
            "current_memory_size": held["currentMemorySize"],
            "recommended_memory_size": better.get("memorySize"),
        }


def first(options: Sequence[Item]) -> Item:
    """The option that AWS ranks first, if there is any."""
    return next((option for option in options if option["rank"] == 1), {})


def recommendation(held: Item, arn: str, kind: str, best: Item) -> Row:
    """What all recommendations have in common."""
    metrics = {
        (metric["name"], metric["statistic"]): number(metric["value"])
        for metric in held["utilizationMetrics"]
    }
    saving = best.get("savingsOpportunity")
    return {
        "resource_type": kind,
        "resource_arn": arn,
        "finding": held["finding"],
        "savings_opportunity_percentage": saving and number(saving["savingsOpportunityPercentage"]),
        "estimated_monthly_savings_usd": saving
        and number(saving["estimatedMonthlySavings"]["value"]),
        "performance_risk": None if (risk := best.get("performanceRisk")) is None else number(risk),
        "current_performance_risk": held["currentPerformanceRisk"],
        "cpu_utilization_max": metrics.get(("Cpu", "Maximum")),
        "memory_utilization_avg": metrics.get(("Memory", "Average")),
        "migration_effort": best.get("migrationEffort"),
    }


TRUTH: Mapping[str, Truth] = {
    "compute_optimizer": Truth(compute_optimizer, "compute_optimizer", ("resource_arn",)),
}

DENIALS: Mapping[str, Denial] = {
    "compute-optimizer:GetEC2InstanceRecommendations": Denial(
        ("compute_optimizer",), {"compute_optimizer": unless(resource_type="EC2")}
    ),
    "compute-optimizer:GetEBSVolumeRecommendations": Denial(
        ("compute_optimizer",), {"compute_optimizer": unless(resource_type="EBS")}
    ),
    "compute-optimizer:GetLambdaFunctionRecommendations": Denial(
        ("compute_optimizer",), {"compute_optimizer": unless(resource_type="Lambda")}
    ),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "compute-optimizer": Off(
        "not opted in", ("compute_optimizer",), (), {"compute_optimizer": gone}
    ),
}

# Recommendations and goals


def metric(name: str, statistic: str, value: float) -> dict[str, Any]:
    """A utilization metric."""
    return {"name": name, "statistic": statistic, "value": value}


METRICS = [
    metric("NETWORK_IN_BYTES_PER_SECOND", "Maximum", 1e9),
    metric("Cpu", "Average", 3.5),
    metric("MEMORY", "Average", 41.25),
    metric("CPU", "MAXIMUM", 97.5),
    metric("Memory", "Maximum", 88.0),
]


@given(st.permutations(METRICS))
def test_each_metric_is_taken_by_name_and_statistic(metrics: list[dict[str, Any]]) -> None:
    row = advice("EC2", "arn", {"utilizationMetrics": metrics}, {})
    assert (row["cpu_utilization_max"], row["memory_utilization_avg"]) == (97.5, 41.25)


def test_metrics_that_aws_has_not_are_null_not_another_s() -> None:
    few = [metric("Duration", "Average", 200.0), metric("Memory", "Maximum", 88.0)]
    row = advice("Lambda", "arn", {"utilizationMetrics": few}, {})
    assert (row["cpu_utilization_max"], row["memory_utilization_avg"]) == (None, None)


@pytest.mark.parametrize(("currency", "expected"), [("USD", 7.25), ("CNY", None)])
def test_savings_are_told_in_dollars_only(currency: str, expected: float | None) -> None:
    best = {
        "savingsOpportunity": {
            "savingsOpportunityPercentage": 12.5,
            "estimatedMonthlySavings": {"currency": currency, "value": 7.25},
        }
    }
    row = advice("EBS", "arn", {}, best)
    assert row["estimated_monthly_savings_usd"] == expected
    assert row["savings_opportunity_percentage"] == 12.5


@given(st.permutations([{"rank": 3}, {"rank": 1}, {"rank": 2}]))
def test_the_best_option_is_the_one_that_aws_ranks_first(options: list[dict[str, int]]) -> None:
    assert best_of(options) == {"rank": 1}


@pytest.mark.parametrize("options", [None, []])
def test_without_options_nothing_is_recommended(options: list[dict[str, int]] | None) -> None:
    assert best_of(options) == {}
