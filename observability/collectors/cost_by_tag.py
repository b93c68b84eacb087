"""cost_by_tag: cost per day by the values of cost allocation tags."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from observability.aws.errors import NothingToRead
from observability.collecting.collector import GLOBAL, PERIOD, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import Row, RowMapper, shaped
from observability.sources.cost_explorer import (
    COST_EXPLORER_ERRORS,
    cost_groups,
    days_kept,
    last_week,
    own_costs,
    time_period,
)

if TYPE_CHECKING:
    from mypy_boto3_ce import CostExplorerClient


def tag_value(item: Any) -> str:
    """The value in a group's key, `<tag>$<value>`; nothing of what does not have the tag.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html
    """
    return str(item["Keys"][0]).partition("$")[2]


tag_cost_row = RowMapper(
    tag_value=tag_value, cost="Metrics.UnblendedCost.Amount",
    amortized_cost="Metrics.AmortizedCost.Amount", currency="Metrics.UnblendedCost.Unit",
)  # fmt: skip


def get_cost_by_tag(scan: Scan, result: CategoryResult) -> None:
    """Cost per day by the values of cost allocation tags (Cost Explorer, a request per tag).

    The payer has to make a tag a cost allocation tag: until then nothing has a value of it.
    """
    if not scan.settings.cost_tags:
        raise NothingToRead("no tag is named (--cost-tags)")
    first = days_kept(scan.window)[0]
    for tag in scan.settings.cost_tags:
        read = functools.partial(read_tag, scan, result, tag, first)
        result.try_read(read, tag, fills=result.lists)


def read_tag(scan: Scan, result: CategoryResult, tag: str, first: date) -> None:
    """Emit the costs of a tag's values, from a day on to the end of the window."""
    client: CostExplorerClient = scan.global_client("ce")
    period = time_period(first, scan.window.end)
    groups = cost_groups(client, period, (tag,), own_costs(scan), kind="TAG")
    for row in shaped(groups, functools.partial(row_of, tag)):
        result.emit(row, day=date.fromisoformat(row["day"]))


def row_of(tag: str, found: tuple[Row, Mapping[str, Any]]) -> Row:
    """A day and a value of a tag."""
    dates, group = found
    return tag_cost_row(group, tag_key=tag, day=dates["date_from"])


EXPECTED_ERRORS = (
    *COST_EXPLORER_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="cost_by_tag",
    collect=get_cost_by_tag,
    scope=GLOBAL,
    backfill=PERIOD,
    switch="cost_tags",
    actions=("ce:GetCostAndUsage",),
    probes=(Probe("ce:GetCostAndUsage", last_week),),
    expected_errors=EXPECTED_ERRORS,
)
