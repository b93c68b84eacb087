"""Costs of Cost Explorer, per day, service and usage type."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from observability.aws.errors import (
    NO_VALUE,
    NOT_YET,
    OFF,
    TOO_OLD,
    ExpectedError,
    NothingToRead,
    SharedReadUnavailable,
    aws_errors,
)
from observability.aws.pages import tokens
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.collecting.shared import SharedReads
from observability.collecting.spool import SpooledRows
from observability.collecting.window import Window
from observability.dates import days
from observability.rows import Reject, Row, RowMapper, get_path, listed, shaped

if TYPE_CHECKING:
    from mypy_boto3_ce import CostExplorerClient
    from mypy_boto3_ce.literals import DimensionType, GranularityType, GroupDefinitionTypeType
    from mypy_boto3_ce.type_defs import DateIntervalTypeDef, ExpressionTypeDef


service_row = RowMapper(
    service="Keys.0", usage_types="Keys.1", cost="Metrics.UnblendedCost.Amount",
    amortized_cost="Metrics.AmortizedCost.Amount", currency="Metrics.UnblendedCost.Unit",
    utilization="Metrics.UsageQuantity.Amount",
    utilization_unit="Metrics.UsageQuantity.Unit",
)  # fmt: skip


def time_period(start: date, end: date) -> DateIntervalTypeDef:
    """A half open period as Cost Explorer wants it."""
    return {"Start": str(start), "End": str(end)}


def dimension(key: DimensionType, values: Sequence[str]) -> ExpressionTypeDef:
    """Cost Explorer's filter by the values of a dimension."""
    return {"Dimensions": {"Key": key, "Values": values}}


def own_costs(scan: Scan) -> ExpressionTypeDef:
    """Cost Explorer's filter for this account: a payer would see all of its members."""
    return dimension("LINKED_ACCOUNT", [scan.account])


class Costs(NamedTuple):
    """Costs per day, service and usage type, and the first day of which they are known."""

    rows: SpooledRows
    first: date


def read_costs(scan: Scan) -> Costs:
    """Costs per day, service and usage type, of the window and the day before it.

    The one GetCostAndUsage query of a run, whatever the number of days (each page costs $0.01):
    totals, previous period, top services, `service` and marketplace products come out of it.
    In a run over several accounts it may be their payer's query that serves all of them.
    NothingToRead if all days are too old.
    """
    shared, first = scan.run.shared, first_day(scan.window)
    if shared and cost_days(shared.window) == cost_days(scan.window):  # no days were missed
        found = shared.once("costs", None, shared_costs) or {}
        if scan.account in found:
            return Costs(found.pop(scan.account), first)  # which wants them once
    while True:
        try:
            return Costs(own_rows(scan, first), first)
        except aws_errors() as error:
            later = later_day(error, first, scan.window)
            if later is None:
                raise
            first = later


def own_rows(scan: Scan, first: date) -> SpooledRows:
    """Costs from a day on to the end of the window, as the account reads them itself."""
    rows = SpooledRows(scan.store)
    client: CostExplorerClient = scan.global_client("ce")
    period, grouped = time_period(first, scan.window.end), ("SERVICE", "USAGE_TYPE")
    groups = cost_groups(client, period, grouped, own_costs(scan), reject=rows.reject)
    for row in shaped(groups, whole_row, rows.reject):
        rows.add(row)
    return rows


def whole_row(found: tuple[Row, Mapping[str, Any]]) -> Row:
    """The row of a group of costs; ValueError of one that names nothing or has no amount."""
    row = service_row(found[1], **found[0])
    if None in (row["service"], row["usage_types"], row["cost"]):
        raise ValueError("it has no service, usage type or cost")
    return row


MONTHS_KEPT = 13
"""Full months before the current one of which Cost Explorer has daily costs.
https://docs.aws.amazon.com/cost-management/latest/userguide/ce-advanced-cost-analysis.html
"""


def first_day_kept() -> date:
    """The first day of which Cost Explorer has costs."""
    return months_ago(MONTHS_KEPT)


def months_ago(number: int) -> date:
    """The first day of the month so many months before the current one."""
    today = datetime.now(UTC).date()
    months = today.year * 12 + today.month - 1 - number
    return date(months // 12, months % 12 + 1, 1)


TOO_EARLY = r"(?i)(?:past|beyond|last) (?:the )?(?:past )?(\d+) months"
"""What Cost Explorer says of a day before those that it keeps. China's has 12 months, not 14:
https://docs.amazonaws.cn/en_us/aws/latest/userguide/billing-and-payment.html
"""


def later_day(error: Exception, first: date, window: Window) -> date | None:
    """From when on to ask again, if an error says that Cost Explorer keeps nothing so old.

    None if it does not, or if it keeps no day of the window.
    """
    refusal = get_path(getattr(error, "response", None), "Error") or {}
    early = re.search(TOO_EARLY, refusal.get("Message", ""))
    if refusal.get("Code") != "ValidationException" or not early:
        return None
    if first < window.costs_from:
        return window.costs_from  # the day before was for the comparison only
    kept = months_ago(int(early[1]) - 1)
    later = kept if kept > first else (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    return later if later < window.end else None


def days_told(window: Window, first: date, result: CategoryResult) -> list[date]:
    """The days of the window of which costs are known, from `first` on.

    Others are said; nothing must be taken for gone on them.
    """
    found = [day for day in days_kept(window) if day >= first]
    if found[0] > window.costs_from:
        result.note(f"days before {found[0]} are left out: Cost Explorer keeps nothing so old")
        result.unread.update(result.lists)
    return found


def days_kept(window: Window) -> list[date]:
    """The days of a window of which there may be costs; nobody knows those of older ones.

    NothingToRead if that is none.
    """
    found = days(max(window.costs_from, first_day_kept()), window.end)
    if not found:
        raise NothingToRead(f"Cost Explorer keeps costs from {first_day_kept()} on")
    return found


def first_day(window: Window) -> date:
    """The first day whose costs are read: the one before the window's, if it is kept."""
    return max(days_kept(window)[0] - timedelta(days=1), first_day_kept())


def cost_days(window: Window) -> DateIntervalTypeDef:
    """The days whose costs are read: the window's, and the day before it."""
    return time_period(first_day(window), window.end)


def cost_groups(
    client: CostExplorerClient,
    period: DateIntervalTypeDef,
    keys: tuple[str, ...],
    only: ExpressionTypeDef,
    granularity: GranularityType = "DAILY",
    reject: Reject | None = None,
    kind: GroupDefinitionTypeType = "DIMENSION",
) -> Iterator[tuple[Row, Mapping[str, Any]]]:
    """(dates, group) of costs by dimensions, of which AWS takes two, or a tag (GetCostAndUsage)."""
    for page in tokens(
        lambda **token: client.get_cost_and_usage(
            TimePeriod=period,
            Granularity=granularity,
            Metrics=["UnblendedCost", "AmortizedCost", "UsageQuantity"],
            GroupBy=[{"Type": kind, "Key": key} for key in keys],
            Filter=only,
            **token,
        ),
        "NextPageToken",
    ):
        for day in listed([page], "ResultsByTime", "TimePeriod", reject):
            first, after = (day["TimePeriod"][name][:10] for name in ("Start", "End"))
            for group in day.get("Groups", ()):
                yield {"date_from": first, "date_to": after}, group


def shared_costs(shared: SharedReads) -> dict[str, SpooledRows]:
    """The costs of each account by service, usage type and day, read by their payer.

    AWS groups by two dimensions, and three are wanted. So one query tells which services a usage
    type is used by. Where that is one service, as for most, account and usage type say it all, in
    a second query; the usage types that several services have are asked for by service.
    SharedReadUnavailable if the accounts' own queries are not more than that.
    """
    caller, days_read = shared.caller, cost_days(shared.window)
    if shared.payer() != caller.account:
        raise SharedReadUnavailable("the caller is not their payer")
    client: CostExplorerClient = caller.client("ce", caller.global_region)
    among = dimension("LINKED_ACCOUNT", shared.accounts)
    services: dict[str, set[str]] = collections.defaultdict(set)
    pairs = cost_groups(client, days_read, ("SERVICE", "USAGE_TYPE"), among, "MONTHLY")
    for service, usage_type in (group["Keys"] for _, group in pairs):
        services[usage_type].add(service)
    queries = shared_queries(among, services)
    if 1 + len(queries) > len(shared.accounts):
        raise SharedReadUnavailable("that takes no more requests")
    rows = shared.spools(shared.accounts)
    grouped = ("LINKED_ACCOUNT", "USAGE_TYPE")
    for service, only in queries.items():
        for dates, group in cost_groups(client, days_read, grouped, only):
            account, usage_type = group["Keys"]
            keys = [service or only_service(services, usage_type), usage_type]
            rows[account].add(service_row({**group, "Keys": keys}, **dates))
    for spool in rows.values():
        spool.flush()
    # An account that is named may have another payer, and then has nothing here.
    known = {name for name in rows if shared.settings.organization or rows[name].count}
    shared.caller.log.log_once(f"costs of {len(known)} accounts are read at once by their payer")
    return {name: rows[name] for name in known}


def shared_queries(
    among: ExpressionTypeDef, services: Mapping[str, set[str]]
) -> dict[str, ExpressionTypeDef]:
    """Filters by service: of all usage types of a single service (""), then of the other ones."""
    mixed = sorted(usage_type for usage_type, named in services.items() if len(named) > 1)
    if not mixed:
        return {"": among}
    several = sorted({service for usage_type in mixed for service in services[usage_type]})
    by_type = dimension("USAGE_TYPE", mixed)
    queries: dict[str, ExpressionTypeDef] = {"": {"And": [among, {"Not": by_type}]}}
    for service in several:
        queries[service] = {"And": [among, dimension("SERVICE", [service]), by_type]}
    return queries


def only_service(services: Mapping[str, set[str]], usage_type: str) -> str:
    """The service that a usage type belongs to, as the query before has told."""
    found = services.get(usage_type, set())
    if len(found) != 1:
        raise SharedReadUnavailable("costs have changed while they were read")
    return next(iter(found))


def last_week(scan: Scan) -> Row:
    """The parameters of a probe: the cheapest question about the past ($0.01)."""
    end = scan.window.until.date()
    period = time_period(end - timedelta(days=7), end)
    return {"TimePeriod": period, "Granularity": "MONTHLY", "Metrics": ["UnblendedCost"]}


NO_COST_EXPLORER = "Cost Explorer is not enabled"

COST_EXPLORER_ERRORS = (
    ExpectedError("ce:GetReservationUtilization", "DataUnavailableException", NO_VALUE),
    ExpectedError("ce:GetSavingsPlansUtilization", "DataUnavailableException", NO_VALUE),
    ExpectedError("ce:GetSavingsPlansUtilizationDetails", "DataUnavailableException", NO_VALUE),
    ExpectedError(
        "ce", "AccessDeniedException", OFF, NO_COST_EXPLORER, "not enabled for cost explorer"
    ),
    ExpectedError(
        "ce", "AccessDeniedException", OFF, "the payer does not let its members see it",
        "Linked account doesn't have access to",
    ),
    ExpectedError(
        "ce", "ValidationException", TOO_OLD, "Cost Explorer keeps nothing so old", TOO_EARLY
    ),
    ExpectedError(
        "ce", "DataUnavailableException", NOT_YET, "Cost Explorer has no data for this yet"
    ),
)  # fmt: skip
