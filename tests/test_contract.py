"""Names and types that others rely on: functions, tables, columns, other people's SQL."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

import receiver
import sender
from observability.sending.permissions import AWSBoto3Permissions
from tests import documents
from tests.loaders.tables import TABLES
from tests.loading import Loaded

# Names that others rely on

SENDER_NAMES = (
    "AWSBoto3Permissions", "get_account_details", "get_cost", "get_services", "get_security",
    "get_security_hub", "get_guard_duty_security", "get_kms_security", "get_waf_security",
    "get_cloudtrail_security", "get_secrets_security", "get_certificate_security",
    "get_inspector", "get_config", "get_inventory", "get_patch_details", "get_marketplace",
    "get_trusted_advisor", "get_health", "get_application_signals", "get_resilience_hub_apps",
    "get_compute_optimizer", "get_services_resources", "get_config_resource_inventory",
    "get_support_tickets", "set_log", "upload_to_s3", "lambda_handler",
)  # fmt: skip

RECEIVER_NAMES = (
    "S3Manager", "DBManager", "load_account_data", "load_cost_data", "load_service_data",
    "load_security_data", "load_config_data", "load_inventory_data", "load_marketplace_data",
    "load_trusted_advisor_data", "load_health_data", "load_application_data",
    "load_resilience_hub_data", "load_compute_optimizer_data", "load_service_resources_data",
    "load_config_inventory_data", "load_support_tickets_data", "load_logs_data",
    "process_file_data", "validate_data_structure", "lambda_handler",
)  # fmt: skip

COLUMNS: Mapping[str, str] = {
    "accounts": "account_id account_name account_email account_status account_arn partner_name "
    "customer_name joined_method joined_timestamp account_type csp region category updated_at",
    "contact_info": "account_id address_line1 address_line2 address_line3 city country_code "
    "postal_code state_or_region company_name phone_number website_url full_name updated_at",
    "alternate_contacts": "account_id contact_type full_name title email phone_number updated_at",
    "products": "name owner position description updated_at",
    "product_accounts": "product_id account_id updated_at",
    "services": "account_id service date_from date_to cost currency utilization utilization_unit "
    "usage_types updated_at",
    "ri_sp_daily_savings": "account_id date_from date_to reservation_type subscription_id "
    "offering_id savings_plan_arn service instance_type instance_count instance_family "
    "instance_tenancy offering_class product_types region utilization_percentage on_demand_cost "
    "reservation_cost net_savings commitment upfront_cost recurring_cost recurring_frequency "
    "usage_price currency start_date end_date returnable_until duration_seconds offering_type "
    "state description updated_at",
    "cost_reports": "account_id current_period_cost previous_period_cost cost_difference "
    "cost_difference_percentage potential_monthly_savings anomalies_detected "
    "saving_opportunities_count period_start period_end period_granularity region",
    "service_costs": "cost_report_id service_name cost region",
    "cost_forecasts": "cost_report_id period_start period_end amount "
    "prediction_interval_lower_bound prediction_interval_upper_bound region",
    "security": "account_id service total_findings critical_count high_count medium_count "
    "low_count informational_count open_findings resolved_findings updated_at",
    "findings": "account_id security_id finding_id service title description severity status "
    "resource_type resource_id updated_at recommendation compliance_status region "
    "workflow_state record_state product_name company_name product_arn generator_id generator",
    "guard_duty_findings": "account_id detector_id finding_id finding_type severity title "
    "description confidence region updated_at",
    "kms_keys": "account_id key_id arn description key_usage key_state creation_date enabled "
    "key_rotation_enabled",
    "waf_rules": "account_id name waf_id arn scope description default_action rules_count "
    "logging_enabled geo_blocking_enabled blocked_countries",
    "waf_rules_detailed": "account_id web_acl_name rule_name priority action statement_type "
    "is_managed_rule is_custom_rule rate_limit logging_enabled geo_blocking sql_injection "
    "sample_request_enabled cloudwatch_enabled has_xss_protection waf_version is_compliant scope "
    "updated_at",
    "cloudtrail_logs": "account_id name arn is_logging is_multi_region s3_bucket kms_key_id "
    "log_file_validation latest_delivery_time",
    "secrets_manager_secrets": "account_id name arn description created_date last_changed_date "
    "rotation_enabled",
    "certificates": "account_id arn domain_name status type not_after",
    "inspector_findings": "account_id finding_arn severity status type title description "
    "first_observed_at",
    "config_reports": "account_id date_from date_to compliance_score total_rules compliant_rules "
    "non_compliant_rules curr_non_compliant curr_compliant",
    "non_compliant_resources": "account_id config_report_id resource_type resource_id "
    "compliance_type rule_name annotation evaluation_mode conformance_pack status",
    "inventory_instances": "account_id instance_id instance_type platform ip_address "
    "computer_name ping_status last_ping_date_time agent_version platform_type platform_version "
    "is_latest_version association_status association_execution_date association_success_date",
    "inventory_applications": "account_id instance_id name version publisher architecture "
    "application_type install_time",
    "inventory_patches": "account_id instance_id title classification severity state "
    "installed_time",
    "marketplace_usage": "account_id product_code product_name cost_consumed currency "
    "period_start period_end status",
    "trusted_advisor_checks": "account_id check_name category severity recommendation "
    "affected_resources_count potential_savings timestamp",
    "health_events": "account_id arn service event_type_code region start_time end_time "
    "status_code",
    "application_signals": "account_id service_name namespace key_attributes",
    "resilience_hub_apps": "account_id app_arn name compliance_status resiliency_score status "
    "cost description creation_time last_assessment_time rpo rto last_drill",
    "compute_optimizer": "account_id resource_type resource_arn resource_name finding "
    "current_instance_type current_memory_size current_volume_type current_volume_size "
    "recommended_instance_type recommended_memory_size recommended_volume_type "
    "recommended_volume_size savings_opportunity_percentage estimated_monthly_savings_usd "
    "performance_risk cpu_utilization_max memory_utilization_avg migration_effort",
    "service_resources": "account_id service_name resource_type resource_id resource_name region "
    "availability_zone state instance_type vpc_id engine instance_class multi_az size_gb "
    "volume_type creation_date type scheme instance_count min_size max_size available_ip_count",
    "config_inventory": "account_id resource_type resource_subtype resource_id resource_name "
    "region availability_zone state instance_type vpc_id engine instance_class multi_az size_gb "
    "volume_type creation_date type scheme instance_count min_size max_size available_ip_count "
    "updated_at",
    "support_tickets": "account_id case_id display_id subject status severity_code service_code "
    "category_code time_created submitted_by language date_from date_to updated_at",
    "logs": "account_id date_created updated_at "
    + " ".join(f"{category}_status" for category in documents.CATEGORIES),
    "log_messages": "log_id message message_type",
}
"""The tables and columns that are named, beside `id` and `created_at`, which all tables have."""


def test_the_functions_that_the_system_names_exist() -> None:
    assert [name for name in SENDER_NAMES if not callable(getattr(sender, name, None))] == []
    assert [name for name in RECEIVER_NAMES if not callable(getattr(receiver, name, None))] == []
    assert callable(AWSBoto3Permissions.test)


def test_the_columns_that_the_contract_names_exist(loaded: Loaded) -> None:
    found = {(row["table_name"], row["column_name"]) for row in loaded.columns()}
    named = {
        (table, column)
        for table, columns in COLUMNS.items()
        for column in ("id", "created_at", *columns.split())
    }
    assert named - found == set()


def test_types_are_as_wide_as_the_contract_has_them(loaded: Loaded) -> None:
    found = loaded.query(
        """SELECT table_name::text || '.' || column_name::text AS name, data_type::text AS type,
                  character_maximum_length AS length, numeric_precision AS digits,
                  numeric_scale AS scale
           FROM information_schema.columns JOIN information_schema.tables
                USING (table_schema, table_name)
           WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"""
    )
    types = {row["name"]: row for row in found}
    short = {name for name, row in types.items() if row["length"]}
    assert short == {
        "accounts.account_id",
        "account_tags.account_id",
        "expected_accounts.account_id",
    }
    assert types["accounts.account_id"]["length"] == 12
    cost = types["services.cost"]
    assert (cost["type"], cost["digits"], cost["scale"]) == ("numeric", 20, 10)
    narrow = [
        name
        for name, row in types.items()
        if row["type"] in ("timestamp without time zone", "real", "double precision", "money")
    ]
    assert narrow == []
    labels = loaded.query("SELECT unnest(enum_range(NULL::period_granularity_type))::text AS label")
    assert [row["label"] for row in labels] == ["MONTHLY", "WEEKLY", "DAILY"]


# Other people's SQL

ALIASES = (
    "account", "account_region", "account_name", "account_type", "account_category",
    "account_status", "account_partner", "account_customer", "account_full",
    "project_product_name",
)  # fmt: skip

GIVEN = {
    "accounts": {"account_name", "account_type", "account_status"},
    "logs": {"account_status"},
    "services": {"date_from", "date_to"},
    "ri_sp_daily_savings": {"date_from", "date_to"},
    "config_reports": {"date_from", "date_to"},
    "support_tickets": {"date_from", "date_to"},
}
"""Names of other people's aliases that the contract's own tables have."""

DASHBOARD = """CREATE VIEW {view} AS
SELECT t.*, a.account_id AS account, a.region AS account_region, a.account_name, a.account_type,
       a.category AS account_category, {status} a.partner_name AS account_partner,
       a.customer_name AS account_customer,
       a.account_name || ' (' || a.account_id || ')' AS account_full,
       p.name AS project_product_name {days}
FROM {table} t
JOIN accounts a ON a.id = t.account_id
LEFT JOIN product_accounts pa ON pa.account_id = a.id
LEFT JOIN products p ON p.id = pa.product_id"""


BY_NUMBER = {"account_tags", "expected_accounts"}
"""What no row of accounts has: there account_id is the account's number."""


def test_views_of_other_people_can_be_made_on_every_table(loaded: Loaded) -> None:
    owned = [row["table_name"] for row in loaded.columns() if row["column_name"] == "account_id"]
    tables = sorted(set(owned) - {"accounts", *BY_NUMBER})
    assert set(TABLES.values()) - {"accounts"} <= set(tables)
    dsn = loaded.embedded.postgres.dsn_for(loaded.database)
    with psycopg.connect(dsn) as connection:
        for table in tables:
            connection.execute(dashboard(table))
            [[count]] = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(f"v_{table}"))
            ).fetchall()
            [[rows]] = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            ).fetchall()
            assert count == rows * len(("Shop", "Billing")), table
        connection.rollback()


def dashboard(table: str) -> sql.Composed:
    """The statement of such a view, which takes the dates of its table or has its own."""
    given = GIVEN.get(table, set())
    return sql.SQL(DASHBOARD).format(
        view=sql.Identifier(f"v_{table}"),
        table=sql.Identifier(table),
        status=sql.SQL("" if "account_status" in given else "a.account_status,"),
        days=sql.SQL("" if "date_from" in given else ", now() AS date_from, now() AS date_to"),
    )


def test_no_table_takes_a_name_that_other_people_use(loaded: Loaded) -> None:
    reserved = {*ALIASES, "date_from", "date_to"}
    theirs = {row["table_name"] for row in loaded.columns()} - BY_NUMBER
    taken: dict[str, set[str]] = {}
    for row in loaded.columns():
        if row["column_name"] in reserved and row["table_name"] in theirs:
            taken.setdefault(row["table_name"], set()).add(row["column_name"])
    assert taken == GIVEN
