"""Reservations in force and what could be saved, as views tell it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.database.estates import (
    OTHER,
    SHOP,
    YESTERDAY,
    Row,
    ago,
    full,
    load,
    quiet,
    reservation,
    view,
)
from tests.warehouse import Warehouse


def test_the_idle_part_of_a_reservation_costs_by_the_month(warehouse: Warehouse) -> None:
    used = {"utilization_percentage": "60", "reservation_cost": "24"}
    before = reservation(YESTERDAY - timedelta(days=9), utilization_percentage="0")
    made = quiet() | {
        "ri_sp_savings": [
            before,
            reservation(YESTERDAY - timedelta(days=1), **used | {"utilization_percentage": "80"}),
            reservation(YESTERDAY, **used),
            reservation(YESTERDAY, subscription_id="busy", utilization_percentage="100"),
            reservation(YESTERDAY, subscription_id="unknown", utilization_percentage=None),
        ]
    }
    load(warehouse, made)
    idle = Decimal(24) * Decimal("0.3") * 365 / 12
    columns = "subscription_id, utilization_percentage, idle_monthly_cost"
    assert view(warehouse, "current_reservations", columns) == [
        ("busy", Decimal(100), Decimal(0)),
        ("sp-1", Decimal(70), idle),
        ("unknown", None, None),
    ]
    columns = "account_id, source, resource_id, finding, monthly_savings, currency"
    assert view(warehouse, "savings_opportunities", columns) == [
        (SHOP, "Savings Plan", "sp-1", "used 70.0 %", idle, "USD")
    ]


@pytest.mark.parametrize("over", [{"end_date": ago(1)}, {"state": "returned"}])
def test_a_reservation_that_is_over_is_left_out(warehouse: Warehouse, over: Row) -> None:
    """Also where another region of the account, its home before, knew it as active."""
    day = YESTERDAY - timedelta(days=3)
    load(
        warehouse,
        quiet(day, region=OTHER) | {"ri_sp_savings": [reservation(day)]},
        quiet() | {"ri_sp_savings": [reservation(YESTERDAY, **over)]},
    )
    assert view(warehouse, "current_reservations", "account_id") == []
    assert view(warehouse, "upcoming_events", "account_id") == []


def test_savings_of_compute_optimizer_and_trusted_advisor(warehouse: Warehouse) -> None:
    advice = full("compute_optimizer")
    check = full("trusted_advisor")
    before = quiet(YESTERDAY - timedelta(days=1)) | {
        "compute_optimizer": [advice | {"resource_arn": "gone"}],
        "trusted_advisor": [check | {"check_name": "Gone"}],
    }
    made = quiet() | {
        "compute_optimizer": [
            advice,
            advice | {"resource_arn": "optimized", "finding": "Optimized",
                      "estimated_monthly_savings_usd": 0},
            advice | {"resource_arn": "yuan", "finding": "NotOptimized",
                      "estimated_monthly_savings_usd": None},
            advice | {"resource_arn": "too small", "finding": "Underprovisioned",
                      "estimated_monthly_savings_usd": None},
        ],
        "trusted_advisor": [
            check,
            check | {"check_name": "Security groups", "potential_savings": None},
        ],
    }  # fmt: skip
    load(warehouse, before, made)
    columns = "source, resource_id, resource_name, recommendation, monthly_savings"
    assert view(warehouse, "savings_opportunities", columns) == [
        ("Compute Optimizer", advice["resource_arn"], "web", "t3.micro gp3 50 GiB 1024 MiB",
         Decimal("12.34")),
        ("Compute Optimizer", "yuan", "web", "t3.micro gp3 50 GiB 1024 MiB", None),
        ("Trusted Advisor", "hjLMh88uM8", "Idle load balancers", None, Decimal("34.5")),
    ]  # fmt: skip


def test_a_check_that_two_regions_tell_counts_once(warehouse: Warehouse) -> None:
    """It belongs to no region; its newer result counts."""
    check = full("trusted_advisor")
    load(
        warehouse,
        quiet() | {"trusted_advisor": [check | {"timestamp": ago(9), "potential_savings": 1}]},
        quiet(region=OTHER)
        | {"trusted_advisor": [check | {"timestamp": ago(2), "potential_savings": 2}]},
    )
    assert view(warehouse, "savings_opportunities", "monthly_savings") == [Decimal(2)]
