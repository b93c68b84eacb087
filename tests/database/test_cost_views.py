"""Costs by day, month to date and week over week, as views tell them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.database.estates import (
    BANK,
    HOME,
    OTHER,
    SHOP,
    YESTERDAY,
    Row,
    cost_rows,
    days,
    load,
    quiet,
    view,
)
from tests.documents import Document
from tests.warehouse import Warehouse


def cost_report(day: date, forecast: Iterable[tuple[date, date, str]] = ()) -> Row:
    """A report of a day, with forecasts (first day, day after the last, amount)."""
    return {
        "current_period_cost": "1",
        "period": {
            "start": str(day),
            "end": str(day + timedelta(days=1)),
            "granularity": "DAILY",
        },
        "top_services": [],
        "forecast": [
            {"period": {"start": str(start), "end": str(end)}, "amount": amount}
            for start, end, amount in forecast
        ],
    }


def test_usage_types_are_summed_by_account_service_and_day(warehouse: Warehouse) -> None:
    day, before = YESTERDAY, YESTERDAY - timedelta(days=1)
    costs = [
        (day, "EC2", "BoxUsage", "1.0000000001"),
        (day, "EC2", "EBS", "2"),
        (day, "S3", "Requests", None),
        (before, "EC2", "BoxUsage", "7"),
    ]
    other = quiet(account=BANK) | {"service": cost_rows([(day, "EC2", "BoxUsage", "10")])}
    load(warehouse, quiet() | {"service": cost_rows(costs)}, other)
    assert view(warehouse, "daily_costs", "account_id, day, service, unblended_cost") == [
        (SHOP, before, "EC2", Decimal(7)),
        (SHOP, day, "EC2", Decimal("3.0000000001")),
        (SHOP, day, "S3", None),
        (BANK, day, "EC2", Decimal(10)),
    ]
    named = "account_name, customer_name, currency"
    assert view(warehouse, "daily_costs", f"DISTINCT {named}", f"account_id = '{BANK}'") == [
        (f"Name of {BANK}", f"Customer of {BANK}", "USD")
    ]


def test_costs_that_two_regions_tell_count_once(warehouse: Warehouse) -> None:
    """As after a move of the home region: days of both are those of the new home."""
    first, second, third = days(YESTERDAY - timedelta(days=2), 3)
    told_before = [(first, "EC2", "BoxUsage", "1"), (second, "EC2", "BoxUsage", "2")]
    told_now = [(second, "EC2", "BoxUsage", "20"), (third, "EC2", "BoxUsage", "30")]
    load(
        warehouse,
        quiet(second, region=OTHER) | {"service": cost_rows(told_before)},
        quiet(third, region=HOME) | {"service": cost_rows(told_now)},
    )
    assert view(warehouse, "daily_costs", "day, unblended_cost") == [
        (first, Decimal(1)),
        (second, Decimal(20)),
        (third, Decimal(30)),
    ]
    assert view(warehouse, "weekly_cost_changes", "unblended_cost") == [Decimal(51)]


def test_an_account_of_several_products_costs_once(warehouse: Warehouse) -> None:
    made = quiet() | {"service": cost_rows([(YESTERDAY, "EC2", "BoxUsage", "1")])}
    made["account"]["product"] = "Shop, Search, Ads"
    load(warehouse, made)
    assert view(warehouse, "daily_costs", "unblended_cost") == [Decimal(1)]


def test_the_cost_of_a_month_is_not_that_of_its_first_day(warehouse: Warehouse) -> None:
    [row] = cost_rows([(date(2026, 6, 1), "EC2", "BoxUsage", "900")])
    load(warehouse, quiet() | {"service": [row | {"date_to": "2026-07-01"}]})
    assert view(warehouse, "daily_costs", "day") == []


MONTH = date(2026, 6, 1)  # of 30 days


def month_to_date(warehouse: Warehouse, account: str = SHOP) -> Any:
    columns = "month, last_day, unblended_cost, days_known, forecast_cost, forecast_days"
    [row] = view(
        warehouse,
        "month_to_date_costs",
        f"{columns}, expected_cost",
        f"account_id = '{account}'",
    )
    return row


def spent(
    warehouse: Warehouse,
    known: list[date],
    forecast: Iterable[tuple[date, date, str]] = (),
    account: str = SHOP,
) -> None:
    """Load a cost of 10 and a report for each of these days, with a forecast as of the last."""
    made = quiet(known[-1], account)
    made["service"] = cost_rows((day, "EC2", "BoxUsage", "10") for day in known)
    made["cost"] = [cost_report(day, forecast if day == known[-1] else ()) for day in known]
    load(warehouse, made)


def test_the_month_to_date_and_the_forecast_to_its_end(warehouse: Warehouse) -> None:
    coming = [(day, day + timedelta(days=1), "3") for day in days(date(2026, 6, 11), 30)]
    spent(warehouse, days(date(2026, 5, 25), 17), coming)
    assert month_to_date(warehouse) == (
        MONTH,
        date(2026, 6, 10),
        Decimal(100),
        10,
        Decimal(60),
        20,
        Decimal(160),
    )


def test_a_forecast_of_several_days_counts_for_those_that_remain(warehouse: Warehouse) -> None:
    """Other producers ask for a forecast by month: here it was made two days before the last."""
    spent(warehouse, days(MONTH, 8), [(date(2026, 6, 9), date(2026, 7, 9), "60")])
    made = quiet(date(2026, 6, 10))
    made["service"] = cost_rows((day, "EC2", "X", "10") for day in days(date(2026, 6, 9), 2))
    made["cost"] = [cost_report(day) for day in days(date(2026, 6, 9), 2)]
    load(warehouse, made)
    assert month_to_date(warehouse)[2:] == (Decimal(100), 10, Decimal(40), 20, Decimal(140))


@pytest.mark.parametrize("missing", ["a day", "a part of the forecast", "the forecast"])
def test_the_cost_of_a_month_is_not_foretold_from_a_part(
    warehouse: Warehouse, missing: str
) -> None:
    known = days(MONTH, 10)
    coming = [(day, day + timedelta(days=1), "3") for day in days(date(2026, 6, 11), 20)]
    if missing == "a day":
        known.pop(3)
    else:
        coming = coming[:-1] if missing == "a part of the forecast" else []
    spent(warehouse, known, coming)
    assert month_to_date(warehouse)[-1] is None


def test_a_month_that_is_over_costs_what_it_has_cost(warehouse: Warehouse) -> None:
    spent(warehouse, days(MONTH, 30), [(date(2026, 7, 1), date(2026, 7, 2), "5")])
    spent(warehouse, days(MONTH, 2), account=BANK)
    assert month_to_date(warehouse)[2:] == (Decimal(300), 30, Decimal(0), 0, Decimal(300))
    assert month_to_date(warehouse, BANK)[2:5] == (Decimal(20), 2, Decimal(0))


def weeks(costs: Iterable[tuple[date, str, str]], read: list[date], account: str) -> Document:
    made = quiet(read[-1], account)
    made["service"] = cost_rows((day, service, "X", cost) for day, service, cost in costs)
    made["cost"] = [cost_report(day) for day in read]
    return made


def test_what_rose_week_over_week(warehouse: Warehouse) -> None:
    span = days(date(2026, 6, 1), 14)
    costs = [(day, "EC2", "10" if day < span[7] else "15") for day in span]
    costs += [(span[0], "S3", "4"), (span[13], "SQS", "1")]
    load(warehouse, weeks(costs, span, SHOP))
    columns = "service, previous_cost, unblended_cost, difference, difference_percentage"
    assert view(warehouse, "weekly_cost_changes", columns) == [
        ("EC2", Decimal(70), Decimal(105), Decimal(35), Decimal(50)),
        ("S3", Decimal(4), Decimal(0), Decimal(-4), Decimal(-100)),
        ("SQS", Decimal(0), Decimal(1), Decimal(1), None),
    ]
    assert view(warehouse, "weekly_cost_changes", "DISTINCT week_start, week_end") == [
        (date(2026, 6, 8), date(2026, 6, 15))
    ]


def test_nothing_rose_where_a_day_is_not_known(warehouse: Warehouse) -> None:
    span = days(date(2026, 6, 1), 14)
    costs = [(day, "EC2", "10") for day in span[3:]]
    load(warehouse, weeks(costs, span, SHOP), weeks(costs, span[3:], BANK))
    columns = "account_id, previous_cost, difference"
    assert view(warehouse, "weekly_cost_changes", columns) == [
        (SHOP, Decimal(40), Decimal(30)),
        (BANK, Decimal(40), None),
    ]
