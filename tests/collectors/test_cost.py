"""Costs: a report per day, the forecast, anomalies, and what could be saved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import sender
from observability.collectors.cost import (
    anomaly_count,
    cost_report,
    daily_totals,
    forecast_row,
    is_own,
)
from tests.cloud import Account, EmbeddedCloud
from tests.cloud.content.costs import usual_total
from tests.collectors.losses import Denial, Effect, Off, gone, without
from tests.collectors.reading import calls, names, paid, place_of, record, without_bucket
from tests.collectors.truth import Place, day_cost, money, same_rows
from tests.conftest import MakeAccount, MakeEnvironment
from tests.runs import Document, Row, period, send

# Money


def forecast(account: Account, start: date) -> list[Row]:
    """What an ordinary day costs, for thirty days, give or take a fifth."""
    mean = usual_total(account)
    return [
        {
            "period_start": start + timedelta(days=ahead),
            "period_end": start + timedelta(days=ahead + 1),
            "amount": money(mean),
            "prediction_interval_lower_bound": money(mean - mean * 80 // 400),
            "prediction_interval_upper_bound": money(mean + mean * 80 // 400),
        }
        for ahead in range(30)
    ]


# Denied

NO_COSTS: dict[str, Effect] = {
    "cost": gone,
    "service": gone,
    "marketplace": without("cost_consumed", "currency"),
}

DENIALS: Mapping[str, Denial] = {
    "ce:GetCostAndUsage": Denial(
        ("cost", "service", "marketplace"), {"cost": gone, "service": gone, "marketplace": gone}
    ),
    "ce:GetCostForecast": Denial(("cost",), {"cost": without("forecast")}),
    "ce:GetAnomalies": Denial(("cost",), {"cost": without("anomalies_detected")}),
    "cost-optimization-hub:ListRecommendationSummaries": Denial(
        ("cost",), {"cost": without("potential_monthly_savings", "saving_opportunities_count")}
    ),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "ce": Off(
        "Cost Explorer is not enabled",
        ("cost", "cost_by_tag", "service", "ri_sp_savings"),
        ("marketplace",),
        NO_COSTS | {"cost_by_tag": gone, "ri_sp_savings": gone},
    ),
    "cost-optimization-hub": Off(
        "Cost Optimization Hub is not enabled",
        passed=("cost",),
        lost={"cost": without("potential_monthly_savings", "saving_opportunities_count")},
    ),
}

# Costs


def reports_are_true(document: Document, place: Place, anomalies: Mapping[date, int]) -> None:
    """Fail unless the reports of the days are what the account cost."""
    reports = document["cost"]
    assert [report["period"]["start"] for report in reports] == [str(d) for d in place.cost_days]
    for day, report in zip(place.cost_days, reports, strict=True):
        costs, before = (
            day_cost(place.account, day),
            day_cost(place.account, day - timedelta(days=1)),
        )
        current, previous = sum(costs.values(), Decimal()), sum(before.values(), Decimal())
        assert Decimal(report["current_period_cost"]) == current
        assert Decimal(report["previous_period_cost"]) == previous
        assert Decimal(report["cost_difference"]) == current - previous
        exact = (current - previous) / previous * 100
        assert abs(Decimal(report["cost_difference_percentage"]) - exact) <= Decimal("0.00005")
        assert report["period"] == {
            "start": str(day), "end": str(day + timedelta(days=1)), "granularity": "DAILY",
        }  # fmt: skip
        named = {held["service"]: Decimal(held["cost"]) for held in report["top_services"]}
        assert named == costs
        assert list(named.values()) == sorted(named.values(), reverse=True)
        spread = day_cost(place.account, day, amortized=True)
        told = {held["service"]: Decimal(held["amortized_cost"]) for held in report["top_services"]}
        assert told == spread != costs
        assert Decimal(report["amortized_cost"]) == sum(spread.values())
        assert report["anomalies_detected"] == anomalies[day]


def anomalies_of(account: Account, days: list[date]) -> dict[date, int]:
    """How many anomalies lasted on each day."""
    spans = [
        (held["AnomalyStartDate"][:10], held["AnomalyEndDate"][:10])
        for held in account.items("ce", "anomalies")
    ]
    return {day: sum(first <= str(day) <= last for first, last in spans) for day in days}


def test_costs_are_reported_to_the_last_digit(
    embedded: EmbeddedCloud, account: Account, whole: Document
) -> None:
    place = place_of(account, whole)
    anomalies = anomalies_of(account, place.cost_days)
    assert sum(anomalies.values())
    reports_are_true(whole, place, anomalies)


def test_forecast_and_savings_are_told_of_the_newest_day_only(
    embedded: EmbeddedCloud, account: Account, whole: Document
) -> None:
    *restated, newest = whole["cost"]
    told = ("forecast", "potential_monthly_savings", "saving_opportunities_count")
    assert not [name for report in restated for name in told if name in report]
    found = [
        {"period_start": held["period"]["start"], "period_end": held["period"]["end"]}
        | {name: value for name, value in held.items() if name != "period"}
        for held in newest["forecast"]
    ]
    same_rows(found, forecast(account, period(whole)[1]), ("period_start",))
    hub = embedded.client("cost-optimization-hub", account.id, "us-east-1")
    known = hub.list_recommendation_summaries(groupBy="ResourceType")
    assert newest["potential_monthly_savings"] == Decimal(
        repr(known["estimatedTotalDedupedSavings"])
    )
    counts = [held["recommendationCount"] for held in known["items"]]
    assert newest["saving_opportunities_count"] == sum(counts)


def test_a_run_pays_for_three_requests(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    requests = record(embedded, account)
    sent = send(without_bucket(embedded, account), tmp_path)
    paid = {name: count for name, count in names(requests).items() if name.startswith("ce:")}
    assert paid == {"ce:GetCostAndUsage": 1, "ce:GetCostForecast": 1, "ce:GetAnomalies": 1}
    assert names(requests)["ec2:DescribeInstances"] == 1
    assert sent.code == 0


# An account that holds nothing


def test_an_empty_account_costs_nothing_and_has_no_forecast(empty: tuple[int, Document]) -> None:
    _, document = empty
    assert document["cost"]
    for report in document["cost"]:
        assert Decimal(report["current_period_cost"]) == 0
        assert report["cost_difference_percentage"] is None
        assert report["top_services"] == []
        assert report["anomalies_detected"] == 0
        assert "forecast" not in report


# Money

amounts = st.decimals(-(10**9), 10**12, places=10)
"""What Cost Explorer sends: up to ten decimals, refunds are negative."""


def cost_rows(day: str, costs: list[tuple[str, Decimal]]) -> list[dict[str, Any]]:
    """Rows of `service` on a day."""
    return [
        {"date_from": day, "service": service, "cost": format(cost, "f")} for service, cost in costs
    ]


priced = st.lists(st.tuples(st.sampled_from(["EC2", "S3", "Tax", "Refund"]), amounts), max_size=12)


@given(priced, priced)
@example([("S3", Decimal("0.0000000001"))], [("S3", Decimal("999999999999.9999999999"))])
def test_a_cost_report_loses_no_digit(
    today: list[tuple[str, Decimal]], before: list[tuple[str, Decimal]]
) -> None:
    rows = cost_rows("2024-03-01", today) + cost_rows("2024-02-29", before)
    report = cost_report(date(2024, 3, 1), daily_totals(rows))
    current = sum((Fraction(cost) for _, cost in today), Fraction())
    previous = sum((Fraction(cost) for _, cost in before), Fraction())
    assert Fraction(report["current_period_cost"]) == current
    assert Fraction(report["previous_period_cost"]) == previous
    assert Fraction(report["cost_difference"]) == current - previous
    if previous:
        grown = (current - previous) / abs(previous)  # a credit before makes no cost a decline
        error = Fraction(report["cost_difference_percentage"]) - grown * 100
        assert abs(error) <= Fraction(5, 100_000) + abs(grown) / 10**20
    else:
        assert report["cost_difference_percentage"] is None
    services = {held["service"]: Fraction(held["cost"]) for held in report["top_services"]}
    assert services == {
        name: sum(Fraction(cost) for service, cost in today if service == name)
        for name in {service for service, _ in today}
    }
    costs = [Fraction(held["cost"]) for held in report["top_services"]]
    assert costs == sorted(costs, reverse=True)
    texts = [report["current_period_cost"], *(held["cost"] for held in report["top_services"])]
    assert all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in texts)


def test_a_day_without_costs_is_zero_and_its_period_is_half_open() -> None:
    report = cost_report(date(2024, 12, 31), {})
    assert Decimal(report["current_period_cost"]) == Decimal(report["cost_difference"]) == 0
    assert report["top_services"] == []
    assert report["period"] == {"start": "2024-12-31", "end": "2025-01-01", "granularity": "DAILY"}


SPANS = [("2024-02-27", "2024-02-29"), ("2024-03-01", "2024-03-01"), ("2024-02-29", "9")]


@pytest.mark.parametrize(
    ("day", "count"),
    [
        (date(2024, 2, 26), 0),
        (date(2024, 2, 27), 1),
        (date(2024, 2, 29), 2),
        (date(2024, 3, 1), 2),
        (date(2026, 1, 1), 1),
    ],
)
def test_an_anomaly_counts_on_each_of_its_days(day: date, count: int) -> None:
    assert anomaly_count(day, SPANS) == {"anomalies_detected": count}


def test_no_anomalies_are_known_is_not_none_were_detected() -> None:
    assert anomaly_count(date(2024, 1, 1), None) == {}
    assert anomaly_count(date(2024, 1, 1), []) == {"anomalies_detected": 0}


@pytest.mark.parametrize(
    ("causes", "own"),
    [
        ([], True),
        ([{"Service": "EC2"}], True),
        ([{"LinkedAccount": "111122223333"}], True),
        ([{"LinkedAccount": "999999999999"}], False),
        ([{"LinkedAccount": "999999999999"}, {"LinkedAccount": "111122223333"}], True),
    ],
)
def test_an_anomaly_belongs_to_the_accounts_that_caused_it(
    causes: list[dict[str, str]], own: bool
) -> None:
    assert is_own("111122223333", {"RootCauses": causes}) is own


def test_a_forecast_keeps_aws_s_digits_and_days() -> None:
    row = forecast_row(
        {
            "TimePeriod": {"Start": "2024-02-29", "End": "2024-03-01"},
            "MeanValue": "12.3456789012345",
            "PredictionIntervalLowerBound": "-0.0000000001",
            "PredictionIntervalUpperBound": "1E+2",
        }
    )
    assert row == {
        "period": {"start": "2024-02-29", "end": "2024-03-01"},
        "amount": "12.3456789012345",
        "prediction_interval_lower_bound": "-0.0000000001",
        "prediction_interval_upper_bound": "1E+2",
    }


# Sender


@pytest.mark.parametrize("lookback", ["1", "3", "30"])
def test_a_daily_run_pays_for_three_requests_however_many_days_it_reads_again(
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
    tmp_path: Path,
    lookback: str,
) -> None:
    environment = environment_of(make_account())
    embedded.forget_calls()
    only = "cost,service,marketplace"
    sent = send(environment, tmp_path, "--lookback", lookback, "--only", only)
    assert set(sent.statuses.values()) == {"Pass", "None"}
    assert len(sent.document["cost"]) == int(lookback)
    assert paid(calls(embedded)) == 3


def test_a_year_is_read_for_less_than_a_hundredth_of_its_daily_runs(
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment_of(make_account()).items():
        monkeypatch.setenv(name, value)
    last = datetime.now(UTC).date() - timedelta(days=1)
    embedded.forget_calls()
    assert sender.main(["--start", str(last - timedelta(days=364)), "--end", str(last)]) == 0
    made = calls(embedded)
    assert made["s3 PutObject"] == 365
    assert 0 < paid(made) <= 365 * 3 // 100
    assert paid(made) < 0.05 * made.total()
