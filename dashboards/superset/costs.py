"""Costs: what was spent, what rose, what can be saved. For those who look after the money."""

from __future__ import annotations

from dashboards.superset.charts import MONEY, bars, share, table, total, trend
from dashboards.superset.datasets import COSTS, MONTH, SAVINGS, WEEKS
from dashboards.superset.model import Dashboard, Metric

COST = Metric("Cost", "SUM(unblended_cost)")
AMORTIZED = Metric("Amortized", "SUM(amortized_cost)")
EXPECTED = Metric("Expected", "SUM(expected_cost)")
FORECAST = Metric("Forecast of the rest", "SUM(forecast_cost)")
BEFORE = Metric("Week before", "SUM(previous_cost)")
RISE = Metric("Rise", "SUM(difference)")
SAVED = Metric("A month", "SUM(monthly_savings)")
NUMBER = Metric("Opportunities", "SUM(opportunities)")
PERCENT = "100 * SUM(difference) / NULLIF(SUM(previous_cost), 0)"
LARGEST = "MAX(monthly_savings)"

DASHBOARD = Dashboard(
    "Costs",
    "costs",
    "What was spent, what rose, and what can be saved",
    (
        (
            (total("Newest seven days", WEEKS, COST.sql, "unblended", MONEY), 3),
            (total("Against the seven before", WEEKS, PERCENT, "percent", "+,.1f"), 3),
            (total("This month until now", MONTH, COST.sql, "unblended", MONEY), 3),
            (total("Expected this month", MONTH, EXPECTED.sql, "accounts with forecast", MONEY), 3),
        ),
        (
            (trend("Cost per day by service", COSTS, COST, by="service", form=MONEY), 6),
            (trend("Cost per day by account", COSTS, COST, by="account", form=MONEY), 6),
        ),
        (
            (trend("Unblended and amortized cost", COSTS, COST, AMORTIZED, kind="line"), 6),
            (trend("Cost per day by customer", COSTS, COST, by="customer", kind="area"), 6),
        ),
        (
            (share("Services of the newest week", WEEKS, COST, "service", MONEY), 4),
            (bars("Accounts this month", MONTH, "account", COST, form=MONEY), 4),
            (bars("Customers this month", MONTH, "customer", COST, form=MONEY), 4),
        ),
        (
            (
                table(
                    "What rose most, week over week", WEEKS, ("account", "service"), RISE, BEFORE,
                    COST, form=MONEY, where="difference > 0",
                ),
                6,
            ),
            (
                table(
                    "Months of accounts", MONTH, ("account", "customer", "last_day", "currency"),
                    COST, FORECAST, EXPECTED, form=MONEY,
                ),
                6,
            ),
        ),
        (
            (bars("Savings by source, which overlap", SAVINGS, "source", SAVED, form=MONEY), 4),
            (
                bars(
                    "Savings by Compute Optimizer", SAVINGS, "account", SAVED, form=MONEY,
                    where="source = 'Compute Optimizer'",
                ),
                4,
            ),
            (total("Largest single saving", SAVINGS, LARGEST, "a month", MONEY), 2),
            (total("Opportunities to save", SAVINGS, NUMBER.sql, "of all sources"), 2),
        ),
        (
            (
                table(
                    "Largest savings", SAVINGS,
                    ("account", "source", "resource", "finding", "recommendation"), SAVED,
                    form=MONEY,
                ),
                12,
            ),
        ),
    ),
    {
        "Account": (COSTS, "account"),
        "Customer": (COSTS, "customer"),
        "Service": (COSTS, "service"),
        "Currency": (COSTS, "currency"),
    },
    {"Cost": "#1fa8c9", "Amortized": "#f2a33a"},
)  # fmt: skip
"""Costs in several currencies are added unless one is chosen."""
