"""Security: what is open, how old it is, what gets fixed. For those who have to close it."""

from __future__ import annotations

from dashboards.superset.charts import DECIMAL, bars, share, table, total, trend
from dashboards.superset.datasets import (
    COMPLIANCE,
    FINDINGS,
    FIXED,
    HYGIENE,
    MEASURES,
    PATCHES,
    RULES,
)
from dashboards.superset.model import Dashboard, Metric

OPEN = Metric("Findings", "SUM(findings)")
OLDEST = Metric("Oldest in days", "MAX(age_days)")
LEVEL = Metric("Level", "MAX(severity_level)")
DAYS = Metric("Days to fix", "SUM(days_to_fix) / NULLIF(SUM(findings), 0)")
PERCENT = Metric(
    "Percent",
    "100.0 * SUM(compliant_rules) / NULLIF(SUM(compliant_rules) + SUM(non_compliant_rules), 0)",
)
BROKEN = Metric("Resources", "SUM(non_compliant_resources)")
RESOURCES = Metric("Resources", "SUM(resources)")
MISSING = Metric("Patches", "SUM(patches)")
MACHINES = Metric("Machines", "MAX(machines)")
VALUE = Metric("Findings", "SUM(value)")

CRITICAL, HIGH = "severity = 'CRITICAL'", "severity = 'HIGH'"
SEVERE = "severity IN ('CRITICAL', 'HIGH')"
FIXABLE = "fix_available IN ('YES', 'PARTIAL')"
OF_FINDINGS = "measure = 'open_findings'"

LEVELS = (
    *(
        Metric(level, f"SUM(findings) FILTER (WHERE severity = '{level}')")
        for level in ("CRITICAL", "HIGH", "MEDIUM", "LOW")
    ),
    Metric("other", "SUM(findings) FILTER (WHERE severity_level < 2)"),
)
WEIGHT = Metric("Weight", "SUM(findings * POWER(10, severity_level))")
"""What sorts accounts: one critical finding weighs more than a few high ones."""

STATES = (
    Metric("missing", "SUM(patches) FILTER (WHERE lower(state) = 'missing')"),
    Metric("failed", "SUM(patches) FILTER (WHERE lower(state) = 'failed')"),
    Metric("other", "SUM(patches) FILTER (WHERE lower(state) NOT IN ('missing', 'failed'))"),
)
COLORS = {
    "CRITICAL": "#a3123f", "HIGH": "#e04f3f", "MEDIUM": "#f2a33a", "LOW": "#5b9bd5",
    "INFORMATIONAL": "#a9b8c6", "UNRATED": "#7f7f7f", "other": "#a9b8c6",
}  # fmt: skip

DASHBOARD = Dashboard(
    "Security",
    "security",
    "What is open, how old it is, and what gets fixed",
    (
        (
            (total("Critical", FINDINGS, OPEN.sql, "open findings", where=CRITICAL), 3),
            (total("High", FINDINGS, OPEN.sql, "open findings", where=HIGH), 3),
            (total("With a fix", FINDINGS, OPEN.sql, "open, by Inspector", where=FIXABLE), 3),
            (total("Oldest critical", FINDINGS, OLDEST.sql, "days", where=CRITICAL), 3),
        ),
        (
            (
                trend(
                    "Open findings per day", MEASURES, VALUE, by="dimension", kind="area",
                    where=OF_FINDINGS,
                ),
                6,
            ),
            (bars("Open findings by account", FINDINGS, "account", *LEVELS, order=WEIGHT), 6),
        ),
        (
            (share("By source", FINDINGS, OPEN, "source"), 4),
            (bars("By type of resource", FINDINGS, "resource_type", OPEN), 4),
            (share("By severity", FINDINGS, OPEN, "severity"), 4),
        ),
        (
            (
                table(
                    "Critical and high findings", FINDINGS,
                    ("severity", "title", "account", "source", "fix_available"),
                    LEVEL, OPEN, OLDEST, where=SEVERE,
                ),
                12,
            ),
        ),
        (
            (trend("Fixed per day", FIXED, OPEN, by="severity"), 6),
            (bars("Days to fix by severity", FIXED, "severity", DAYS, form=DECIMAL), 6),
        ),
        (
            (trend("Compliance with AWS Config rules", COMPLIANCE, PERCENT, kind="line"), 6),
            (bars("Rules that resources break", RULES, "rule_name", BROKEN), 6),
        ),
        (
            (bars("Keys, secrets, trails, certificates", HYGIENE, "problem", RESOURCES), 4),
            (table("Where", HYGIENE, ("problem", "account", "resource"), RESOURCES), 8),
        ),
        (
            (bars("Missing patches by severity", PATCHES, "severity", *STATES, order=MISSING), 6),
            (
                table(
                    "Missing patches", PATCHES, ("title", "severity", "state", "account"),
                    MISSING, MACHINES,
                ),
                6,
            ),
        ),
    ),
    {
        "Account": (MEASURES, "account"),
        "Customer": (MEASURES, "customer"),
        "Region": (MEASURES, "region"),
    },
    COLORS,
)  # fmt: skip
