"""ri_sp_savings: use and savings of reservations and savings plans, by day."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from observability.aws.pages import tokens, widened
from observability.collecting.collector import GLOBAL, PERIOD, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Collect, Scan, open_regions, run_parts
from observability.collecting.window import Window
from observability.dates import midnight, to_iso
from observability.rows import Row, RowMapper, get_path, iso_time, listed, shaped
from observability.sources.cost_explorer import (
    COST_EXPLORER_ERRORS,
    days_kept,
    dimension,
    own_costs,
    time_period,
)

if TYPE_CHECKING:
    from mypy_boto3_ce import CostExplorerClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_savingsplans import SavingsPlansClient
    from mypy_boto3_savingsplans.literals import SavingsPlanStateType


EC2, RDS = "Amazon Elastic Compute Cloud - Compute", "Amazon Relational Database Service"
"""What Cost Explorer calls the services whose reservations are read."""

PLAN_STATES: tuple[SavingsPlanStateType, ...] = (
    "active", "retired", "pending-return", "returned",
)  # fmt: skip
"""Those of savings plans that were in force some time; AWS lists only active ones by itself."""


def family(column: str) -> Callable[[Any], str | None]:
    """The family of the type of instance in a column: m6i of m6i.large, db.m7g of db.m7g.large."""
    return lambda item: str(item.get(column) or "").rpartition(".")[0] or None


reserved_instance_row = RowMapper(
    instance_type="InstanceType", instance_count="InstanceCount",
    instance_family=family("InstanceType"), instance_tenancy="InstanceTenancy",
    offering_class="OfferingClass", offering_type="OfferingType",
    description="ProductDescription", upfront_cost="FixedPrice", usage_price="UsagePrice",
    recurring_cost="RecurringCharges.0.Amount",
    recurring_frequency="RecurringCharges.0.Frequency", currency="CurrencyCode",
    start_date=iso_time("Start"), end_date=iso_time("End"), duration_seconds="Duration",
    state="State",
)  # fmt: skip
reserved_database_row = RowMapper(
    offering_id="ReservedDBInstancesOfferingId", instance_type="DBInstanceClass",
    instance_count="DBInstanceCount", instance_family=family("DBInstanceClass"),
    offering_type="OfferingType", description="ProductDescription", upfront_cost="FixedPrice",
    usage_price="UsagePrice", recurring_cost="RecurringCharges.0.RecurringChargeAmount",
    recurring_frequency="RecurringCharges.0.RecurringChargeFrequency", currency="CurrencyCode",
    start_date=iso_time("StartTime"), duration_seconds="Duration", state="State",
    end_date=lambda item: to_iso(item["StartTime"] + timedelta(seconds=item["Duration"])),
)  # fmt: skip
savings_plan_row = RowMapper(
    subscription_id="savingsPlanId", offering_id="offeringId", savings_plan_arn="savingsPlanArn",
    instance_family="ec2InstanceFamily", offering_class="savingsPlanType",
    product_types=lambda item: ",".join(item.get("productTypes", ())), region="region",
    commitment="commitment", upfront_cost="upfrontPaymentAmount",
    recurring_cost="recurringPaymentAmount", currency="currency", start_date=iso_time("start"),
    end_date=iso_time("end"), returnable_until=iso_time("returnableUntil"),
    duration_seconds="termDurationInSeconds", offering_type="paymentOption", state="state",
    description="description",
)  # fmt: skip
"""What was bought. Money as AWS has it: of one instance, or of the whole plan."""

reservation_use_row = RowMapper(
    subscription_id="Value", utilization_percentage="Utilization.UtilizationPercentage",
    on_demand_cost="Utilization.OnDemandCostOfRIHoursUsed",
    reservation_cost="Utilization.TotalAmortizedFee", net_savings="Utilization.NetRISavings",
)  # fmt: skip
plan_use_row = RowMapper(
    utilization_percentage="Utilization.UtilizationPercentage",
    on_demand_cost="Savings.OnDemandCostEquivalent",
    reservation_cost="AmortizedCommitment.TotalAmortizedCommitment",
    net_savings="Savings.NetSavings",
)  # fmt: skip
"""What became of it on a day: the cost on demand of what it covered, what it cost, the rest."""


def get_ri_sp_savings(scan: Scan, result: CategoryResult) -> None:
    """Reservations of EC2 and RDS, and savings plans: daily use, cost and savings of each.

    Only what this account bought in the run's regions, whoever uses it. Listing it is free, and
    Cost Explorer, which charges $0.01 a request and page, is asked only about days on which
    something was in force: AWS tells use by reservation or by day, not both, so that each day is
    a request per service.
    """
    parts: dict[str, Collect] = {
        "instances": lambda scan, part: read_reservations(scan, part, EC2, reserved_instances),
        "databases": lambda scan, part: read_reservations(scan, part, RDS, reserved_databases),
        "plans": read_savings_plans,
    }
    run_parts(scan, result, parts)


def reserved_instances(scan: Scan, region: str) -> dict[str, Row]:
    """Reservations of EC2 instances of a region by their lease (DescribeReservedInstances)."""
    client: EC2Client = scan.aws.client("ec2", region)
    answer = client.describe_reserved_instances()
    found = listed([answer], "ReservedInstances", "ReservedInstancesId")
    return dict(shaped(found, lambda one: (one["ReservedInstancesId"], reserved_instance_row(one))))


def reserved_databases(scan: Scan, region: str) -> dict[str, Row]:
    """Reservations of database instances of a region by lease (DescribeReservedDBInstances)."""
    client: RDSClient = scan.aws.client("rds", region)
    listing = client.get_paginator("describe_reserved_db_instances")
    pages = listing.paginate(PaginationConfig={"PageSize": 100})
    leased = (one for one in listed(pages, "ReservedDBInstances") if one.get("LeaseId"))
    return dict(shaped(leased, lambda one: (one["LeaseId"], reserved_database_row(one))))


def read_reservations(
    scan: Scan, result: CategoryResult, service: str, listing: Callable[[Scan, str], dict[str, Row]]
) -> None:
    """The reservations of a service on each day (GetReservationUtilization, $0.01 each).

    Cost Explorer numbers subscriptions by itself; the lease is what it shares with the service.
    """
    list_region = functools.partial(listing, scan)
    regions = open_regions(scan, result)
    leases = {
        lease: row | {"region": region, "service": service, "reservation_type": "Reserved Instance"}
        for region, rows in map_items(scan.aws, regions, list_region, result, fills=result.lists)
        for lease, row in (rows or {}).items()
    }
    unknown: set[str] = set()
    use = functools.partial(reservation_use, scan, service)
    days = days_in_force(scan.window, leases.values())
    for day, groups in map_items(scan.aws, days, use, result, fills=result.lists):
        for lease, used in shaped(groups or (), lease_use):
            if lease in leases:
                emit_savings(result, day, leases[lease] | used)
            else:
                unknown.add(lease)
    if unknown:
        result.note(f"{len(unknown)} reservations in other regions than the run's are left out")


def lease_use(group: Mapping[str, Any]) -> tuple[str, Row]:
    """The lease of a reservation, and its use on a day."""
    return get_path(group, "Attributes.leaseId") or group["Value"], reservation_use_row(group)


def reservation_use(scan: Scan, service: str, day: date) -> list[Any]:
    """How much of each reservation of a service was used on a day."""
    client: CostExplorerClient = scan.global_client("ce")
    only = dimension("SERVICE", [service])
    pages = tokens(
        lambda **token: client.get_reservation_utilization(
            TimePeriod=time_period(day, day + timedelta(days=1)),
            GroupBy=[{"Type": "DIMENSION", "Key": "SUBSCRIPTION_ID"}],
            Filter={"And": [own_costs(scan), only]},
            **token,
        ),
        "NextPageToken",
    )
    return [*listed(listed(pages, "UtilizationsByTime"), "Groups", "Value")]


def read_savings_plans(scan: Scan, result: CategoryResult) -> None:
    """The savings plans on each day (Savings Plans: DescribeSavingsPlans, then Cost Explorer).

    Cost Explorer tells of one plan by day or of one day by plan; what needs fewer requests is
    asked for.
    """
    client: SavingsPlansClient = scan.global_client("savingsplans")
    pages = widened(
        lambda **wider: tokens(
            lambda **token: client.describe_savings_plans(maxResults=1000, **wider, **token),
            "nextToken",
        ),
        states=PLAN_STATES,
    )
    rows = list(shaped(listed(pages, "savingsPlans", "savingsPlanId"), savings_plan_row))
    span = days_kept(scan.window)
    plans = {
        row["savings_plan_arn"]: row | {"reservation_type": "Savings Plan"}
        for row in rows
        if any(in_force(row, day) for day in span)
    }
    asked = days_in_force(scan.window, plans.values())
    if len(asked) < len(plans):
        uses = plan_uses_by_day(scan, result, asked)
    else:
        uses = plan_uses_by_plan(scan, result, plans)
    for day, arn, use in uses:
        if arn in plans and in_force(plans[arn], day):
            emit_savings(result, day, plans[arn] | plan_use_row(use))


PlanUses = Iterator[tuple[date, str, Mapping[str, Any]]]


def plan_uses_by_day(scan: Scan, result: CategoryResult, span: Iterable[date]) -> PlanUses:
    """(day, plan, use), a request and its pages for each day (GetSavingsPlansUtilizationDetails).

    This listing says nothing of days if it is asked for several.
    """
    client: CostExplorerClient = scan.global_client("ce")

    def read(day: date) -> list[Any]:
        pages = tokens(
            lambda **token: client.get_savings_plans_utilization_details(
                TimePeriod=time_period(day, day + timedelta(days=1)),
                Filter=own_costs(scan),
                **token,
            ),
            "NextToken",
        )
        return [*listed(pages, "SavingsPlansUtilizationDetails", "SavingsPlanArn")]

    for day, found in map_items(scan.aws, span, read, result, fills=result.lists):
        yield from ((day, item["SavingsPlanArn"], item) for item in found or ())


def plan_uses_by_plan(scan: Scan, result: CategoryResult, plans: Iterable[str]) -> PlanUses:
    """(day, plan, use), a request for each plan (GetSavingsPlansUtilization has no pages)."""
    client: CostExplorerClient = scan.global_client("ce")

    def read(arn: str) -> list[Any]:
        only = dimension("SAVINGS_PLAN_ARN", [arn])
        answer = client.get_savings_plans_utilization(
            TimePeriod=time_period(days_kept(scan.window)[0], scan.window.end),
            Granularity="DAILY",
            Filter={"And": [own_costs(scan), only]},
        )
        return [*listed([answer], "SavingsPlansUtilizationsByTime")]

    def dated(item: Mapping[str, Any]) -> tuple[date, Mapping[str, Any]]:
        return date.fromisoformat(item["TimePeriod"]["Start"][:10]), item

    for arn, found in map_items(scan.aws, plans, read, result, fills=result.lists):
        yield from ((day, arn, item) for day, item in shaped(found or (), dated))


def in_force(row: Row, day: date) -> bool:
    """Whether what was bought held on a day, or on a part of it."""
    first, after = (midnight(one).isoformat() for one in (day, day + timedelta(days=1)))
    return bool((row["start_date"] or after) < after and (row["end_date"] or "") > first)


def days_in_force(window: Window, rows: Iterable[Row]) -> list[date]:
    """The days of the window on which anything of it was in force."""
    bought = list(rows)
    span = days_kept(window)
    return [day for day in span if any(in_force(row, day) for row in bought)]


def emit_savings(result: CategoryResult, day: date, row: Row) -> None:
    """Emit what is known of a reservation or a plan on a day."""
    dates = {"date_from": str(day), "date_to": str(day + timedelta(days=1))}
    result.emit(row | dates, day=day)


EXPECTED_ERRORS = (
    *COST_EXPLORER_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="ri_sp_savings",
    collect=get_ri_sp_savings,
    scope=GLOBAL,
    backfill=PERIOD,
    switch="reserved_capacity",
    actions=(
        "ec2:DescribeReservedInstances",
        "rds:DescribeReservedDBInstances",
        "savingsplans:DescribeSavingsPlans",
        "ce:GetReservationUtilization",
        "ce:GetSavingsPlansUtilization",
        "ce:GetSavingsPlansUtilizationDetails",
    ),
    resources={
        "rds:DescribeReservedDBInstances": (
            "rds:*:${AWS::AccountId}:db:*",
            "rds:*:${AWS::AccountId}:ri:*",
        ),
    },
    probes=(
        Probe("savingsplans:DescribeSavingsPlans", {"maxResults": 1}),
        Probe("ec2:DescribeReservedInstances"),
        Probe("rds:DescribeReservedDBInstances", {"MaxRecords": 20}),
    ),
    expected_errors=EXPECTED_ERRORS,
)
