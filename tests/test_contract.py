"""The contract between sender, receiver, schema and other people's SQL, held on whole accounts.

What sender.py collects of an account goes through S3 and receiver.py into PostgreSQL; there the
rows must be what the account holds, column by column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

import receiver
import sender
from observability import __version__
from observability.database.tables import Kind
from observability.loaders import TABLES as RECEIVER_TABLES
from observability.receiving.result import FileResult, FileStatus
from observability.sending.permissions import AWSBoto3Permissions
from tests import documents
from tests.cloud import Account, EmbeddedCloud, Size, generate
from tests.cloud.organization import Organization
from tests.conftest import REGIONS, MakeAccount
from tests.sending import Document, Row, lists
from tests.truth import TRUTH, Place, config_report, day_cost, forecast, same_rows
from tests.warehouse import Warehouse

HOME, OTHER = REGIONS
pytestmark = pytest.mark.xdist_group("contract")

TABLES: Mapping[str, str] = {
    "account": "accounts",
    "config": "config_reports",
    "config.non_compliant_resources": "non_compliant_resources",
    "service": "services",
    "ri_sp_savings": "ri_sp_daily_savings",
    "cost": "cost_reports",
    "security.security_hub": "findings",
    "security.guard_duty": "guard_duty_findings",
    "security.kms": "kms_keys",
    "security.waf": "waf_rules",
    "security.waf_rules": "waf_rules_detailed",
    "security.cloudtrail": "cloudtrail_logs",
    "security.secrets_manager": "secrets_manager_secrets",
    "security.certificate_manager": "certificates",
    "security.inspector": "inspector_findings",
    "inventory.instances": "inventory_instances",
    "inventory.applications": "inventory_applications",
    "inventory.patches": "inventory_patches",
    "marketplace": "marketplace_usage",
    "trusted_advisor": "trusted_advisor_checks",
    "health": "health_events",
    "application": "application_signals",
    "resilience_hub": "resilience_hub_apps",
    "service_resources": "service_resources",
    "compute_optimizer": "compute_optimizer",
    "config_inventory": "config_inventory",
    "support_tickets": "support_tickets",
}
"""The contract's table of each list of the document."""

RENAMED: Mapping[str, Mapping[str, str]] = {
    "security.guard_duty": {"id": "finding_id", "type": "finding_type"},
    "security.waf": {"id": "waf_id"},
}
"""The contract's columns that are named otherwise than the document's fields."""

OWN_TABLES = {
    "account": {"contact_info", "alternate_contacts", "product"},
    "cost": {"period", "top_services", "forecast"},
}
"""Fields that have tables of their own, or columns for their parts; see the tests of these."""


@dataclass
class Loaded:
    """An account that was collected and loaded, and the database that it is in."""

    embedded: EmbeddedCloud
    account: Account
    database: str
    documents: list[Document]
    results: list[FileResult]

    def query(self, statement: str, *values: Any) -> list[Row]:
        """The rows of a query."""
        dsn = self.embedded.postgres.dsn_for(self.database)
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def rows(self, table: str, region: str) -> list[Row]:
        """A table's rows of the account in a region, machines by AWS's names of them."""
        own = {row["column_name"] for row in self.columns() if row["table_name"] == table}
        machines = table in ("inventory_applications", "inventory_patches")
        name = "i.instance_id" if machines else "1"
        join = "JOIN inventory_instances i ON i.id = t.instance_id" if machines else ""
        found = self.query(
            f"""SELECT t.*, {name} AS machine FROM {table} t
                JOIN accounts a ON a.id = t.account_id {join}
                WHERE a.account_id = %s AND a.region = %s""",
            self.account.id,
            region,
        )
        if machines:
            found = [row | {"instance_id": row["machine"]} for row in found]
        return [{column: row[column] for column in own} for row in found]

    def columns(self) -> list[Row]:
        """(table_name, column_name) of all columns."""
        return self.query(
            """SELECT table_name::text, column_name::text FROM information_schema.columns
               JOIN information_schema.tables USING (table_schema, table_name)
               WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"""
        )

    def place(self, document: Document) -> Place:
        """Where and when a document is about."""
        held = document["meta"]
        start = datetime.fromisoformat(held["period"]["start"]).date()
        others = tuple(set(self.account.regions) - {held["region"]})
        end = start + timedelta(days=1)
        return Place(self.account, held["region"], start, end, others=others)


def collect(embedded: EmbeddedCloud, account: Account, bucket: str, *flags: str) -> int:
    """Run the sender for an account; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (embedded.environment(account.id) | {"BUCKET": bucket}).items():
            patch.setenv(name, value)
        return sender.main(flags)


def load(warehouse: Warehouse) -> list[FileResult]:
    """Load everything that waits in the bucket."""
    return receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))


def collect_and_load(
    embedded: EmbeddedCloud, account: Account, database: str, *flags: str
) -> Loaded:
    """Bring an account into a database, through a bucket of its own."""
    bucket = embedded.create_bucket()
    assert collect(embedded, account, bucket, *flags) == 0
    with pytest.MonkeyPatch.context() as patch:
        for name, value in embedded.environment(embedded.analytics.id).items():
            patch.setenv(name, value)
        results = load(Warehouse(embedded, bucket, database))
    return Loaded(embedded, account, database, documents_of(embedded, bucket), results)


def documents_of(embedded: EmbeddedCloud, bucket: str) -> list[Document]:
    """The documents that were loaded, the home region's first."""
    s3 = embedded.client("s3", embedded.analytics.id)
    keys = [held["Key"] for held in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert all(key.startswith("loaded/") for key in keys)
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
    found = [json.loads(body, parse_float=Decimal) for body in bodies]
    return sorted(found, key=lambda made: made["meta"]["region"] != HOME)


@pytest.fixture(scope="module")
def loaded(running_cloud: EmbeddedCloud, schema_database: str) -> Iterator[Loaded]:
    """A small account of an organization, two regions of it collected and loaded."""
    today = datetime.now(UTC).date()
    account = running_cloud.add(generate("288888888803", Size.small(), 7, today, REGIONS))
    running_cloud.cloud.organizations.append(Organization(account))
    database = running_cloud.create_database(template=schema_database)
    flags = ("--regions", ",".join(REGIONS), "--reserved-capacity")
    yield collect_and_load(running_cloud, account, database, *flags)
    running_cloud.data_api.release_sessions()
    running_cloud.postgres.drop_database(database)


def test_both_documents_are_loaded_as_a_whole(loaded: Loaded) -> None:
    assert [made["meta"]["region"] for made in loaded.documents] == [HOME, OTHER]
    assert [result.outcome for result in loaded.results] == [FileStatus.LOADED] * 2


# Every row, every value


@pytest.mark.parametrize("path", TRUTH)
def test_a_table_holds_what_the_account_holds(path: str, loaded: Loaded) -> None:
    truth, table = TRUTH[path], TABLES[path]
    names = RENAMED.get(path, {})
    key = [names.get(column, column) for column in truth.key]
    for document in loaded.documents:
        expected = [
            {names.get(name, name): value for name, value in row.items()}
            for row in truth.rows(loaded.place(document))
        ]
        columns = {name for row in expected for name in row}
        found = loaded.rows(table, document["meta"]["region"])
        same_rows(
            [{name: row[name] for name in columns} for row in found],
            [dict.fromkeys(columns) | row for row in expected],
            key,
        )


def test_the_account_has_a_row_per_region(loaded: Loaded) -> None:
    rows = loaded.query("SELECT * FROM accounts WHERE account_id = %s", loaded.account.id)
    assert {row["region"] for row in rows} == set(REGIONS)
    client = loaded.embedded.client("organizations", loaded.account.id)
    member = client.describe_account(AccountId=loaded.account.id)["Account"]
    for row in rows:
        assert row["account_name"] == loaded.account.name
        assert row["account_email"] == member["Email"]
        assert row["account_status"] == "ACTIVE"
        assert row["account_arn"] == member["Arn"]
        assert row["joined_method"] == member["JoinedMethod"]
        assert row["csp"] == "AWS"
        tags = [row[name] for name in ("partner_name", "customer_name", "category", "account_type")]
        assert tags == ["Example Partner", "Example Corp", "Production", "production"]


def test_contacts_are_those_of_the_account(loaded: Loaded) -> None:
    [contact] = loaded.rows("contact_info", HOME)
    told = loaded.account.items("account", "contact")[0]
    assert contact["full_name"] == told["FullName"]
    assert contact["address_line3"] == told["AddressLine3"]
    assert contact["website_url"] == told["WebsiteUrl"]
    found = [
        (row["contact_type"], row["full_name"], row["title"], row["email"], row["phone_number"])
        for row in loaded.rows("alternate_contacts", HOME)
    ]
    names = ("AlternateContactType", "Name", "Title", "EmailAddress", "PhoneNumber")
    expected = [
        [held[name] for name in names] for held in loaded.account.items("account", "alternates")
    ]
    assert sorted(found) == sorted((kind.lower(), *rest) for kind, *rest in expected)


def test_costs_are_exact_to_the_last_digit(loaded: Loaded) -> None:
    home = loaded.place(loaded.documents[0])
    reports = {row["period_start"]: row for row in loaded.rows("cost_reports", HOME)}
    assert reports.keys() == set(home.cost_days)
    assert not loaded.rows("cost_reports", OTHER)
    for day, report in reports.items():
        costs, before = (
            day_cost(loaded.account, day),
            day_cost(loaded.account, day - timedelta(days=1)),
        )
        current, previous = sum(costs.values(), Decimal()), sum(before.values(), Decimal())
        assert report["current_period_cost"] == current
        assert report["previous_period_cost"] == previous
        assert report["cost_difference"] == current - previous
        assert (report["period_end"], report["period_granularity"]) == (
            day + timedelta(days=1),
            "DAILY",
        )
        assert report["region"] == "Global"
        services = loaded.query(
            "SELECT * FROM service_costs WHERE cost_report_id = %s", report["id"]
        )
        assert {row["service_name"]: row["cost"] for row in services} == costs
        assert len(services) == len(costs)
    newest = reports[max(reports)]
    told = loaded.query("SELECT * FROM cost_forecasts WHERE cost_report_id = %s", newest["id"])
    expected = forecast(loaded.account, home.end)
    same_rows(
        [{name: row[name] for name in expected[0]} for row in told], expected, ("period_start",)
    )
    [count] = loaded.query("SELECT count(*) FROM cost_forecasts")
    assert count["count"] == len(expected)


def test_compliance_is_reported_once_a_day_and_region(loaded: Loaded) -> None:
    for document in loaded.documents:
        [row] = loaded.rows("config_reports", document["meta"]["region"])
        expected = config_report(loaded.place(document))
        same_rows([{name: row[name] for name in expected}], [expected], ("date_from",))
        open_now = loaded.rows("non_compliant_resources", document["meta"]["region"])
        assert {held["config_report_id"] for held in open_now} == {row["id"]}
        assert {held["status"] for held in open_now} == {"OPEN"}
        assert all(held["created_at"] == held["config_rule_invoked_time"] for held in open_now)


def test_security_counts_are_those_of_the_findings(loaded: Loaded) -> None:
    for document in loaded.documents:
        region = document["meta"]["region"]
        findings = list(TRUTH["security.security_hub"].rows(loaded.place(document)))
        for row in loaded.rows("security", region):
            own = [held for held in findings if held["service"] == row["service"]]
            assert {held["record_state"] for held in own} == {"ACTIVE"}
            statuses = [held["status"] for held in own]
            assert row["total_findings"] == len(own)
            assert row["open_findings"] == sum(map(statuses.count, ("NEW", "NOTIFIED")))
            assert row["resolved_findings"] == statuses.count("RESOLVED")
            for severity in ("critical", "high", "medium", "low", "informational"):
                of_it = [held for held in own if held["severity"] == severity.upper()]
                assert row[f"{severity}_count"] == len(of_it)
        services = {row["id"]: row["service"] for row in loaded.rows("security", region)}
        assert set(services.values()) == {held["service"] for held in findings}
        for row in loaded.rows("findings", region):
            assert services[row["security_id"]] == row["service"]


def test_products_are_shared_by_the_regions_of_the_account(loaded: Loaded) -> None:
    found = loaded.query(
        """SELECT p.name, a.region, p.owner FROM product_accounts pa
           JOIN products p ON p.id = pa.product_id JOIN accounts a ON a.id = pa.account_id"""
    )
    expected = [(name, region, "System") for name in ("Billing", "Shop") for region in REGIONS]
    assert sorted((row["name"], row["region"], row["owner"]) for row in found) == sorted(expected)


def test_statuses_and_messages_are_kept_in_order(loaded: Loaded) -> None:
    for document in loaded.documents:
        [log] = loaded.rows("logs", document["meta"]["region"])
        told = document["logs"]
        assert log["date_created"] == datetime.fromisoformat(told["date_created"])
        for category in documents.CATEGORIES:
            assert log[f"{category}_status"] == told[f"{category}_status"]
        messages = loaded.query(
            "SELECT message_type, message FROM log_messages WHERE log_id = %s ORDER BY position",
            log["id"],
        )
        expected = [pair for held in told["message"] for pair in held.items()]
        assert [(row["message_type"], row["message"]) for row in messages] == expected


def test_each_row_leads_to_the_object_that_it_came_from(loaded: Loaded) -> None:
    found = loaded.query(
        "SELECT d.*, a.region FROM documents d JOIN accounts a ON a.id = d.account_id"
    )
    assert {row["region"] for row in found} == set(REGIONS)
    for row in found:
        day = loaded.documents[0]["meta"]["period"]["start"]
        assert row["key"].endswith(f"{loaded.account.id}/{row['region']}/{day}_DAILY.json")
        assert row["etag"]
        assert row["sender"] == f"sender.py {__version__}"
    ids = {row["region"]: row["id"] for row in found}
    for table in TABLES.values():
        for region in REGIONS:
            lineage = (
                {row["document_id"] for row in loaded.rows(table, region)}
                if table != "accounts"
                else {ids[region]}
            )
            assert lineage <= {ids[region]}


# How fresh an account is


def test_a_backfill_of_yesterday_does_not_make_an_account_fresh(
    embedded: EmbeddedCloud, make_account: MakeAccount, warehouse: Warehouse
) -> None:
    """What exists only now is Skipped in it, and of the security posture it has a part."""
    account, yesterday = make_account(), datetime.now(UTC).date() - timedelta(days=1)

    def bring(*flags: str) -> tuple[int, set[str], bool]:
        """Run the sender and load; its exit code, what fails, and whether that is complete."""
        code = collect(embedded, account, warehouse.bucket, *flags)
        [result] = load(warehouse)
        assert result.outcome is FileStatus.LOADED
        [row] = warehouse.query("""
            SELECT f.failing_since, f.last_complete_at, max(d.collected_at) AS newest
            FROM freshness f CROSS JOIN documents d GROUP BY 1, 2""")
        return code, set(row["failing_since"]), row["last_complete_at"] == row["newest"]

    backfill = ("--start", str(yesterday))
    for service, operation in (("kms", "ListKeys"), ("ssm", "*"), ("health", "*")):
        embedded.switches.deny(service, operation)
    assert bring() == (1, {"security", "inventory", "health"}, False)
    embedded.switches.reset()
    assert bring(*backfill) == (0, {"security", "inventory"}, False)
    assert bring(*backfill, "--only", "security,inventory") == (
        (0, {"security", "inventory"}, False)
    )
    assert bring("--only", "security,inventory") == (0, set(), False)
    assert bring() == (0, set(), True)
    embedded.switches.deny("health", "*")
    assert bring(*backfill) == (1, {"health"}, False)
    embedded.switches.reset()
    embedded.switches.not_enabled("health")
    assert bring() == (0, set(), True)


# Every column, every field

NULL = {
    ("resilience_hub_apps", "last_drill"): "no API of Resilience Hub tells it",
    **{
        (table.name, "gone_at"): "nothing has vanished yet"
        for table in RECEIVER_TABLES.values()
        if table.kind is Kind.SNAPSHOT
    },
}
"""Columns that an account that was loaded once cannot fill."""


def test_every_column_of_every_table_is_filled(loaded: Loaded) -> None:
    empty = {
        (row["table_name"], row["column_name"])
        for row in loaded.columns()
        if not loaded.query(
            f"SELECT 1 FROM {row['table_name']} WHERE {row['column_name']} IS NOT NULL LIMIT 1"
        )
    }
    assert empty == NULL.keys()


def test_every_field_of_a_document_lands_in_a_column(loaded: Loaded) -> None:
    columns = {(row["table_name"], row["column_name"]) for row in loaded.columns()}
    for document in loaded.documents:
        region = document["meta"]["region"]
        for path, rows in lists(document).items():
            table = TABLES[path]
            stored = (
                loaded.rows(table, region) if table != "accounts" else account_rows(loaded, region)
            )
            for name in {name for row in rows for name in row} - OWN_TABLES.get(path, set()):
                column = RENAMED.get(path, {}).get(name, name)
                assert (table, column) in columns, path
                told = sum(row.get(name) is not None for row in rows)
                assert sum(row[column] is not None for row in stored) == told, (path, name)


def account_rows(loaded: Loaded, region: str) -> list[Row]:
    """The account's row of a region."""
    return loaded.query(
        "SELECT * FROM accounts WHERE account_id = %s AND region = %s", loaded.account.id, region
    )


PARTS: Mapping[str, Mapping[str, str]] = {
    "contact_info": {},
    "alternate_contacts": {"name": "full_name", "phone": "phone_number"},
    "service_costs": {"service": "service_name"},
    "cost_forecasts": {},
}
"""The tables of what is nested in a document, and how the contract renames its fields."""


def test_every_field_that_is_nested_lands_in_a_column(loaded: Loaded) -> None:
    columns = {(row["table_name"], row["column_name"]) for row in loaded.columns()}
    home = loaded.documents[0]
    nested: dict[str, list[Row]] = {
        "contact_info": [home["account"]["contact_info"]],
        "alternate_contacts": list(home["account"]["alternate_contacts"].values()),
        "service_costs": [row for held in home["cost"] for row in held["top_services"]],
        "cost_forecasts": [
            {name: value for name, value in row.items() if name != "period"}
            | {f"period_{name}": value for name, value in row["period"].items()}
            for held in home["cost"]
            for row in held.get("forecast", ())
        ],
        "cost_reports": [
            {f"period_{name}": value for name, value in held["period"].items()}
            for held in home["cost"]
        ],
    }
    for table, rows in nested.items():
        for name in {name for row in rows for name in row}:
            column = PARTS.get(table, {}).get(name, name)
            assert (table, column) in columns
            [count] = loaded.query(f"SELECT count({column}) FROM {table}")
            assert count["count"] == sum(row.get(name) is not None for row in rows)


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
    short = [name for name, row in types.items() if row["length"] and name != "accounts.account_id"]
    assert short == []
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


def test_views_of_other_people_can_be_made_on_every_table(loaded: Loaded) -> None:
    owned = [row["table_name"] for row in loaded.columns() if row["column_name"] == "account_id"]
    tables = sorted(set(owned) - {"accounts"})
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
    taken: dict[str, set[str]] = {}
    for row in loaded.columns():
        if row["column_name"] in reserved:
            taken.setdefault(row["table_name"], set()).add(row["column_name"])
    assert taken == GIVEN


# Other documents


def test_thousands_of_resources_come_through_complete(
    embedded: EmbeddedCloud, make_account: MakeAccount, database: str
) -> None:
    account = make_account(Size.small().scaled(8))
    held = collect_and_load(embedded, account, database, "--reserved-capacity")
    [document] = held.documents
    place = held.place(document)
    alone = Place(account, HOME, place.start, place.end)
    total = 0
    for path, truth in TRUTH.items():
        expected = list(truth.rows(alone))
        [found] = held.query(f"SELECT count(*) FROM {TABLES[path]}")
        assert found["count"] == len(expected), path
        total += len(expected)
    assert total > 10_000
    [costs] = held.query("SELECT sum(cost) AS cost FROM services")
    by_day = (day_cost(account, day).values() for day in alone.cost_days)
    assert costs["cost"] == sum(cost for costs in by_day for cost in costs)


def test_a_run_that_was_denied_everything_takes_nothing_away(
    embedded: EmbeddedCloud, make_account: MakeAccount, warehouse: Warehouse
) -> None:
    account = make_account()
    assert collect(embedded, account, warehouse.bucket) == 0
    load(warehouse)
    before = facts(warehouse)
    embedded.switches.policies[account.id] = lambda request: request.operation in SHIPPING
    assert collect(embedded, account, warehouse.bucket) == 1
    [result] = load(warehouse)
    assert result.outcome is FileStatus.LOADED, result.reasons
    after = facts(warehouse)
    for table, rows in before.items():
        assert after[table] == rows, table


SHIPPING = {"GetCallerIdentity", "ListObjectsV2", "PutObject", "GenerateDataKey"}
"""What a sender needs to ship a document, though it may read nothing."""


def facts(warehouse: Warehouse) -> dict[str, list[Row]]:
    """All rows but those about runs."""
    rows = warehouse.rows()
    return {table: rows[table] for table in rows if table not in ("logs", "log_messages")}
