"""application: services that Application Signals sees."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from observability.collecting.collector import NOW, REGIONAL, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import Row, RowMapper, listed, shaped

if TYPE_CHECKING:
    from mypy_boto3_application_signals import CloudWatchApplicationSignalsClient


signals_row = RowMapper(
    service_name="KeyAttributes.Name", namespace="MetricReferences.0.Namespace",
    key_attributes="KeyAttributes",
)  # fmt: skip


def get_application_signals(scan: Scan, result: CategoryResult) -> None:
    """Services that Application Signals has seen in the last 24 hours (ListServices)."""
    client: CloudWatchApplicationSignalsClient = scan.client("application-signals")
    until = scan.window.until
    pages = client.get_paginator("list_services").paginate(
        StartTime=until - timedelta(hours=24), EndTime=until, PaginationConfig={"PageSize": 100}
    )
    services = listed(pages, "ServiceSummaries", "KeyAttributes")
    result.emit_all(shaped(services, signals_row))


def last_hour(scan: Scan) -> Row:
    """The parameters of a probe: the shortest time that Application Signals rounds to."""
    until = scan.window.until
    return {"StartTime": until - timedelta(hours=1), "EndTime": until, "MaxResults": 1}


COLLECTOR = Collector(
    category="application",
    collect=get_application_signals,
    scope=REGIONAL,
    backfill=NOW,
    actions=("application-signals:ListServices",),
    probes=(Probe("application-signals:ListServices", last_hour),),
)
