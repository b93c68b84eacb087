"""Cost Explorer, reservations and savings plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.cloud import Size
from tests.cloud.accounts import GLOBAL, Cloud, Item, generate
from tests.cloud.answers import AwsError
from tests.cloud.tests.answering import (
    ONE,
    REGIONS,
    TODAY,
    TWO,
    Listing,
    ask,
    cloud_of,
    held,
    last_days,
    small,
)

# Cost Explorer


def costs(cloud: Cloud, /, account: str = ONE, **params: Any) -> list[Item]:
    """ResultsByTime of all pages, those of one period joined."""
    request = last_days(7) | params
    found: dict[str, Item] = {}
    while True:
        response = ask(cloud, "ce", "GetCostAndUsage", request, account)
        for item in response["ResultsByTime"]:
            key = item["TimePeriod"]["Start"]
            known = found.setdefault(key, item | {"Groups": []})
            known["Groups"] += item["Groups"]
        if "NextPageToken" not in response:
            return list(found.values())
        request = request | {"NextPageToken": response["NextPageToken"]}


def by(*names: str) -> list[dict[str, str]]:
    """Cost Explorer's groups of dimensions."""
    return [{"Type": "DIMENSION", "Key": name} for name in names]


def amount(metrics: dict[str, Any], name: str = "UnblendedCost") -> Decimal:
    """An amount with all its digits."""
    return Decimal(metrics[name]["Amount"])


def test_costs_by_group_add_up_to_the_total_to_the_last_digit() -> None:
    """On every day, whatever the groups, over pages that end within a day."""
    cloud = cloud_of(small(), page_size=5)
    totals = {item["TimePeriod"]["Start"]: amount(item["Total"]) for item in costs(cloud)}
    assert len(totals) == 7
    assert any(len(str(value).partition(".")[2]) == 10 for value in totals.values())
    for groups in (by("SERVICE"), by("SERVICE", "USAGE_TYPE"), by("REGION")):
        for item in costs(cloud, GroupBy=groups):
            assert item["Total"] == {}
            total = sum(amount(held["Metrics"]) for held in item["Groups"])
            assert total == totals[item["TimePeriod"]["Start"]]
            keys = [tuple(held["Keys"]) for held in item["Groups"]]
            assert len(keys) == len(set(keys)) > 0


def test_a_page_of_costs_may_end_within_a_day() -> None:
    """So that a reader has to join the parts."""
    cloud = cloud_of(small(), page_size=5)
    params = last_days(2) | {"GroupBy": by("SERVICE", "USAGE_TYPE")}
    first = ask(cloud, "ce", "GetCostAndUsage", params)
    second = ask(cloud, "ce", "GetCostAndUsage", params | {"NextPageToken": first["NextPageToken"]})
    days = [held["ResultsByTime"][0]["TimePeriod"]["Start"] for held in (first, second)]
    assert days[0] == days[1]


def test_months_are_the_sum_of_their_days() -> None:
    """A month's part is as good as a month."""
    cloud = cloud_of(small())
    span: dict[str, Any] = {"TimePeriod": {"Start": "2026-10-30", "End": "2026-11-03"}}
    days = [amount(item["Total"]) for item in costs(cloud, **span)]
    months = [amount(item["Total"]) for item in costs(cloud, **span, Granularity="MONTHLY")]
    assert months == [sum(days[:2]), sum(days[2:])]


def test_a_restatement_changes_the_days_from_then_on() -> None:
    """Only those, and every time anew."""
    account = small()
    cloud = cloud_of(account)

    def told() -> list[Decimal]:
        return [amount(item["Total"]) for item in costs(cloud)]

    before = told()
    cloud.restate(ONE, since=TODAY - timedelta(days=3))
    after = told()
    cloud.restate(ONE, since=TODAY - timedelta(days=1))
    again = told()
    assert before[:4] == after[:4] == again[:4]
    assert all(old != new for old, new in zip(before[4:], after[4:], strict=True))
    assert after[:6] == again[:6]
    assert after[6] != again[6]


def test_a_payer_sees_its_members_apart() -> None:
    """In total by default; by account when grouped; its own when filtered."""
    payer, member = replace(small(), payer_for=(TWO,)), small(TWO)
    cloud = cloud_of(payer, member)
    own = {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": [ONE]}}
    whole = [amount(item["Total"]) for item in costs(cloud)]
    mine = [amount(item["Total"]) for item in costs(cloud, Filter=own)]
    theirs = [amount(item["Total"]) for item in costs(cloud, account=TWO)]
    assert whole == [one + other for one, other in zip(mine, theirs, strict=True)]
    for item in costs(cloud, GroupBy=by("LINKED_ACCOUNT", "SERVICE")):
        assert {held["Keys"][0] for held in item["Groups"]} == {ONE, TWO}
    others = [amount(item["Total"]) for item in costs(cloud, Filter={"Not": own})]
    assert others == theirs


def test_costs_are_filtered_by_expressions() -> None:
    """And, Or and Not of dimensions."""
    cloud = cloud_of(small())
    tax = {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Tax"]}}
    refund = {"Dimensions": {"Key": "SERVICE", "Values": ["Refund"]}}
    bought = {"Dimensions": {"Key": "BILLING_ENTITY", "Values": ["AWS Marketplace"]}}

    def services(wanted: dict[str, Any]) -> set[str]:
        found = costs(cloud, Filter=wanted, GroupBy=by("SERVICE"))
        return {held["Keys"][0] for item in found for held in item["Groups"]}

    assert services({"Or": [tax, refund]}) == {"Tax", "Refund"}
    assert services({"And": [tax, refund]}) == set()
    assert not services({"And": [{"Not": tax}, {"Not": bought}]}) & {"Tax", "Datadog Pro"}
    assert "Datadog Pro" in services(bought)


COST_ERRORS = [
    ({"GroupBy": by("SERVICE", "REGION", "USAGE_TYPE")}, "more than 2"),
    ({"Metrics": ["Cost"]}, "not one of the supported metrics"),
    ({"Metrics": []}, "metric"),
    ({"Granularity": "HOURLY"}, "not enabled"),
    ({"TimePeriod": {"Start": "2026-11-02", "End": "2026-11-02"}}, "must be before"),
    ({"TimePeriod": {"Start": "2026-11-02", "End": "2026-12-02"}}, "beginning of next month"),
    ({"TimePeriod": {"Start": "2025-08-31", "End": "2026-11-02"}}, "14 months"),
    ({"TimePeriod": {"Start": "2026-13-02", "End": "2026-11-02"}}, "Invalid date"),
    ({"Filter": {"Not": {}, "Dimensions": {}}}, "more than one root"),
    ({"NextPageToken": "none"}, "InvalidNextTokenException"),
]


@pytest.mark.parametrize(("params", "message"), COST_ERRORS)
def test_cost_explorer_refuses(params: dict[str, Any], message: str) -> None:
    """What AWS refuses."""
    with pytest.raises(AwsError, match=message):
        costs(cloud_of(small()), **params)


def test_days_without_costs_are_told_as_such() -> None:
    """An account that has used nothing has a result for every day."""
    account = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    found = costs(cloud_of(account), GroupBy=by("SERVICE"))
    assert [item["TimePeriod"]["Start"][-2:] for item in found] == [
        "15", "16", "17", "18", "19", "20", "21",
    ]  # fmt: skip
    assert all(item["Groups"] == [] for item in found)
    zeros = costs(cloud_of(account))
    assert {item["Total"]["UnblendedCost"]["Amount"] for item in zeros} == {"0"}


def predicted(cloud: Cloud, **params: Any) -> dict[str, Any]:
    """A forecast of the thirty days from today on."""
    request = {
        "TimePeriod": {"Start": f"{TODAY}", "End": f"{TODAY + timedelta(days=30)}"},
        "Metric": "UNBLENDED_COST",
        "Granularity": "DAILY",
    }
    return ask(cloud, "ce", "GetCostForecast", request | params)


def test_a_forecast_has_bounds_when_a_level_is_given() -> None:
    """Around the mean; the total is that of the days."""
    cloud = cloud_of(small())
    plain = predicted(cloud)["ForecastResultsByTime"]
    bounded = predicted(cloud, PredictionIntervalLevel=80)
    assert len(plain) == 30
    assert all("PredictionIntervalLowerBound" not in item for item in plain)
    means = [Decimal(item["MeanValue"]) for item in bounded["ForecastResultsByTime"]]
    assert sum(means) == Decimal(bounded["Total"]["Amount"])
    for item in bounded["ForecastResultsByTime"]:
        low, mean, high = (
            Decimal(item[name])
            for name in (
                "PredictionIntervalLowerBound", "MeanValue", "PredictionIntervalUpperBound",
            )
        )  # fmt: skip
        assert low < mean < high


def test_a_young_account_has_no_forecast() -> None:
    """Nor has one without costs, nor has the past."""
    young = small()
    young.created = young.ago(5)
    empty = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    for account in (young, empty):
        with pytest.raises(AwsError, match="DataUnavailableException"):
            predicted(cloud_of(account))
    with pytest.raises(AwsError, match="past"):
        predicted(cloud_of(small()), TimePeriod={"Start": "2026-11-20", "End": "2026-11-30"})
    with pytest.raises(AwsError, match="3 months"):
        predicted(cloud_of(small()), TimePeriod={"Start": f"{TODAY}", "End": "2027-06-01"})


def test_anomalies_are_those_that_ended_in_the_interval() -> None:
    """A payer sees its members' too."""
    payer, member = replace(small(), payer_for=(TWO,)), small(TWO)
    cloud = cloud_of(payer, member)
    interval = {"DateInterval": {"StartDate": "2026-11-21", "EndDate": "2026-11-21"}}
    found = ask(cloud, "ce", "GetAnomalies", interval)["Anomalies"]
    assert {item["AnomalyEndDate"] for item in found} == {"2026-11-21T00:00:00Z"}
    accounts = {cause["LinkedAccount"] for item in found for cause in item["RootCauses"]}
    assert accounts == {ONE, TWO}


# Reserved capacity

DAY = {"TimePeriod": {"Start": "2026-11-20", "End": "2026-11-21"}}


def test_reservations_are_told_by_subscription_for_a_period() -> None:
    """Those in force, with what is known of them; the sum of the groups is the total."""
    account = small()
    cloud = cloud_of(account, page_size=3)
    request: dict[str, Any] = DAY | {"GroupBy": by("SUBSCRIPTION_ID")}
    found: list[Item] = []
    while True:
        response = ask(cloud, "ce", "GetReservationUtilization", request)
        found += response["UtilizationsByTime"][0]["Groups"]
        if "NextPageToken" not in response:
            break
        request = request | {"NextPageToken": response["NextPageToken"]}
    held = [item for region in REGIONS for item in account.items("ec2", "reserved", region)]
    active = [item["ReservedInstancesId"] for item in held if item["State"] == "active"]
    assert [item["Attributes"]["leaseId"] for item in found] == active
    assert len({item["Value"] for item in found} - set(active)) == len(active)
    assert len(active) < len(held)
    for name in ("PurchasedHours", "NetRISavings", "TotalAmortizedFee"):
        parts = [Decimal(item["Utilization"][name]) for item in found]
        assert sum(parts) == Decimal(response["Total"][name])
    days = ask(cloud, "ce", "GetReservationUtilization", DAY | {"Granularity": "DAILY"})
    assert days["UtilizationsByTime"][0]["Total"] == response["Total"]
    with pytest.raises(AwsError, match="Granularity"):
        ask(cloud, "ce", "GetReservationUtilization", request | {"Granularity": "DAILY"})


def test_reservations_of_one_service_are_told_at_once() -> None:
    """Of EC2 unless another one is named."""
    account = small()
    cloud = cloud_of(account)
    only = {"Dimensions": {"Key": "SERVICE", "Values": ["Amazon Relational Database Service"]}}
    request: dict[str, Any] = DAY | {"GroupBy": by("SUBSCRIPTION_ID"), "Filter": only}
    found = ask(cloud, "ce", "GetReservationUtilization", request)["UtilizationsByTime"][0]
    held = [item for region in REGIONS for item in account.items("rds", "reserved", region)]
    active = [item["LeaseId"] for item in held if item["State"] == "active"]
    assert [item["Attributes"]["leaseId"] for item in found["Groups"]] == active
    values = [*only["Dimensions"]["Values"], "Amazon Elastic Compute Cloud - Compute"]
    both = request | {"Filter": {"Dimensions": {"Key": "SERVICE", "Values": values}}}
    with pytest.raises(AwsError, match="one SERVICE"):
        ask(cloud, "ce", "GetReservationUtilization", both)


def test_the_days_of_a_savings_plan_are_those_of_its_details() -> None:
    """The same figures, told of one plan by day or of one day by plan."""
    account = small()
    cloud = cloud_of(account)
    arn = account.items("savingsplans", "plans")[1]["savingsPlanArn"]
    span = {"TimePeriod": {"Start": "2026-11-18", "End": "2026-11-21"}}
    only = {"Filter": {"Dimensions": {"Key": "SAVINGS_PLAN_ARN", "Values": [arn]}}}
    response = ask(cloud, "ce", "GetSavingsPlansUtilization", span | only)
    by_time = response["SavingsPlansUtilizationsByTime"]
    assert [item["TimePeriod"]["Start"] for item in by_time] == [
        "2026-11-18", "2026-11-19", "2026-11-20",
    ]  # fmt: skip
    details = ask(cloud, "ce", "GetSavingsPlansUtilizationDetails", DAY)
    [same] = [
        item for item in details["SavingsPlansUtilizationDetails"] if item["SavingsPlanArn"] == arn
    ]
    for name in ("Utilization", "Savings", "AmortizedCommitment"):
        assert by_time[-1][name] == same[name]
    net = [Decimal(item["Savings"]["NetSavings"]) for item in by_time]
    assert sum(net) == Decimal(response["Total"]["Savings"]["NetSavings"])
    long_ago = {"TimePeriod": {"Start": "2024-11-20", "End": "2024-11-21"}}
    with pytest.raises(AwsError, match="DataUnavailableException"):
        ask(cloud, "ce", "GetSavingsPlansUtilization", long_ago | only)


def test_savings_plans_are_told_for_a_period_as_a_whole() -> None:
    """Those in force, by page; a period without any has no data."""
    account = small()
    cloud = cloud_of(account, page_size=2)
    listing = Listing(
        "ce",
        "GetSavingsPlansUtilizationDetails",
        "SavingsPlansUtilizationDetails",
        truth=held("savingsplans", "plans", GLOBAL),
        params=lambda account: DAY,
    )
    pages = list(listing.pages(cloud))
    found = [item for page in pages for item in listing.items(page)]
    plans = account.items("savingsplans", "plans")
    in_force = [
        item["savingsPlanArn"]
        for item in plans
        if item["state"] == "active" and item["start"] < "2026-11-20"
    ]
    assert [item["SavingsPlanArn"] for item in found] == in_force
    used = [Decimal(item["Utilization"]["UsedCommitment"]) for item in found]
    assert sum(used) == Decimal(pages[0]["Total"]["Utilization"]["UsedCommitment"])
    long_ago = {"TimePeriod": {"Start": "2024-11-20", "End": "2024-11-21"}}
    with pytest.raises(AwsError, match="DataUnavailableException"):
        ask(cloud, "ce", "GetSavingsPlansUtilizationDetails", long_ago)
    ahead = {"TimePeriod": {"Start": "2026-11-20", "End": "2026-11-24"}}
    with pytest.raises(AwsError, match="future"):
        ask(cloud, "ce", "GetSavingsPlansUtilizationDetails", ahead)


def test_reservations_and_plans_are_described() -> None:
    """All reservations; of the plans, active ones unless others are asked for."""
    account = small()
    cloud = cloud_of(account)
    reserved = ask(cloud, "ec2", "DescribeReservedInstances")["ReservedInstances"]
    assert reserved == account.items("ec2", "reserved", "us-east-1")
    active = ask(cloud, "savingsplans", "DescribeSavingsPlans")["savingsPlans"]
    assert {item["state"] for item in active} == {"active"}
