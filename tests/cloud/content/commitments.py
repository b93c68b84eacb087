"""Reserved instances, of EC2 and RDS, and savings plans, and how much is used on a day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.resources import ENGINES, INSTANCE_TYPES
from tests.cloud.content.words import iso, pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

PAYMENTS = ("No Upfront", "Partial Upfront", "All Upfront")
YEAR_SECONDS = 31_536_000


@content("ec2", "reserved")
def reserved(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeReservedInstances' ReservedInstances."""
    return [reservation(account, region, number) for number in range(account.size.commitments)]


def reservation(account: Account, region: str, number: int) -> dict[str, Any]:
    """One reservation for a year; every fifth has ended."""
    ended = number % 5 == 4
    start = account.ago(500 if ended else 60 + number)
    return {
        "ReservedInstancesId": account.uuid("reservation", region, number),
        "InstanceType": pick(INSTANCE_TYPES, number),
        "InstanceCount": 1 + number % 4,
        "InstanceTenancy": "default",
        "ProductDescription": pick(("Linux/UNIX", "Windows"), number),
        "OfferingClass": pick(("standard", "convertible"), number),
        "OfferingType": pick(PAYMENTS, number),
        "Scope": "Region",
        "State": "retired" if ended else "active",
        "CurrencyCode": "USD",
        "Start": start,
        "End": start + timedelta(seconds=YEAR_SECONDS),
        "Duration": YEAR_SECONDS,
        "FixedPrice": 100.0 * (number % 3),
        "UsagePrice": 0.0,
        "RecurringCharges": [{"Amount": 0.0125, "Frequency": "Hourly"}],
        "Tags": [{"Key": "team", "Value": account.words.text("team", 2)}],
    }


@content("rds", "reserved")
def reserved_databases(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeReservedDBInstances' ReservedDBInstances."""
    count = account.size.commitments
    return [database_reservation(account, region, number) for number in range(count)]


def database_reservation(account: Account, region: str, number: int) -> dict[str, Any]:
    """One reservation for a year; every third has ended."""
    ended = number % 3 == 2
    engine, _, kind = pick(ENGINES, number)
    name = f"ri-{account.hex(8, 'database reservation', region, number)}"
    return {
        "ReservedDBInstanceId": name,
        "ReservedDBInstanceArn": account.arn("rds", f"ri:{name}", region),
        "ReservedDBInstancesOfferingId": account.uuid("database offering", region, number),
        "LeaseId": account.uuid("database lease", region, number),
        "DBInstanceClass": kind,
        "DBInstanceCount": 1 + number % 3,
        "ProductDescription": engine,
        "OfferingType": pick(PAYMENTS, number),
        "MultiAZ": number % 2 == 1,
        "State": "retired" if ended else "active",
        "StartTime": account.ago(600 if ended else 40 + number, 3600),
        "Duration": YEAR_SECONDS,
        "CurrencyCode": "USD",
        "FixedPrice": 250.5 * (number % 3),
        "UsagePrice": 0.0,
        "RecurringCharges": [
            {"RecurringChargeAmount": 0.021, "RecurringChargeFrequency": "Hourly"}
        ],
    }


@content("savingsplans", "plans")
def plans(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeSavingsPlans' SavingsPlan: of computing anywhere, and of one family and region."""
    return [plan(account, number) for number in range(account.size.commitments)]


def plan(account: Account, number: int) -> dict[str, Any]:
    """One plan for a year; every fifth has ended, the newest can still be returned."""
    ended = number % 5 == 4
    start = account.ago(450 if ended else 3 + number * 9)
    plan_id = account.uuid("savings-plan", number)
    family = {"ec2InstanceFamily": "m6i", "region": account.home_region}
    return {
        "offeringId": account.uuid("offering", number),
        "savingsPlanId": plan_id,
        "savingsPlanArn": account.arn("savingsplans", f"savingsplan/{plan_id}"),
        "description": f"1 year {pick(PAYMENTS, number)} Savings Plan",
        "start": iso(start),
        "end": iso(start + timedelta(seconds=YEAR_SECONDS)),
        "state": "retired" if ended else "active",
        "savingsPlanType": "EC2Instance" if number % 2 else "Compute",
        **(family if number % 2 else {}),
        "paymentOption": pick(PAYMENTS, number),
        "productTypes": ["EC2"] if number % 2 else ["EC2", "Fargate", "Lambda"],
        "currency": "USD",
        "commitment": f"{1 + number % 4}.25000000",
        "upfrontPaymentAmount": f"{number % 3 * 1000}.0",
        "recurringPaymentAmount": "1.25000000",
        "termDurationInSeconds": YEAR_SECONDS,
        "tags": {"team": account.words.text("team", 2)},
        **({"returnableUntil": iso(start + timedelta(days=7))} if number == 0 else {}),
    }


def subscription(account: Account, lease: str) -> str:
    """Cost Explorer's number of a reservation, which the service that sold it does not know."""
    return str(10**8 + int(account.hex(7, "subscription", lease), 16))


def share_used(account: Account, name: str, day: date) -> int:
    """How much of a commitment is used on a day, in percent: 60 to 100."""
    restated = [since for since in account.restatements if since <= day]
    return 60 + int(account.hex(6, "used", name, day, *restated), 16) % 41
