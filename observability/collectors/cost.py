"""cost: a report per day, with anomalies, savings and a forecast."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from observability.aws.errors import OFF, ExpectedError, NothingToRead, aws_errors
from observability.collecting.collector import GLOBAL, PERIOD, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Collect, Scan, run_parts
from observability.contract import INTERVAL
from observability.rows import Row, RowMapper, decimal_text, get_path, listed, shaped
from observability.sources.cost_explorer import (
    COST_EXPLORER_ERRORS,
    days_told,
    last_week,
    own_costs,
    read_costs,
    time_period,
)

if TYPE_CHECKING:
    from mypy_boto3_ce import CostExplorerClient
    from mypy_boto3_cost_optimization_hub import CostOptimizationHubClient


FORECAST_DAYS = 30
FORECAST_CONFIDENCE = 80
"""Percent: the actual cost is expected to lie between the bounds that often."""

forecast_row = RowMapper(
    period=lambda item: {name.lower(): day[:10] for name, day in item["TimePeriod"].items()},
    amount="MeanValue",
    prediction_interval_lower_bound="PredictionIntervalLowerBound",
    prediction_interval_upper_bound="PredictionIntervalUpperBound",
)


def get_cost(scan: Scan, result: CategoryResult) -> None:
    """A report per day: total, the day before, services, anomalies, savings and a forecast.

    Forecast and savings are about now: they go into the newest report of a plain run only.
    """
    found: Row = {}
    parts: dict[str, Collect] = {
        "anomalies": lambda scan, part: found.update(anomalies=read_anomalies(scan, part)),
        "forecast": lambda scan, part: found.update(forecast=read_forecast(scan, part)),
        "savings": lambda scan, part: found.update(savings=read_savings(scan, part)),
    }
    read = {"anomalies": parts["anomalies"]} if scan.window.backfill else parts
    run_parts(scan, result, read, dict.fromkeys(read, ()))  # a report without them is a report
    costs = scan.once(read_costs)
    totals, amortized = daily_totals(costs.rows), daily_totals(costs.rows, "amortized_cost")
    newest = scan.window.end - timedelta(days=1)
    for day in days_told(scan.window, costs.first, result):
        report = cost_report(day, totals, costs.first, amortized)
        if day >= first_anomaly_day():
            report |= anomaly_count(day, found.get("anomalies"))
        if day == newest:
            report |= found.get("savings", {}) | found.get("forecast", {})
        result.emit(report, day=day)


def daily_totals(rows: Iterable[Row], column: str = "cost") -> dict[str, dict[str, Decimal]]:
    """Cost per day and service, exactly; a cost that AWS does not tell is none."""
    totals: dict[str, dict[str, Decimal]] = collections.defaultdict(dict)
    for row in rows:
        if row[column] is not None:
            services = totals[row["date_from"]]
            services[row["service"]] = services.get(row["service"], Decimal()) + Decimal(
                row[column]
            )
    return totals


def cost_report(
    day: date,
    totals: Mapping[str, Mapping[str, Decimal]],
    first: date = date.min,
    amortized: Mapping[str, Mapping[str, Decimal]] | None = None,
) -> Row:
    """What a day cost beside the day before it, and its services, the dearest first.

    Costs are known from the day `first` on; before it there is nothing to compare with.
    `amortized` are the totals with upfront payments spread over what they were paid for.
    """
    services = totals.get(str(day), {})
    spread = (amortized or {}).get(str(day), {})
    current = sum(services.values(), Decimal())
    before = day - timedelta(days=1)
    previous = sum(totals.get(str(before), {}).values(), Decimal()) if before >= first else None
    difference = None if previous is None else current - previous
    percentage = difference / abs(previous) * 100 if difference is not None and previous else None
    ranked = sorted(services.items(), key=lambda item: (-item[1], item[0]))
    return {
        # first, so that reports, which a document has sorted by their text, are in order of days
        "period": {"start": str(day), "end": str(day + timedelta(days=1)), "granularity": INTERVAL},
        "current_period_cost": decimal_text(current),
        "previous_period_cost": None if previous is None else decimal_text(previous),
        "cost_difference": None if difference is None else decimal_text(difference),
        "cost_difference_percentage": None
        if percentage is None
        else decimal_text(round(percentage, 4)),
        "amortized_cost": decimal_text(sum(spread.values(), Decimal()))
        if spread or not services
        else None,
        "top_services": [
            {
                "service": name,
                "cost": decimal_text(cost),
                "amortized_cost": decimal_text(spread[name]) if name in spread else None,
            }
            for name, cost in ranked
        ],
    }


def read_forecast(scan: Scan, result: CategoryResult) -> Row:
    """What the next 30 days are expected to cost, with bounds (GetCostForecast, $0.01)."""
    client: CostExplorerClient = scan.global_client("ce")
    start = scan.window.until.date()
    answer = client.get_cost_forecast(
        TimePeriod=time_period(start, start + timedelta(days=FORECAST_DAYS)),
        Metric="UNBLENDED_COST",
        Granularity="DAILY",
        Filter=own_costs(scan),
        PredictionIntervalLevel=FORECAST_CONFIDENCE,
    )
    days = listed([answer], "ForecastResultsByTime", "TimePeriod.Start")
    forecast = list(shaped(days, forecast_row))
    result.rows += len(forecast)
    return {"forecast": forecast}


ANOMALIES_KEPT = timedelta(days=90)
EARLIEST = re.compile(r"Earliest supported detectionDate\D*(\d{4}-\d\d-\d\d)", re.ASCII)
"""What AWS says of a day before those that it keeps."""


def first_anomaly_day() -> date:
    """The first day whose anomalies AWS still knows."""
    return datetime.now(UTC).date() - ANOMALIES_KEPT


def read_anomalies(scan: Scan, result: CategoryResult) -> list[tuple[str, str]]:
    """First and last day of each anomaly that may touch the window (GetAnomalies, $0.01 a page).

    AWS selects them by their last day, and keeps them for ANOMALIES_KEPT.
    """
    first = first_anomaly_day()
    if scan.window.end <= first:
        raise NothingToRead(f"AWS keeps anomalies from {first} on")
    start = str(max(scan.window.costs_from, first))
    try:
        every = list_anomalies(scan, start)
    except aws_errors() as error:
        earliest = EARLIEST.search(str(get_path(getattr(error, "response", None), "Error.Message")))
        if not earliest or earliest[1] <= start:
            raise
        every = list_anomalies(scan, earliest[1])
    found = [item for item in every if is_own(scan.account, item)]
    result.raise_if_incomplete()  # their number is what is wanted
    result.rows += len(found)
    return [(a.get("AnomalyStartDate", "")[:10], a.get("AnomalyEndDate", "9")[:10]) for a in found]


def list_anomalies(scan: Scan, start: str) -> list[Any]:
    """Anomalies whose last day is not before a day."""
    client: CostExplorerClient = scan.global_client("ce")
    until = str(datetime.now(UTC).date())
    pages = client.get_paginator("get_anomalies").paginate(
        DateInterval={"StartDate": start, "EndDate": until}
    )
    return [*listed(pages, "Anomalies", "AnomalyId")]


def is_own(account: str, anomaly: Mapping[str, Any]) -> bool:
    """Whether an anomaly is this account's: a payer sees those of its members, by their causes."""
    causes = [cause.get("LinkedAccount") for cause in listed([anomaly], "RootCauses")]
    return account in causes or not any(causes)


def anomaly_count(day: date, spans: Sequence[tuple[str, str]] | None) -> Row:
    """How many anomalies there were on a day; nothing is said where they are not known."""
    if spans is None:
        return {}
    return {"anomalies_detected": sum(first <= str(day) <= last for first, last in spans)}


def read_savings(scan: Scan, result: CategoryResult) -> Row:
    """What could be saved a month and by how many changes (Cost Optimization Hub, free)."""
    client: CostOptimizationHubClient = scan.global_client("cost-optimization-hub")
    savings, count = None, 0
    for page in client.get_paginator("list_recommendation_summaries").paginate(
        groupBy="ResourceType", filter={"accountIds": [scan.account]}
    ):
        savings = page.get("estimatedTotalDedupedSavings") if savings is None else savings
        groups = listed([page], "items", "group")
        count += sum(item.get("recommendationCount", 0) for item in groups)
    result.raise_if_incomplete()
    result.rows += 1
    return {"potential_monthly_savings": savings, "saving_opportunities_count": count}


NO_OPTIMIZATION_HUB = "Cost Optimization Hub is not enabled"

EXPECTED_ERRORS = (
    ExpectedError(
        "cost-optimization-hub", "AccessDeniedException", OFF, NO_OPTIMIZATION_HUB, "not enrolled"
    ),
    ExpectedError(
        "cost-optimization-hub", "ValidationException", OFF, NO_OPTIMIZATION_HUB, "(?i)enroll"
    ),
    *COST_EXPLORER_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="cost",
    collect=get_cost,
    scope=GLOBAL,
    backfill=PERIOD,
    essential=True,
    actions=(
        "ce:GetCostAndUsage",
        "ce:GetCostForecast",
        "ce:GetAnomalies",
        "cost-optimization-hub:ListRecommendationSummaries",
        "cost-optimization-hub:GetRecommendation",  # which the listing asks for
    ),
    probes=(
        Probe("ce:GetCostAndUsage", last_week),
        Probe(
            "cost-optimization-hub:ListRecommendationSummaries",
            {"groupBy": "ResourceType", "maxResults": 1},
        ),
    ),
    expected_errors=EXPECTED_ERRORS,
)
