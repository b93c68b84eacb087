"""health: events that touch the account."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from observability.aws.errors import OFF, ExpectedError, SharedReadUnavailable
from observability.aws.session import Aws
from observability.collecting.collector import EVENT, GLOBAL, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.collecting.shared import SharedReads
from observability.collecting.spool import SpooledRows
from observability.dates import day_of, midnight
from observability.rows import Row, RowMapper, iso_time, listed, shaped

if TYPE_CHECKING:
    from mypy_boto3_health import HealthClient
    from mypy_boto3_health.type_defs import DateTimeRangeTypeDef, EventFilterTypeDef


event_row = RowMapper(
    arn="arn", service="service", event_type_code="eventTypeCode", region="region",
    event_type_category="eventTypeCategory", event_scope_code="eventScopeCode",
    start_time=iso_time("startTime"), end_time=iso_time("endTime"),
    last_updated_time=iso_time("lastUpdatedTime"),
    status_code="statusCode",
)  # fmt: skip


def get_health(scan: Scan, result: CategoryResult) -> None:
    """AWS Health events that affect the account (Health: DescribeEvents, kept for 90 days).

    Where the run is over an organization, its events may have been read for all accounts.
    """
    rows: Iterable[Row] | None = shared_events(scan)
    for row in read_events(scan) if rows is None else rows:
        result.emit(row, day=day_of(row["last_updated_time"]))


def read_events(scan: Scan) -> Iterator[Row]:
    """An account's events as it reads them itself."""
    client: HealthClient = scan.global_client("health")
    criteria: EventFilterTypeDef = {}
    if scan.window.since:
        criteria = {"lastUpdatedTimes": [{"from": scan.window.since, "to": scan.window.until}]}
    pages = client.get_paginator("describe_events").paginate(
        filter=criteria, PaginationConfig={"PageSize": 100}
    )
    return shaped(listed(pages, "events", "arn"), event_row)


def shared_events(scan: Scan) -> SpooledRows | None:
    """An account's events as they are read for the organization; None if they are not shared."""
    shared, window = scan.run.shared, scan.window
    if not shared or window.backfill or not shared.covers(window.since):
        return None
    rows = shared.once("Health", None, organization_events)
    return rows.pop(scan.account, None) if rows else None  # each account wants its rows once


def organization_events(shared: SharedReads) -> dict[str, SpooledRows]:
    """The events of each account that were updated, read from the organization's view.

    Health: DescribeEventsForOrganization, then DescribeAffectedAccountsForOrganization for each
    event that is not public; a public one is every account's. SharedReadUnavailable if the
    accounts' own calls are not more than that. Accounts that are named might be in another
    organization.
    """
    if not shared.settings.organization:
        raise SharedReadUnavailable("the run is not over an organization (--organization)")
    aws = shared.overseer("health")
    if not has_older_events(aws, midnight(shared.window.costs_from)):
        raise SharedReadUnavailable("the organization's view may be younger than what changed")
    public, specific = updated_events(shared, aws)
    if not public and not specific:
        raise SharedReadUnavailable("the organization's view has nothing")
    result = CategoryResult("Health", shared.result.builders)
    rows = shared.spools(shared.accounts)
    touched: Iterable[tuple[Any, list[str] | None]] = map_items(
        aws, specific, lambda event: affected_accounts(aws, event["arn"]), result
    )
    for event, accounts in itertools.chain(((event, shared.accounts) for event in public), touched):
        for account in rows.keys() & {*(accounts or ())}:
            rows[account].add(event_row(event))
    result.raise_if_incomplete()
    for spool in rows.values():
        spool.flush()
    shared.caller.log.log_once(f"Health: {aws.account} reads for {len(rows)} accounts")
    return rows


def has_older_events(aws: Aws, since: datetime) -> bool:
    """Whether the organization's view, which begins when it is turned on, had begun by then."""
    client: HealthClient = aws.client("health", aws.global_region)
    pages = client.get_paginator("describe_events_for_organization").paginate(
        filter={"lastUpdatedTime": {"to": since}}, PaginationConfig={"PageSize": 1}
    )
    return any(page.get("events") for page in itertools.islice(pages, 2))


def updated_events(shared: SharedReads, aws: Aws) -> tuple[list[Any], list[Any]]:
    """The organization's events that were updated: public ones, and those of some accounts."""
    client: HealthClient = aws.client("health", aws.global_region)
    window = shared.window
    span: DateTimeRangeTypeDef = {"from": midnight(window.costs_from), "to": window.until}
    pages = client.get_paginator("describe_events_for_organization").paginate(
        filter={"lastUpdatedTime": span}, PaginationConfig={"PageSize": 100}
    )
    found: dict[str, list[Any]] = {"PUBLIC": [], "ACCOUNT_SPECIFIC": []}
    for event in (event for page in pages for event in page.get("events", ())):
        if event.get("eventScopeCode") not in found:
            raise SharedReadUnavailable(f"AWS does not tell whom {event['arn']} is about")
        found[event["eventScopeCode"]].append(event)
        if len(found["ACCOUNT_SPECIFIC"]) >= len(shared.accounts):
            raise SharedReadUnavailable("that takes no more requests")
    return found["PUBLIC"], found["ACCOUNT_SPECIFIC"]


def affected_accounts(aws: Aws, arn: str) -> list[str]:
    """The accounts that an event is about.

    SharedReadUnavailable if AWS names none, though it is not public.
    """
    client: HealthClient = aws.client("health", aws.global_region)
    pages = client.get_paginator("describe_affected_accounts_for_organization").paginate(
        eventArn=arn, PaginationConfig={"PageSize": 100}
    )
    if not (found := [item for page in pages for item in page.get("affectedAccounts", ())]):
        raise SharedReadUnavailable(f"AWS does not tell whom {arn} is about")
    return found


PLAN = "the account's support plan does not include it"

EXPECTED_ERRORS = (
    ExpectedError("health", "SubscriptionRequiredException", OFF, PLAN),
)  # fmt: skip

COLLECTOR = Collector(
    category="health",
    collect=get_health,
    scope=GLOBAL,
    backfill=EVENT,
    actions=("health:DescribeEvents",),
    probes=(Probe("health:DescribeEvents", {"maxResults": 10}),),
    expected_errors=EXPECTED_ERRORS,
)
