"""Platform: what exists, what changes, and whether the data is whole. For those who run it."""

from __future__ import annotations

from dashboards.superset.charts import bars, share, table, total, trend
from dashboards.superset.datasets import (
    CHANGED_RESOURCES,
    CHANGES,
    COMING,
    DELIVERY,
    FAILURES,
    MEASURES,
    RESOURCES,
    STATUSES,
)
from dashboards.superset.model import Dashboard, Metric

EXISTING = Metric("Resources", "SUM(resources)")
SIZE = Metric("GiB", "SUM(size_gb)")
CHANGED = Metric("Changes", "SUM(changes)")
NEWEST = Metric("Newest", "MAX(day)")
VALUE = Metric("Resources", "SUM(value)")
LEFT = Metric("Days left", "MIN(days_left)")
EVENTS = Metric("Events", "SUM(events)")
HOURS = Metric("Hours since complete", "MAX(hours_since_complete)")
SINCE = Metric("Days", "MAX(days)")
ACCOUNTS = Metric("Accounts", "COUNT(DISTINCT account)")
DOCUMENTS = Metric("Documents", "SUM(documents)")

BEHIND = "state <> 'complete'"

KINDS = tuple(
    Metric(kind, f"SUM(changes) FILTER (WHERE change = '{kind}')")
    for kind in ("created", "updated", "gone", "returned")
)
COLORS = {
    "created": "#3f9c6b", "updated": "#5b9bd5", "gone": "#a9b8c6", "returned": "#f2a33a",
    "Pass": "#3f9c6b", "Skipped": "#a9b8c6", "Fail": "#a3123f", "complete": "#3f9c6b",
    "incomplete": "#f2a33a", "failing": "#e04f3f", "silent": "#a3123f", "never": "#7f7f7f",
}  # fmt: skip

DASHBOARD = Dashboard(
    "Platform",
    "platform",
    "What exists, what changes, and whether the data is whole",
    (
        (
            (total("Accounts", DELIVERY, ACCOUNTS.sql, "known"), 3),
            (total("Behind", DELIVERY, ACCOUNTS.sql, "not complete", where=BEHIND), 3),
            (total("Resources", RESOURCES, EXISTING.sql, "that exist"), 3),
            (total("Changes", CHANGES, CHANGED.sql, "in 30 days"), 3),
        ),
        (
            (share("Delivery of accounts", DELIVERY, ACCOUNTS, "state"), 4),
            (
                table(
                    "Delivery by region", DELIVERY,
                    ("account", "region", "state", "last_document", "last_complete"), HOURS,
                ),
                8,
            ),
        ),
        (
            (table("Categories that fail", FAILURES, ("account", "category", "since"), SINCE), 6),
            (trend("Categories per day by status", STATUSES, DOCUMENTS, by="status"), 6),
        ),
        (
            (bars("Resources by type", RESOURCES, "resource_type", EXISTING), 6),
            (bars("Resources by account", RESOURCES, "account", EXISTING), 6),
        ),
        (
            (
                trend(
                    "Resources per day", MEASURES, VALUE, by="dimension", kind="area",
                    where="measure = 'resources'",
                ),
                6,
            ),
            (trend("Changes per day", CHANGES, CHANGED, by="change"), 6),
        ),
        (
            (
                bars(
                    "Instance types and classes", RESOURCES, "instance_type", EXISTING,
                    where="instance_type <> ''",
                ),
                4,
            ),
            (
                share(
                    "Engines and runtimes", RESOURCES, EXISTING, "engine", where="engine <> ''"
                ),
                4,
            ),
            (bars("Volumes", RESOURCES, "volume_type", SIZE, where="volume_type <> ''"), 4),
        ),
        (
            (
                table(
                    "Changed resources", CHANGED_RESOURCES,
                    ("account", "change", "resource", "changed_columns"), NEWEST, CHANGED,
                ),
                7,
            ),
            (bars("Changes by table", CHANGES, "table_name", *KINDS, order=CHANGED), 5),
        ),
        (
            (
                table(
                    "What will happen", COMING, ("due", "event", "account", "resource", "detail"),
                    LEFT, EVENTS, ascending=True,
                ),
                12,
            ),
        ),
    ),
    {
        "Account": (DELIVERY, "account"),
        "Customer": (DELIVERY, "customer"),
        "Region": (DELIVERY, "region"),
    },
    COLORS,
)  # fmt: skip
