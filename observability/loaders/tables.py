"""TABLES: how each table is merged, in the order of loading."""

from __future__ import annotations

from itertools import chain

from observability.database.tables import Kind, Parent, Table, snapshot

# What a report says only if its sender could read it, and which column remembers who said so.
PARTIAL_UPDATES = {
    "cost_savings": ("potential_monthly_savings", "saving_opportunities_count"),
    "cost_anomalies": ("anomalies_detected",),
}
PARTIAL_UPDATED_BY = {
    "cost_savings": "savings_document_id",
    "cost_anomalies": "anomalies_document_id",
}
REPORT_KEY = ("period_start", "period_granularity", "region")
REPORT = Parent("cost_reports", "cost_report_id", {f"report_{c}": c for c in REPORT_KEY})
INSTANCE = Parent("inventory_instances", "instance_id", {"instance_id": "instance_id"})

# In the order of loading, which is the sender's, as loading begins before all is read: parents
# before their parts; products, which accounts share, late, so that a new one is locked for
# moments only.
TABLES = {
    table.name: table
    for table in (
        Table("accounts", "account", Kind.OWNER, by_day=True, ours=("region", "csp")),
        snapshot("contact_info", "account"),
        snapshot("alternate_contacts", "account"),
        Table(
            "cost_reports",
            "cost",
            Kind.PERIOD,
            ("period_start", "period_granularity"),
            ours=(*chain.from_iterable(PARTIAL_UPDATES.values()), *PARTIAL_UPDATED_BY.values()),
        ),
        *(
            Table(
                name,
                "cost",
                Kind.OWNER,
                fields=("period_start", "period_granularity", *columns),
                stored_in="cost_reports",
            )
            for name, columns in PARTIAL_UPDATES.items()
        ),
        Table("service_costs", "cost", Kind.PART, ("cost_report_id",), REPORT),
        Table("cost_forecasts", "cost", Kind.PART, ("cost_report_id",), REPORT),
        Table("services", "service", Kind.PERIOD, ("date_from",)),
        Table("ri_sp_daily_savings", "ri_sp_savings", Kind.PERIOD, ("date_to",)),
        Table("security", "security", Kind.OWNER, fields=("service",)),
        Table(
            "findings",
            "security",
            Kind.EVENT,
            parent=Parent("security", "security_id", {"service": "service"}),
            version="updated_at",
            aws_times=("created_at", "updated_at"),
        ),
        Table(
            "guard_duty_findings",
            "security",
            Kind.EVENT,
            version="updated_at",
            aws_times=("created_at", "updated_at"),
        ),
        snapshot("kms_keys", "security"),
        snapshot("waf_rules", "security"),
        snapshot("waf_rules_detailed", "security"),
        snapshot("cloudtrail_logs", "security"),
        snapshot("secrets_manager_secrets", "security"),
        snapshot("certificates", "security"),
        Table(
            "inspector_findings",
            "security",
            Kind.EVENT,
            version="updated_at",
            aws_times=("updated_at",),
        ),
        Table("config_reports", "config", Kind.PERIOD, ("date_from",)),
        snapshot(
            "non_compliant_resources",
            "config",
            parent=Parent("config_reports", "config_report_id", {"date_from": "date_from"}),
            aws_times=("created_at",),
            gone_value=("status", "RESOLVED"),
        ),
        snapshot("inventory_instances", "inventory"),
        Table("inventory_applications", "inventory", Kind.PART, (), INSTANCE, by_day=True),
        Table("inventory_patches", "inventory", Kind.PART, (), INSTANCE, by_day=True),
        Table("marketplace_usage", "marketplace", Kind.PERIOD, ("period_start",)),
        snapshot("trusted_advisor_checks", "trusted_advisor"),
        Table("health_events", "health", Kind.EVENT, version="last_updated_time"),
        snapshot("application_signals", "application"),
        snapshot("resilience_hub_apps", "resilience_hub"),
        snapshot("compute_optimizer", "compute_optimizer"),
        snapshot("service_resources", "service_resources"),
        snapshot("config_inventory", "config_inventory"),
        Table("support_tickets", "support_tickets", Kind.EVENT),
        snapshot(
            "product_accounts",
            "account",
            parent=Parent("products", "product_id", {"name": "name"}, by_name=True),
        ),
        Table("logs", "logs", Kind.PERIOD, ("date_created",)),
        Table(
            "log_messages",
            "logs",
            Kind.PART,
            ("log_id",),
            Parent("logs", "log_id", {"date_created": "date_created"}),
        ),
    )
}
STORED = tuple(dict.fromkeys(table.stored_in or name for name, table in TABLES.items()))
"""The tables of the database that TABLES are stored in."""

AWAITED = {
    table.parent.table
    for table in TABLES.values()
    if table.parent and table.parent.table in TABLES
    if TABLES[table.parent.table].kind is Kind.OWNER
}
"""Owners whose rows are loaded as soon as they are met: those that hang on them follow."""
