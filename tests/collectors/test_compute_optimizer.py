"""Compute Optimizer's recommendations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.collectors.compute_optimizer import advice, best_of
from tests.cloud import Account, Size
from tests.cloud.accounts import Item
from tests.collectors.losses import Denial, Off, gone, unless
from tests.collectors.truth import Place, Truth, number
from tests.conftest import REGIONS
from tests.family import BOTH, RUNS, Family, MakeFamily, RunFamily, load, refuse, same
from tests.runs import Row
from tests.warehouse import Rows

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


# Compute Optimizer

OPTIMIZER = "compute-optimizer.amazonaws.com"
RECOMMENDATIONS = (
    "GetEC2InstanceRecommendations", "GetEBSVolumeRecommendations",
    "GetLambdaFunctionRecommendations",
)  # fmt: skip

SERVERS = Size(instances=2, volumes=2, functions=2)


def enroll(status: str, *accounts: Account) -> None:
    """Set what the enrollment of accounts has come to."""
    for account in accounts:
        held = {"status": status, "lastUpdatedTimestamp": account.ago(3)}
        account.replace("compute-optimizer", "enrollment", "", [held])


def optimize(
    family: Family, run_family: RunFamily, *flags: str, caller: Account | None = None
) -> tuple[Counter[str], list[str], Rows]:
    """Read recommendations: requests by account, what is said, and rows, those of logs too."""
    family.requests()
    named = ("--organization", *BOTH, *flags)
    code, told = run_family(family, *named, caller=caller, only="compute_optimizer")
    assert code == 0, told
    return family.requests(*RECOMMENDATIONS), told, load(family, leave_out=())


def statuses(rows: Rows) -> set[tuple[Any, ...]]:
    """What the log has on each account's recommendations, less times and counts of calls."""
    logs = {(str(row["date_created"]),): row for row in rows["logs"]}
    assert len(logs) == len(rows["logs"])
    said = {
        (logs[row["log_id"]]["account_id"], row["message"])
        for row in rows["log_messages"]
        if row["message"].startswith("compute_optimizer") and row["message_type"] != "TIMING"
    }
    return {(row["account_id"], row["compute_optimizer_status"]) for row in rows["logs"]} | said


@pytest.mark.parametrize("delegated", [False, True], ids=["payer", "administrator"])
def test_accounts_that_have_not_opted_in_are_not_asked_for_recommendations(
    delegated: bool, make_family: MakeFamily, run_family: RunFamily
) -> None:
    """Any other status than Inactive is: pending, failed, or not listed, as the payer's is."""
    family = make_family(SERVERS)
    payer, active, pending, failed, *inactive = family.accounts
    caller = reader = payer
    if delegated:
        caller, reader = pending, active
        family.run_by(caller)
        family.organization.delegate(reader, OPTIMIZER)
    enroll("Pending", pending)
    enroll("Failed", failed)
    enroll("Inactive", payer, *inactive)
    asked, told, shared = optimize(family, run_family, caller=caller)
    assert sorted(told) == [
        f"Compute Optimizer in {region}: {reader.id} says who has opted in"
        for region in sorted(REGIONS)
    ]
    assert asked.keys() == {payer.id, active.id, pending.id, failed.id}
    by_account, _, rows = optimize(family, run_family, "--per-account-reads", caller=caller)
    assert by_account == asked | {account.id: 3 * len(REGIONS) for account in inactive}
    assert statuses(shared) == statuses(rows)
    facts = {name: found for name, found in shared.items() if name not in RUNS}
    same(facts, rows, ("compute_optimizer",))


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("organizations", "DescribeOrganization"),
        ("compute-optimizer", "GetEnrollmentStatusesForOrganization"),
    ],
)
def test_all_accounts_are_asked_for_recommendations_if_it_is_unknown_who_has_opted_in(
    service: str, operation: str, make_family: MakeFamily, run_family: RunFamily
) -> None:
    family = make_family(SERVERS)
    enroll("Inactive", *family.accounts[3:])
    refuse(service, operation)(family)
    asked, told, shared = optimize(family, run_family)
    assert len(told) == len(REGIONS)
    for text in told:
        assert f"accounts read their own, since {service}:{operation} denied" in text
    assert asked == {account.id: 3 * len(REGIONS) for account in family.accounts}
    family.embedded.switches.reset()
    _, _, rows = optimize(family, run_family, "--per-account-reads")
    assert statuses(shared) == statuses(rows)
