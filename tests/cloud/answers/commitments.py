"""Reservations and savings plans: what there is, and how much of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
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
from tests.cloud.content.commitments import share_used, subscription
from tests.cloud.content.costs import digits
from tests.cloud.content.words import iso

CENTS = 10**8
"""Amounts here are counted in units of the eighth decimal."""

HOURLY = 5_000_000
"""What an hour of any reservation costs on demand: 5 cents."""

EC2 = "Amazon Elastic Compute Cloud - Compute"
SOLD_BY = {EC2: "ec2", "Amazon Relational Database Service": "rds"}
"""What Cost Explorer calls the services whose reservations there are here."""

PLAN_DIMENSIONS = (*DIMENSIONS, "SAVINGS_PLAN_ARN")


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


@answer("rds", "DescribeReservedDBInstances")
def describe_reserved_databases(call: Call) -> dict[str, Any]:
    """The region's reservations of database instances."""
    asked = call.params.get("MaxRecords")
    if asked is not None and not 20 <= asked <= 100:
        raise AwsError("InvalidParameterValue", f"Invalid value {asked} for MaxRecords.")
    chunk, more = page(
        call, call.own("reserved"), token="Marker", size="MaxRecords", default=100, maximum=100
    )
    return {"ReservedDBInstances": chunk, **more}


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


def chosen_plans(call: Call, period: Period) -> list[tuple[Account, Item]]:
    """(account, plan) in force in a period, as far as the filter leaves them."""
    test = expression(call.params.get("Filter") or {}, PLAN_DIMENSIONS)
    names = dict.fromkeys(PLAN_DIMENSIONS, "")
    return [
        (account, held)
        for account in (call.account, *payees(call))
        for held in account.items("savingsplans", "plans")
        if test(names | {"LINKED_ACCOUNT": account.id, "SAVINGS_PLAN_ARN": held["savingsPlanArn"]})
        and in_force(held["start"], held["end"], period)
    ]


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


def chosen_service(call: Call) -> str:
    """The one service whose reservations are asked for; EC2 if none is."""
    held: Mapping[str, Any] = call.params.get("Filter") or {}
    parts = [part.get("Dimensions", {}) for part in held.get("And", [held])]
    named = [part["Values"] for part in parts if part.get("Key") == "SERVICE"]
    if any(len(values) > 1 for values in named):
        raise refused("Only one SERVICE value can be given.")
    return str(named[0][0]) if named else EC2


def reservations(call: Call, period: Period) -> list[tuple[Account, str, Item]]:
    """(account, region, reservation) of the chosen service in force in a period."""
    test = expression(call.params.get("Filter") or {})
    service = chosen_service(call)
    names = dict.fromkeys(DIMENSIONS, "") | {"SERVICE": service}
    kind = SOLD_BY.get(service)
    return [
        (account, region, held)
        for account in (call.account, *payees(call))
        if kind and test(names | {"LINKED_ACCOUNT": account.id})
        for region in account.regions
        for held in account.items(kind, "reserved", region)
        if in_force(*term(held), period)
    ]


def term(held: Item) -> tuple[Any, Any]:
    """When a reservation begins and ends."""
    if "Start" in held:
        return held["Start"], held["End"]
    return held["StartTime"], held["StartTime"] + timedelta(seconds=held["Duration"])


def lease(held: Item) -> str:
    """The identifier by which a reservation is known to Cost Explorer and its service alike."""
    return str(held.get("ReservedInstancesId") or held["LeaseId"])


def count(held: Item) -> int:
    """How many instances are reserved."""
    return int(held.get("InstanceCount") or held["DBInstanceCount"])


def hours(account: Account, held: Item, period: Period) -> tuple[int, int]:
    """The hours of a reservation that were bought and used in a period."""
    bought = 24 * count(held) * (period[1] - period[0]).days
    days = split(*period, "DAILY")
    shares = [share_used(account, lease(held), day) for day, _ in days]
    return bought, sum(24 * count(held) * share for share in shares) // 100


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
    service = chosen_service(call)
    found = [reservation_group(*held, period, service) for held in reservations(call, period)]
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


def reservation_group(
    account: Account, region: str, held: Item, period: Period, service: str
) -> dict[str, Any]:
    """One subscription's utilization and what is known of it."""
    number = subscription(account, lease(held))
    start, end = term(held)
    about = {
        "accountId": account.id,
        "accountName": account.name,
        "subscriptionId": number,
        "leaseId": lease(held),
        "service": service,
        "region": region,
        "instanceType": held.get("InstanceType") or held["DBInstanceClass"],
        "numberOfInstances": str(count(held)),
        "subscriptionType": held["OfferingType"],
        "platform": held["ProductDescription"],
        "subscriptionStatus": "Active" if held["State"] == "active" else "Expired",
        "startDateTime": iso(start),
        "endDateTime": iso(end),
    }
    if "Scope" in held:
        about |= {
            "offeringType": held["OfferingClass"],
            "scope": held["Scope"],
            "tenancy": "Shared",
        }
    return {
        "Key": "SUBSCRIPTION_ID",
        "Value": number,
        "Attributes": about,
        "Utilization": aggregates(*hours(account, held, period), fixed_fee(held, period)),
    }


NO_PLANS = "No Savings Plans utilization data is available for the requested period."


@answer("ce", "GetSavingsPlansUtilization")
def get_savings_plans_utilization(call: Call) -> dict[str, Any]:
    """The use of all plans that the filter leaves together, by day or month; no pages."""
    spans = split(*past(call), call.params.get("Granularity") or "DAILY")
    sums = [plan_sum(call, span) for span in spans]
    if not any(float(held["Utilization"]["TotalCommitment"]) for held in sums):
        raise AwsError("DataUnavailableException", NO_PLANS)
    by_time = [{"TimePeriod": dates(span), **held} for span, held in zip(spans, sums, strict=True)]
    return {"SavingsPlansUtilizationsByTime": by_time, "Total": add_up(sums)}


def plan_sum(call: Call, period: Period) -> dict[str, Any]:
    """The use of the plans in force in a period together."""
    return add_up(
        [plan_detail(account, held, period) for account, held in chosen_plans(call, period)]
    )


def add_up(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Utilization, savings and fees of several plans, or of several days."""
    return {
        "Utilization": sum_up([held["Utilization"] for held in parts]),
        "Savings": added(parts, "Savings", ("NetSavings", "OnDemandCostEquivalent")),
        "AmortizedCommitment": added(parts, "AmortizedCommitment", AMORTIZED),
    }


AMORTIZED = (
    "AmortizedRecurringCommitment", "AmortizedUpfrontCommitment", "TotalAmortizedCommitment",
)  # fmt: skip


def added(parts: list[dict[str, Any]], group: str, names: tuple[str, ...]) -> dict[str, str]:
    """The sums of amounts of one group."""
    return {
        name: text(sum(round(float(held[group][name]) * CENTS) for held in parts)) for name in names
    }


@answer("ce", "GetSavingsPlansUtilizationDetails")
def get_savings_plans_utilization_details(call: Call) -> dict[str, Any]:
    """Each plan's use over the whole interval; days have to be asked for one by one."""
    period = past(call)
    found = [plan_detail(account, held, period) for account, held in chosen_plans(call, period)]
    if not found:
        raise AwsError("DataUnavailableException", NO_PLANS)
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
        "UtilizationPercentage": text(used * 100 * CENTS // bought if bought else 0),
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
