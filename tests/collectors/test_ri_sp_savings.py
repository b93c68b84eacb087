"""Reserved capacity: what reservations and savings plans saved on each day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from observability.collectors.ri_sp_savings import RDS
from tests.cloud import Account, EmbeddedCloud, Size
from tests.cloud.accounts import Item
from tests.cloud.answers.commitments import EC2, SOLD_BY, in_force, plan_detail, reservation_group
from tests.collectors.losses import Denial, unless
from tests.collectors.reading import (
    Send,
    calls,
    is_true,
    names,
    paid,
    place_of,
    record,
    without_bucket,
)
from tests.collectors.truth import Place, Truth, moment, number
from tests.conftest import REGIONS, MakeAccount, MakeEnvironment
from tests.runs import Row, send

HOME, OTHER = REGIONS


# Money


def ri_sp_savings(place: Place) -> Iterator[Row]:
    """A row per day and reservation or savings plan that was in force on it."""
    for day in place.cost_days if place.home else ():
        period = (day, day + timedelta(days=1))
        dates = {"date_from": period[0], "date_to": period[1]}
        for service, sold_by in SOLD_BY.items():
            for region in (place.region, *place.others):
                for held in place.account.items(sold_by, "reserved", region):
                    bought = instances_bought(held) if service == EC2 else databases_bought(held)
                    if in_force(bought["start_date"], bought["end_date"], period):
                        used = reservation_group(place.account, region, held, period, service)
                        known = {"region": region, "service": service} | dates
                        yield bought | known | reservation_used(used)
        for held in place.everywhere("savingsplans", "plans"):
            if in_force(held["start"], held["end"], period):
                yield (
                    plan_bought(held) | dates | plan_used(plan_detail(place.account, held, period))
                )


def instances_bought(held: Item) -> Row:
    """What a reservation of EC2 is."""
    return {
        "reservation_type": "Reserved Instance",
        "instance_type": held["InstanceType"],
        "instance_family": held["InstanceType"].split(".")[0],
        "instance_count": held["InstanceCount"],
        "instance_tenancy": held["InstanceTenancy"],
        "offering_class": held["OfferingClass"],
        "offering_type": held["OfferingType"],
        "description": held["ProductDescription"],
        "upfront_cost": number(held["FixedPrice"]),
        "usage_price": number(held["UsagePrice"]),
        "recurring_cost": number(held["RecurringCharges"][0]["Amount"]),
        "recurring_frequency": held["RecurringCharges"][0]["Frequency"],
        "currency": held["CurrencyCode"],
        "start_date": held["Start"],
        "end_date": held["End"],
        "duration_seconds": held["Duration"],
        "state": held["State"],
    }


def databases_bought(held: Item) -> Row:
    """What a reservation of RDS is."""
    return {
        "reservation_type": "Reserved Instance",
        "offering_id": held["ReservedDBInstancesOfferingId"],
        "instance_type": held["DBInstanceClass"],
        "instance_family": ".".join(held["DBInstanceClass"].split(".")[:2]),
        "instance_count": held["DBInstanceCount"],
        "offering_type": held["OfferingType"],
        "description": held["ProductDescription"],
        "upfront_cost": number(held["FixedPrice"]),
        "usage_price": number(held["UsagePrice"]),
        "recurring_cost": number(held["RecurringCharges"][0]["RecurringChargeAmount"]),
        "recurring_frequency": held["RecurringCharges"][0]["RecurringChargeFrequency"],
        "currency": held["CurrencyCode"],
        "start_date": held["StartTime"],
        "end_date": held["StartTime"] + timedelta(seconds=held["Duration"]),
        "duration_seconds": held["Duration"],
        "state": held["State"],
    }


def plan_bought(held: Item) -> Row:
    """What a savings plan is."""
    returnable = held.get("returnableUntil")
    return {
        "reservation_type": "Savings Plan",
        "subscription_id": held["savingsPlanId"],
        "offering_id": held["offeringId"],
        "savings_plan_arn": held["savingsPlanArn"],
        "instance_family": held.get("ec2InstanceFamily"),
        "offering_class": held["savingsPlanType"],
        "product_types": ",".join(held["productTypes"]),
        "region": held.get("region"),
        "commitment": Decimal(held["commitment"]),
        "upfront_cost": Decimal(held["upfrontPaymentAmount"]),
        "recurring_cost": Decimal(held["recurringPaymentAmount"]),
        "currency": held["currency"],
        "start_date": moment(held["start"]),
        "end_date": moment(held["end"]),
        "returnable_until": moment(returnable) if returnable else None,
        "duration_seconds": held["termDurationInSeconds"],
        "offering_type": held["paymentOption"],
        "state": held["state"],
        "description": held["description"],
    }


def reservation_used(group: Item) -> Row:
    """What Cost Explorer tells of a reservation on a day."""
    used = group["Utilization"]
    return {
        "subscription_id": group["Attributes"]["subscriptionId"],
        "utilization_percentage": Decimal(used["UtilizationPercentage"]),
        "on_demand_cost": Decimal(used["OnDemandCostOfRIHoursUsed"]),
        "reservation_cost": Decimal(used["TotalAmortizedFee"]),
        "net_savings": Decimal(used["NetRISavings"]),
    }


def plan_used(detail: Item) -> Row:
    """What Cost Explorer tells of a savings plan on a day."""
    return {
        "utilization_percentage": Decimal(detail["Utilization"]["UtilizationPercentage"]),
        "on_demand_cost": Decimal(detail["Savings"]["OnDemandCostEquivalent"]),
        "reservation_cost": Decimal(detail["AmortizedCommitment"]["TotalAmortizedCommitment"]),
        "net_savings": Decimal(detail["Savings"]["NetSavings"]),
    }


# Denied

NO_RESERVATIONS = {"ri_sp_savings": unless(reservation_type="Reserved Instance")}
NO_PLANS = {"ri_sp_savings": unless(reservation_type="Savings Plan")}
TRUTH: Mapping[str, Truth] = {
    "ri_sp_savings": Truth(
        ri_sp_savings, "ri_sp_daily_savings", ("reservation_type", "subscription_id", "date_to")
    ),
}

DENIALS: Mapping[str, Denial] = {
    "ce:GetReservationUtilization": Denial(("ri_sp_savings",), NO_RESERVATIONS),
    "ce:GetSavingsPlansUtilizationDetails": Denial(("ri_sp_savings",), NO_PLANS),
    "ec2:DescribeReservedInstances": Denial(
        ("ri_sp_savings",), {"ri_sp_savings": unless(service=EC2)}
    ),
    "rds:DescribeReservedDBInstances": Denial(
        ("ri_sp_savings",), {"ri_sp_savings": unless(service=RDS)}
    ),
    "savingsplans:DescribeSavingsPlans": Denial(("ri_sp_savings",), NO_PLANS),
}

# Reserved capacity


@pytest.mark.parametrize("flags", [(), ("--only", "cost")])
def test_reserved_capacity_is_not_read_unless_it_is_asked_for(
    flags: tuple[str, ...], embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    requests = record(embedded, account)
    sent = send(without_bucket(embedded, account), tmp_path, *flags)
    assert sent.code == 0
    assert sent.statuses["ri_sp_savings"] == ("None" if flags else "Skipped")
    assert sent.document["ri_sp_savings"] == []
    told = [text for text in sent.said("INFO") if text.startswith("ri_sp_savings")]
    skipped = ["ri_sp_savings is skipped: not asked for (--reserved-capacity)"]
    assert told == ([] if flags else skipped)
    assert not names(requests).keys() & {"ec2:DescribeReservedInstances", *PAID_BY_DAY}


PAID_BY_DAY = (
    "ce:GetReservationUtilization",
    "ce:GetSavingsPlansUtilization",
    "ce:GetSavingsPlansUtilizationDetails",
)


def test_reservations_of_other_regions_than_the_runs_are_left_out_and_said(
    account: Account, only: Send
) -> None:
    sent = only("ri_sp_savings")
    bought = {row["region"] for row in sent.document["ri_sp_savings"]}
    assert bought == {HOME, None}  # a plan may hold everywhere
    others = [held for held in account.items("ec2", "reserved", OTHER) if held["State"] == "active"]
    note = f"{len(others)} reservations in other regions than the run's are left out"
    assert f"ri_sp_savings.instances: {note}" in sent.said("INFO")


@pytest.mark.parametrize("read", ["by day", "by plan"])
def test_a_plan_that_was_bought_within_the_window_has_its_own_days_only(
    read: str, embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account()
    plans = account.items("savingsplans", "plans")
    first, *rest = [held for held in plans if held["state"] == "active"]
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    first["start"] = f"{yesterday}T07:30:00.000Z"
    account.replace("savingsplans", "plans", "", [first, *rest] if read == "by day" else [first])
    requests = record(embedded, account)
    sent = send(without_bucket(embedded, account), tmp_path, "--only", "ri_sp_savings")
    assert sent.code == 0
    asked = names(requests)
    assert asked["ce:GetSavingsPlansUtilization"] == (read == "by plan")
    assert asked["ce:GetSavingsPlansUtilizationDetails"] == (3 if read == "by day" else 0)
    is_true(sent.document, place_of(account, sent.document), "ri_sp_savings")
    told = [
        row["date_from"]
        for row in sent.document["ri_sp_savings"]
        if row["subscription_id"] == first["savingsPlanId"]
    ]
    assert told == [str(yesterday)]


# Sender

PLANS = 5
"""Savings plans in force in a small account, which has reservations of EC2 and RDS too."""


@pytest.mark.parametrize(
    ("size", "days", "requests"),
    [
        (Size.empty(), 3, 0),
        (Size.small(), 1, 2 * 1 + 1),
        (Size.small(), 3, 2 * 3 + 3),
        (Size.small(), 30, 2 * 30 + PLANS),
    ],
)
def test_reserved_capacity_is_paid_by_day_and_service_and_only_where_something_was_bought(
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
    tmp_path: Path,
    size: Size,
    days: int,
    requests: int,
) -> None:
    environment = environment_of(make_account(size))
    embedded.forget_calls()
    flags = ("--lookback", str(days), "--reserved-capacity")
    sent = send(environment, tmp_path, *flags, "--only", "ri_sp_savings")
    assert sent.statuses["ri_sp_savings"] == "Pass"
    assert paid(calls(embedded)) == requests
