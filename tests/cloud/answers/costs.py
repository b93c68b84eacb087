"""Cost Explorer: costs and usage, forecasts, anomalies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from tests.cloud.accounts import Account, Item
from tests.cloud.answers.core import AwsError, Call, answer, memo, page, parameters_digest, payees
from tests.cloud.content.costs import (
    MONEY_DIGITS,
    USAGE_DIGITS,
    Charge,
    charges,
    digits,
    usual_total,
)

GROUPS_PER_PAGE = 5000
"""Groups on one page. AWS does not say how many; a page may end within a day."""

METRICS = (
    "AmortizedCost",
    "BlendedCost",
    "NetAmortizedCost",
    "NetUnblendedCost",
    "NormalizedUsageAmount",
    "UnblendedCost",
    "UsageQuantity",
)
DIMENSIONS = ("SERVICE", "USAGE_TYPE", "LINKED_ACCOUNT", "REGION", "RECORD_TYPE", "BILLING_ENTITY")
MONTHS_OF_DAYS = 14
FORECAST_NEEDS_DAYS = 14
FORECAST_MONTHS = {"DAILY": 3, "MONTHLY": 18}

Period = tuple[date, date]
Test = Callable[[dict[str, str]], bool]
Sums = dict[tuple[str, ...], tuple[int, int, int, str]]
"""Unblended and amortized cost, usage and its unit of each group."""


def refused(message: str) -> AwsError:
    """The error of a request that Cost Explorer does not accept."""
    return AwsError("ValidationException", message)


@answer("ce", "GetCostAndUsage")
def get_cost_and_usage(call: Call) -> dict[str, Any]:
    """Costs and usage by day or month, in total or in groups of one or two dimensions."""
    metrics = wanted_metrics(call)
    keys = group_keys(call)
    key = (parameters_digest(call, "NextPageToken"), revisions(call))
    entries = memo(key, lambda: list(rows(call, keys)))
    chunk, more = page(call, entries, token="NextPageToken", size=None, default=GROUPS_PER_PAGE)
    definitions = call.params.get("GroupBy")
    return {
        **({"GroupDefinitions": definitions} if keys else {}),
        "ResultsByTime": list(results(call, chunk, metrics, grouped=bool(keys))),
        "DimensionValueAttributes": attributes(call, keys),
        **more,
    }


def revisions(call: Call) -> tuple[int, ...]:
    """What changes when a cost that the caller sees changes."""
    return tuple(account.revision for account in (call.account, *payees(call)))


def wanted_metrics(call: Call) -> list[str]:
    """The metrics asked for; an unknown one is an error, and so is none."""
    wanted = call.params["Metrics"]
    for name in wanted:
        if name not in METRICS:
            allowed = ", ".join(METRICS)
            raise refused(f"Metric {name} is not one of the supported metrics: {allowed}")
    if not wanted:
        raise refused("At least one metric is required.")
    return list(wanted)


def group_keys(call: Call) -> list[str]:
    """The dimensions and tags (behind them a $) to group by, two at most."""
    groups = call.params.get("GroupBy") or []
    if len(groups) > 2:
        raise refused("Cannot group by more than 2 dimensions, tags or cost categories.")
    for held in groups:
        if held.get("Type") != "TAG" and (
            held.get("Type") != "DIMENSION" or held.get("Key") not in DIMENSIONS
        ):
            raise refused(f"Group Definition type/key {held} is not supported here.")
    return [held["Key"] if held["Type"] == "DIMENSION" else f"{held['Key']}$" for held in groups]


def rows(call: Call, keys: list[str]) -> Iterator[tuple[Period, tuple[str, ...] | None, Any]]:
    """(period, group, sums), a period without costs having one row without a group."""
    test = expression(call.params.get("Filter") or {})
    for period in periods(call):
        sums = summed(call, period, keys, test)
        for group in sorted(sums):
            yield period, group, sums[group]
        if not sums:
            yield period, None, (0, 0, 0, "N/A")


def periods(call: Call) -> list[Period]:
    """The days or months of the request's time, whose rules are AWS's."""
    start, end = interval(call)
    today = call.cloud.now().date()
    if call.params["Granularity"] == "HOURLY":
        raise refused("Hourly data granularity is not enabled for this account.")
    if end > next_month(today):
        raise refused("end date past the beginning of next month")
    oldest = months_back(today, MONTHS_OF_DAYS)
    if start < oldest and (call.params["Granularity"] == "DAILY" or start.day != 1):
        raise refused(
            "You haven't enabled historical data beyond 14 months. "
            "To retrieve data beyond the past 14 months, your start date needs to be "
            "the first day of the month."
        )
    return split(start, end, call.params["Granularity"])


def interval(call: Call) -> Period:
    """The request's first day and the day after its last one."""
    start, end = (day_of(call.params["TimePeriod"][name]) for name in ("Start", "End"))
    if start >= end:
        raise refused(f"Requested Start: {start} must be before requested End: {end}")
    return start, end


def day_of(text: str) -> date:
    """A day, with or without a time."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise refused(f"Invalid date: {text}") from None


def next_month(day: date) -> date:
    """The first day of the next month."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def months_back(day: date, count: int) -> date:
    """The first day of the month so many months ago."""
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


def split(start: date, end: date, granularity: str) -> list[Period]:
    """The days or (parts of) months between two days."""
    found = []
    while start < end:
        after = start + timedelta(days=1) if granularity == "DAILY" else next_month(start)
        found.append((start, min(after, end)))
        start = after
    return found


def expression(held: dict[str, Any], dimensions: tuple[str, ...] = DIMENSIONS) -> Test:
    """A filter as a test of a charge's dimensions."""
    if not held:
        return lambda values: True
    if len(held) > 1:
        raise refused("Expression has more than one root; combine them with And.")
    [(name, inner)] = held.items()
    if name in ("And", "Or"):
        if len(inner) < 2:
            raise refused(f"{name} needs at least two operands.")
        tests = [expression(operand, dimensions) for operand in inner]
        joined = all if name == "And" else any
        return lambda values: joined(test(values) for test in tests)
    if name == "Not":
        test = expression(inner, dimensions)
        return lambda values: not test(values)
    if name != "Dimensions" or inner["Key"] not in dimensions:
        raise refused(f"Filtering by {name} {inner.get('Key')} is not supported here.")
    return lambda values: values[inner["Key"]] in inner["Values"]


def summed(call: Call, period: Period, keys: list[str], test: Test) -> Sums:
    """Costs, usage and the usage's unit of each group in a period."""
    sums: Sums = {}
    for account in (call.account, *payees(call)):
        for held in bill(account, period):
            values = held.line.dimensions(account.id)
            if test(values):
                group = tuple(
                    values[name] if name in values else name + held.line.tag(name) for name in keys
                )
                cost, amortized, usage, unit = sums.get(group, (0, 0, 0, held.line.unit))
                unit = unit if unit == held.line.unit else "N/A"
                costs = cost + held.cost, amortized + held.amortized
                sums[group] = *costs, usage + held.usage, unit
    return sums


def bill(account: Account, period: Period) -> Iterator[Charge]:
    """An account's charges on the days of a period."""
    start, end = period
    for back in range((end - start).days):
        yield from charges(account, start + timedelta(days=back))


def results(
    call: Call, chunk: list[Any], metrics: list[str], *, grouped: bool
) -> Iterator[dict[str, Any]]:
    """ResultsByTime of a page: consecutive rows of one period are one result."""
    month = call.cloud.now().date().replace(day=1)
    result: dict[str, Any] = {}
    for (start, end), group, sums in chunk:
        span = {"Start": f"{start}", "End": f"{end}"}
        if result.get("TimePeriod") != span:
            if result:
                yield result
            result = {"TimePeriod": span, "Total": {}, "Groups": [], "Estimated": end > month}
        values = {name: metric(name, *sums) for name in metrics}
        if not grouped:
            result["Total"] = values
        elif group is not None:
            result["Groups"].append({"Keys": list(group), "Metrics": values})
    if result:
        yield result


def metric(name: str, cost: int, amortized: int, usage: int, unit: str) -> dict[str, str]:
    """One metric's value, all digits kept."""
    if name in ("UsageQuantity", "NormalizedUsageAmount"):
        return {"Amount": digits(usage, USAGE_DIGITS), "Unit": unit}
    paid = amortized if "Amortized" in name else cost
    return {"Amount": digits(paid, MONEY_DIGITS), "Unit": "USD"}


def attributes(call: Call, keys: list[str]) -> list[Item]:
    """The names of the accounts, when they are grouped by."""
    if "LINKED_ACCOUNT" not in keys:
        return []
    accounts = (call.account, *payees(call))
    return [{"Value": held.id, "Attributes": {"description": held.name}} for held in accounts]


@answer("ce", "GetCostForecast")
def get_cost_forecast(call: Call) -> dict[str, Any]:
    """The mean of each day or month to come, with bounds if a level of confidence is given."""
    start, end = interval(call)
    today, granularity = call.cloud.now().date(), call.params["Granularity"]
    if granularity == "HOURLY" or call.params["Metric"].startswith(("USAGE", "NORMALIZED")):
        raise refused("Only costs by day or month can be forecast.")
    if start < today:
        raise refused(f"Start date {start} must not be in the past.")
    if end > months_back(next_month(today), -FORECAST_MONTHS[granularity]):
        raise refused(f"The forecast can cover {FORECAST_MONTHS[granularity]} months at most.")
    if (call.account.day - call.account.created.date()).days < FORECAST_NEEDS_DAYS:
        raise AwsError("DataUnavailableException", "Insufficient amount of historical data.")
    mean = usual(call)
    if not mean:
        raise AwsError("DataUnavailableException", "Insufficient amount of historical data.")
    spans = split(start, end, granularity)
    total = sum(mean * (last - first).days for first, last in spans)
    return {
        "Total": {"Amount": digits(total, MONEY_DIGITS), "Unit": "USD"},
        "ForecastResultsByTime": [forecast(call, span, mean) for span in spans],
    }


def usual(call: Call) -> int:
    """An ordinary day's cost of the accounts that the filter leaves, by linked account only."""
    test = expression(call.params.get("Filter") or {})
    names = dict.fromkeys(DIMENSIONS, "")
    accounts = (call.account, *payees(call))
    chosen = [held for held in accounts if test(names | {"LINKED_ACCOUNT": held.id})]
    return sum(usual_total(held) for held in chosen)


def forecast(call: Call, span: Period, mean: int) -> dict[str, Any]:
    """One period's forecast; the surer it is to be, the wider its interval."""
    start, end = span
    value = mean * (end - start).days
    found: dict[str, Any] = {
        "TimePeriod": {"Start": f"{start}", "End": f"{end}"},
        "MeanValue": digits(value, MONEY_DIGITS),
    }
    level = call.params.get("PredictionIntervalLevel")
    if level:
        margin = value * level // 400
        found["PredictionIntervalLowerBound"] = digits(value - margin, MONEY_DIGITS)
        found["PredictionIntervalUpperBound"] = digits(value + margin, MONEY_DIGITS)
    return found


@answer("ce", "GetAnomalies")
def get_anomalies(call: Call) -> dict[str, Any]:
    """Anomalies that ended in the interval; a payer sees those of its members."""
    dates = call.params["DateInterval"]
    start = day_of(dates["StartDate"])
    end = day_of(dates["EndDate"]) if "EndDate" in dates else call.cloud.now().date()
    found = [
        held
        for account in (call.account, *payees(call))
        for held in account.items("ce", "anomalies")
        if start <= day_of(held["AnomalyEndDate"]) <= end and chosen(held, call.params)
    ]
    chunk, more = page(call, found, token="NextPageToken", default=100)
    return {"Anomalies": chunk, **more}


def chosen(held: Item, params: dict[str, Any]) -> bool:
    """Whether an anomaly is of the monitor and has the feedback asked for."""
    monitor, feedback = params.get("MonitorArn"), params.get("Feedback")
    return (not monitor or held["MonitorArn"] == monitor) and (
        not feedback or held.get("Feedback") == feedback
    )
