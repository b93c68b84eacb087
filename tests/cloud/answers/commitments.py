"""Reservations and savings plans: what there is, and how much of it is used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from tests.cloud.accounts import Account, Item
from tests.cloud.answers.core import AwsError, Call, answer, instant, page, payees
from tests.cloud.answers.costs import (
    DIMENSIONS,
    Period,
    expression,
    interval,
    refused,
    split,
)
from tests.cloud.content.commitments import share_used
from tests.cloud.content.costs import digits
from tests.cloud.content.words import iso

CENTS = 10**8
"""Amounts here are counted in units of the eighth decimal."""

HOURLY = 5_000_000
"""What an hour of any reservation costs on demand: 5 cents."""


def text(amount: int) -> str:
    """An amount with its decimals."""
    return digits(amount, 8)


@answer("ec2", "DescribeReservedInstances")
def describe_reserved_instances(call: Call) -> dict[str, Any]:
    """The region's reservations; no pages."""
    wanted = call.params.get("ReservedInstancesIds")
    everything = call.own("reserved")
    return {
        "ReservedInstances": [
            held for held in everything if not wanted or held["ReservedInstancesId"] in wanted
        ]
    }


@answer("savingsplans", "DescribeSavingsPlans")
def describe_savings_plans(call: Call) -> dict[str, Any]:
    """The account's plans, active ones unless other states are asked for."""
    params = call.params
    states = params.get("states") or ["active"]
    arns, ids = params.get("savingsPlanArns"), params.get("savingsPlanIds")
    found = [
        held
        for held in call.own_global("plans")
        if held["state"] in states
        and (not arns or held["savingsPlanArn"] in arns)
        and (not ids or held["savingsPlanId"] in ids)
    ]
    chunk, more = page(
        call, found, token="nextToken", size="maxResults", default=1000, maximum=1000
    )
    return {"savingsPlans": chunk, **more}


def chosen_accounts(call: Call) -> Iterator[Account]:
    """The caller and its payees, as far as the filter by linked account leaves them."""
    test = expression(call.params.get("Filter") or {})
    names = dict.fromkeys(DIMENSIONS, "Amazon Elastic Compute Cloud - Compute")
    for account in (call.account, *payees(call)):
        if test(names | {"LINKED_ACCOUNT": account.id}):
            yield account


def past(call: Call) -> Period:
    """The request's interval, which may not reach into the future."""
    start, end = interval(call)
    if end > call.cloud.now().date():
        raise refused("End date must not be in the future.")
    return start, end


def no_granularity_with_groups(call: Call) -> None:
    """Refuse to group and to go by day or month at once."""
    if call.params.get("GroupBy") and call.params.get("Granularity"):
        raise refused("Granularity cannot be set if GroupBy is set.")


def in_force(start: Any, end: Any, period: Period) -> bool:
    """Whether a commitment holds on all days of a period."""
    return instant(start).date() <= period[0] and period[1] <= instant(end).date()


def reservations(call: Call, period: Period) -> list[tuple[Account, str, Item]]:
    """(account, region, reservation) in force in a period."""
    return [
        (account, region, held)
        for account in chosen_accounts(call)
        for region in account.regions
        for held in account.items("ec2", "reserved", region)
        if in_force(held["Start"], held["End"], period)
    ]


def hours(account: Account, held: Item, period: Period) -> tuple[int, int]:
    """The hours of a reservation that were bought and used in a period."""
    bought = 24 * held["InstanceCount"] * (period[1] - period[0]).days
    days = split(*period, "DAILY")
    shares = [share_used(account, held["ReservedInstancesId"], day) for day, _ in days]
    return bought, sum(24 * held["InstanceCount"] * share for share in shares) // 100


def aggregates(bought: int, used: int, fixed: int) -> dict[str, str]:
    """ReservationAggregates of hours bought and used; `fixed` is paid in advance."""
    recurring = bought * HOURLY // 4
    demand, fee = used * HOURLY, recurring + fixed
    return {
        "UtilizationPercentage": text(used * 100 * CENTS // bought if bought else 0),
        "PurchasedHours": str(bought),
        "TotalActualHours": str(used),
        "UnusedHours": str(bought - used),
        "OnDemandCostOfRIHoursUsed": text(demand),
        "NetRISavings": text(demand - fee),
        "TotalPotentialRISavings": text(bought * HOURLY - fee),
        "AmortizedUpfrontFee": text(fixed),
        "AmortizedRecurringFee": text(recurring),
        "TotalAmortizedFee": text(fee),
        "RICostForUnusedHours": text((bought - used) * HOURLY // 4),
        "RealizedSavings": text(demand - used * HOURLY // 4),
        "UnrealizedSavings": text((bought - used) * HOURLY),
    }


def fixed_fee(held: Item, period: Period) -> int:
    """The part of a reservation's advance payment that falls on a period."""
    days = (period[1] - period[0]).days
    return round(float(held["FixedPrice"]) * CENTS * days / 365)


@answer("ce", "GetReservationUtilization")
def get_reservation_utilization(call: Call) -> dict[str, Any]:
    """How much of the reservations was used: by day or month, or by subscription as a whole."""
    no_granularity_with_groups(call)
    period = past(call)
    groups = call.params.get("GroupBy")
    if groups and [held.get("Key") for held in groups] != ["SUBSCRIPTION_ID"]:
        raise refused("GetReservationUtilization can be grouped by SUBSCRIPTION_ID only.")
    total = reservation_total(call, period)
    if not groups:
        spans = split(*period, call.params.get("Granularity") or "DAILY")
        by_time = [{"TimePeriod": dates(span), "Groups": [],
                    "Total": reservation_total(call, span)} for span in spans]  # fmt: skip
        return {"UtilizationsByTime": by_time, "Total": total}
    found = [reservation_group(*held, period) for held in reservations(call, period)]
    chunk, more = page(call, found, token="NextPageToken", default=100)
    by_time = [{"TimePeriod": dates(period), "Groups": chunk, "Total": total}]
    return {"UtilizationsByTime": by_time, "Total": total, **more}


def dates(period: Period) -> dict[str, str]:
    """A period as Cost Explorer writes it."""
    return {"Start": f"{period[0]}", "End": f"{period[1]}"}


def reservation_total(call: Call, period: Period) -> dict[str, str]:
    """The sum of all reservations in a period."""
    found = reservations(call, period)
    sums = [hours(account, held, period) for account, _, held in found]
    fixed = sum(fixed_fee(held, period) for _, _, held in found)
    return aggregates(sum(one for one, _ in sums), sum(one for _, one in sums), fixed)


def reservation_group(account: Account, region: str, held: Item, period: Period) -> dict[str, Any]:
    """One subscription's utilization and what is known of it."""
    name = held["ReservedInstancesId"]
    return {
        "Key": "SUBSCRIPTION_ID",
        "Value": name,
        "Attributes": {
            "accountId": account.id,
            "accountName": account.name,
            "subscriptionId": name,
            "leaseId": name,
            "service": "Amazon Elastic Compute Cloud - Compute",
            "region": region,
            "instanceType": held["InstanceType"],
            "numberOfInstances": str(held["InstanceCount"]),
            "offeringType": held["OfferingClass"],
            "subscriptionType": held["OfferingType"],
            "platform": held["ProductDescription"],
            "tenancy": "Shared",
            "scope": held["Scope"],
            "subscriptionStatus": "Active" if held["State"] == "active" else "Expired",
            "startDateTime": iso(held["Start"]),
            "endDateTime": iso(held["End"]),
        },
        "Utilization": aggregates(*hours(account, held, period), fixed_fee(held, period)),
    }


@answer("ce", "GetReservationCoverage")
def get_reservation_coverage(call: Call) -> dict[str, Any]:
    """How many running hours reservations covered, by day or month."""
    if call.params.get("GroupBy"):
        raise refused("Grouping coverage is not supported here.")
    period = past(call)
    spans = split(*period, call.params.get("Granularity") or "DAILY")
    found = [
        {"TimePeriod": dates(span), "Groups": [], "Total": reservation_cover(call, span)}
        for span in spans
    ]
    chunk, more = page(call, found, token="NextPageToken", default=100)
    return {"CoveragesByTime": chunk, "Total": reservation_cover(call, period), **more}


def reservation_cover(call: Call, period: Period) -> dict[str, Any]:
    """Covered hours, and half as many that were paid on demand."""
    used = sum(hours(account, held, period)[1] for account, _, held in reservations(call, period))
    demand = used // 2
    share = used * 100 * CENTS // (used + demand) if used else 0
    return {
        "CoverageHours": {
            "OnDemandHours": str(demand),
            "ReservedHours": str(used),
            "TotalRunningHours": str(used + demand),
            "CoverageHoursPercentage": text(share),
        },
        "CoverageCost": {"OnDemandCost": text(demand * HOURLY)},
    }


@answer("ce", "GetSavingsPlansUtilizationDetails")
def get_savings_plans_utilization_details(call: Call) -> dict[str, Any]:
    """Each plan's use over the whole interval; days have to be asked for one by one."""
    period = past(call)
    found = [
        plan_detail(account, held, period)
        for account in chosen_accounts(call)
        for held in account.items("savingsplans", "plans")
        if in_force(held["start"], held["end"], period)
    ]
    if not found:
        message = "No Savings Plans utilization data is available for the requested period."
        raise AwsError("DataUnavailableException", message)
    chunk, more = page(call, found, default=20)
    total = {"Utilization": sum_up([held["Utilization"] for held in found])}
    return {
        "SavingsPlansUtilizationDetails": chunk,
        "Total": total,
        "TimePeriod": dates(period),
        **more,
    }


def sum_up(parts: list[dict[str, str]]) -> dict[str, str]:
    """The utilization of several plans together."""
    bought, used = (
        sum(round(float(held[name]) * CENTS) for held in parts)
        for name in ("TotalCommitment", "UsedCommitment")
    )
    return utilization(bought, used)


def utilization(bought: int, used: int) -> dict[str, str]:
    """SavingsPlansUtilization of a commitment and what was used of it."""
    return {
        "TotalCommitment": text(bought),
        "UsedCommitment": text(used),
        "UnusedCommitment": text(bought - used),
        "UtilizationPercentage": text(used * 100 * CENTS // bought),
    }


def plan_detail(account: Account, held: Item, period: Period) -> dict[str, Any]:
    """One plan's utilization, savings and fees."""
    daily = round(float(held["commitment"]) * 24 * CENTS)
    days: list[date] = [day for day, _ in split(*period, "DAILY")]
    bought = daily * len(days)
    shares = [share_used(account, held["savingsPlanArn"], day) for day in days]
    used = sum(daily * share for share in shares) // 100
    upfront = round(float(held["upfrontPaymentAmount"]) * CENTS * len(days) / 365)
    return {
        "SavingsPlanArn": held["savingsPlanArn"],
        "Attributes": {
            "AccountId": account.id,
            "AccountName": account.name,
            "SavingsPlansType": f"{held['savingsPlanType']}SavingsPlans",
            "PaymentOption": held["paymentOption"],
            "PurchaseTerm": "1yr",
            "HourlyCommitment": held["commitment"],
            "RecurringHourlyFee": held["recurringPaymentAmount"],
            "UpfrontFee": held["upfrontPaymentAmount"],
            "Region": held.get("region", "Any"),
            "InstanceFamily": held.get("ec2InstanceFamily", "Any"),
            "Status": held["state"].capitalize(),
            "StartDateTime": held["start"],
            "EndDateTime": held["end"],
        },
        "Utilization": utilization(bought, used),
        "Savings": {
            "NetSavings": text(used * 14 // 10 - bought),
            "OnDemandCostEquivalent": text(used * 14 // 10),
        },
        "AmortizedCommitment": {
            "AmortizedRecurringCommitment": text(bought - upfront),
            "AmortizedUpfrontCommitment": text(upfront),
            "TotalAmortizedCommitment": text(bought),
        },
    }


@answer("ce", "GetSavingsPlansCoverage")
def get_savings_plans_coverage(call: Call) -> dict[str, Any]:
    """How much spending plans covered, by day or month."""
    no_granularity_with_groups(call)
    period = past(call)
    found = [
        {"Attributes": {}, "Coverage": plan_cover(call, span), "TimePeriod": dates(span)}
        for span in split(*period, call.params.get("Granularity") or "DAILY")
    ]
    chunk, more = page(call, found, default=20)
    return {"SavingsPlansCoverages": chunk, **more}


def plan_cover(call: Call, period: Period) -> dict[str, str]:
    """Covered spending, and a quarter as much on demand."""
    covered = sum(
        round(float(plan_detail(account, held, period)["Utilization"]["UsedCommitment"]) * CENTS)
        for account in chosen_accounts(call)
        for held in account.items("savingsplans", "plans")
        if in_force(held["start"], held["end"], period)
    )
    demand = covered // 4
    total = covered + demand
    return {
        "SpendCoveredBySavingsPlans": text(covered),
        "OnDemandCost": text(demand),
        "TotalCost": text(total),
        "CoveragePercentage": text(covered * 100 * CENTS // total if total else 0),
    }
