"""The datasets: each groups one view of schema.sql, so that a chart's answer stays small.

Views with personal data (email addresses, support cases) are not used. Names of columns are those
of the views, but for `account` and `customer`.
"""

from __future__ import annotations

from dashboards.superset.model import Column, Dataset, day, number, text

CURRENCY = text("currency", 10)
COUNT = number("count(*)")
REGION = text("coalesce(region, 'global')", 40)
SEVERITY = {
    "severity": text("coalesce(severity, 'UNRATED')", 20),
}
STILL_THERE = (
    "NOT EXISTS (SELECT FROM expected_accounts e"
    " WHERE e.account_id = freshness.account_id AND e.gone_at IS NOT NULL)"
)
"""Accounts that have left the organization are not late."""

COSTS = Dataset(
    "costs per day",
    "daily_costs",
    "Cost of an account for a service on a day, of 60 days",
    {"day": day(), "service": text("service", 80), "currency": CURRENCY},
    {
        "unblended_cost": number("sum(unblended_cost)"),
        "amortized_cost": number("sum(coalesce(amortized_cost, unblended_cost))"),
    },
    where="day > current_date - 60",
)

MONTH = Dataset(
    "costs of the month",
    "month_to_date_costs",
    "Cost of an account in the month of its newest day of costs, and what is expected",
    {"month": day("month"), "last_day": day("last_day"), "currency": CURRENCY},
    {
        "unblended_cost": number("sum(unblended_cost)"),
        "forecast_cost": number("sum(forecast_cost)"),
        "expected_cost": number("sum(expected_cost)"),
    },
)

WEEKS = Dataset(
    "costs week over week",
    "weekly_cost_changes",
    "Cost of an account for a service in its newest seven days of costs, and in the seven before",
    {"service": text("service", 80), "currency": CURRENCY},
    {
        "unblended_cost": number("sum(unblended_cost)"),
        "previous_cost": number(
            "coalesce(sum(previous_cost) FILTER (WHERE difference IS NOT NULL), 0)"
        ),
        "difference": number("coalesce(sum(difference), 0)"),
    },
)

SAVINGS = Dataset(
    "savings",
    "savings_opportunities",
    "What could be saved a month. Sources overlap: do not add them up",
    {
        "source": text("source", 40),
        "resource_type": text("coalesce(resource_type, 'other')", 80),
        "resource": text("coalesce(resource_name, resource_id)"),
        "finding": text("finding"),
        "recommendation": text("recommendation"),
        "currency": CURRENCY,
    },
    {"monthly_savings": number("sum(monthly_savings)"), "opportunities": COUNT},
    where="coalesce(monthly_savings > 0, true)",
)

FINDINGS = Dataset(
    "open findings",
    "open_findings",
    "Open findings of an account with one title",
    {
        **SEVERITY,
        "severity_level": Column("coalesce(severity_level, 0)", "INTEGER"),
        "source": text("source", 40),
        "title": text("coalesce(title, finding_id)"),
        "resource_type": text("coalesce(resource_type, 'not known')", 80),
        "fix_available": text("coalesce(fix_available, 'not known')", 20),
        "region": REGION,
    },
    {"findings": COUNT, "age_days": number("max(age_days)")},
)

FIXED = Dataset(
    "fixed findings",
    "fixed_findings",
    "Findings that were fixed on a day, of 60 days, and how long that took",
    {"day": day("CAST(fixed_at AS date)"), **SEVERITY, "source": text("source", 40)},
    {"findings": COUNT, "days_to_fix": number("sum(days_to_fix)")},
    where="fixed_at > current_date - 60",
)

COMPLIANCE = Dataset(
    "compliance per day",
    "daily_compliance",
    "How far an account complied with its AWS Config rules on a day, of 60 days",
    {"day": day(), "region": REGION},
    {
        "compliant_rules": number("sum(compliant_rules)"),
        "non_compliant_rules": number("sum(non_compliant_rules)"),
        "non_compliant_resources": number("sum(non_compliant_resources)"),
    },
    where="day > current_date - 60",
)

RULES = Dataset(
    "rules that do not comply",
    "non_compliant_rules",
    "AWS Config rules that resources of an account break now",
    {"rule_name": text("rule_name"), "region": REGION},
    {"non_compliant_resources": number("sum(non_compliant_resources)")},
)

HYGIENE = Dataset(
    "hygiene",
    "security_hygiene",
    "Keys, secrets, trails, web ACLs and certificates that are not as they should be",
    {
        "problem": text("problem", 80),
        "resource": text("coalesce(resource_name, resource_id)"),
        "region": REGION,
    },
    {"resources": COUNT},
)

PATCHES = Dataset(
    "missing patches",
    "missing_patches",
    "Patches that are not in effect on the machines of an account",
    {
        "severity": text("coalesce(severity, 'Unspecified')", 40),
        "state": text("state", 40),
        "platform": text("concat_ws(' ', platform, platform_version)", 80),
        "title": text("coalesce(title, kb_id)"),
        "region": REGION,
    },
    {"patches": COUNT, "machines": number("count(DISTINCT instance_id)")},
)

COMING = Dataset(
    "upcoming events",
    "upcoming_events",
    "Certificates that expire, keys that are deleted, AWS Health events, reservations that end",
    {
        "event": text("event", 40),
        "due": day("CAST(due_at AS date)"),
        "resource": text("coalesce(resource_name, resource_id)"),
        "detail": text("coalesce(detail, '')"),
        "region": REGION,
    },
    {"events": COUNT, "days_left": number("min(days_left)")},
)

MEASURES = Dataset(
    "measures per day",
    "daily_measures",
    "How much of something an account had on a day, of 60 days. An account that told nothing that"
    " day is missing in it",
    {
        "day": day(),
        "measure": text("measure", 40),
        "dimension": text("dimension", 80),
        "region": REGION,
    },
    {"value": number("sum(value)")},
    where="day > current_date - 60",
)

RESOURCES = Dataset(
    "resources",
    "existing_resources",
    "Resources of one kind in an account",
    {
        "resource_type": text("resource_type", 80),
        "region": REGION,
        "state": text("coalesce(state, '')", 40),
        "instance_type": text("coalesce(instance_type, '')", 40),
        "engine": text("coalesce(engine, '')", 40),
        "volume_type": text("coalesce(volume_type, '')", 40),
    },
    {"resources": COUNT, "size_gb": number("coalesce(sum(size_gb), 0)")},
)

CHANGES = Dataset(
    "changes",
    "recent_changes",
    "Changes of an account that documents of a day brought, of 30 days",
    {
        "day": day("CAST(collected_at AS date)"),
        "table_name": text("table_name", 63),
        "change": text("change", 20),
    },
    {"changes": COUNT},
    where="collected_at > current_date - 30",
)

CHANGED_RESOURCES = Dataset(
    "changed resources",
    "recent_changes",
    "Resources that are new, gone or otherwise than before, of 30 days",
    {
        "day": day("CAST(collected_at AS date)"),
        "change": text("change", 20),
        "resource": text("name"),
        "changed_columns": text("coalesce(changed_columns, '')"),
    },
    {"changes": COUNT},
    where="collected_at > current_date - 30"
    " AND table_name IN ('service_resources', 'config_inventory')",
)

DELIVERY = Dataset(
    "delivery",
    "freshness",
    "How well an account and region delivers. never: no document; silent: none for two days;"
    " failing: a category fails; incomplete: no complete document for two days",
    {
        "region": text("coalesce(region, 'none')", 40),
        "state": Column(
            "CASE WHEN last_document_at IS NULL THEN 'never'"
            " WHEN last_document_at < now() - interval '2 days' THEN 'silent'"
            " WHEN failing_since <> '{}' THEN 'failing'"
            " WHEN last_complete_at IS NULL OR last_complete_at < now() - interval '2 days'"
            " THEN 'incomplete' ELSE 'complete' END"
        ),
        "last_document": day("CAST(last_document_at AS date)"),
        "last_complete": day("CAST(last_complete_at AS date)"),
    },
    {"deliveries": COUNT, "hours_since_complete": number("max(hours_since_complete)")},
    where=STILL_THERE,
)

FAILURES = Dataset(
    "failing categories",
    "freshness",
    "A category that fails in an account and region, and since when",
    {
        "region": text("coalesce(region, 'none')", 40),
        "category": text("failing.key", 40),
        "since": day("CAST(left(failing.value, 10) AS date)"),
    },
    {"days": number("max(current_date - CAST(left(failing.value, 10) AS date))")},
    joined=" CROSS JOIN LATERAL jsonb_each_text(failing_since) failing",
    where=STILL_THERE,
)

STATUSES = Dataset(
    "statuses per day",
    "document_statuses",
    "What became of a category in the documents that were collected on a day, of 14 days",
    {
        "day": day("CAST(collected_at AS date)"),
        "category": text("category.key", 40),
        "status": text("category.value", 20),
    },
    {"documents": COUNT},
    joined=" CROSS JOIN LATERAL jsonb_each_text(statuses) category",
    where="collected_at > current_date - 14 AND category.value IN ('Pass', 'Fail', 'Skipped')",
)

DATASETS = (
    COSTS, MONTH, WEEKS, SAVINGS, FINDINGS, FIXED, COMPLIANCE, RULES, HYGIENE, PATCHES, COMING,
    MEASURES, RESOURCES, CHANGES, CHANGED_RESOURCES, DELIVERY, FAILURES, STATUSES,
)  # fmt: skip
