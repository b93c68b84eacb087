"""A database as the public sample makes it, with a few rows: its tables' names and types."""

from __future__ import annotations

from psycopg import Connection

OWNED = "account_id integer NOT NULL REFERENCES accounts ON DELETE CASCADE"
RESOURCE = """resource_type text, resource_id text, resource_name text, region text,
    availability_zone text, state text, instance_type text, vpc_id text, engine text,
    instance_class text, multi_az boolean, size_gb integer, volume_type text,
    creation_date timestamptz, type text, scheme text, instance_count integer, min_size integer,
    max_size integer, available_ip_count integer"""

TABLES = {
    "accounts": """account_id varchar(12) NOT NULL, account_name text, account_email text,
        account_status text, account_arn text, partner_name text DEFAULT 'None',
        customer_name text DEFAULT 'None', joined_method text, joined_timestamp timestamptz,
        account_type text, csp text, region text DEFAULT 'Global', category text""",
    "contact_info": f"""{OWNED}, address_line1 text, city text, country_code text,
        company_name text, phone_number text, full_name text""",
    "alternate_contacts": f"{OWNED}, contact_type text, full_name text, title text, email text",
    "services": f"""{OWNED}, service text, date_from date, date_to date, cost numeric(20,10),
        currency text, utilization numeric(20,10), utilization_unit text, usage_types text""",
    "cost_reports": f"""{OWNED}, current_period_cost numeric(20,10),
        previous_period_cost numeric(20,10), cost_difference numeric(20,10),
        cost_difference_percentage numeric(20,10), potential_monthly_savings numeric,
        anomalies_detected integer, saving_opportunities_count integer, period_start date,
        period_end date, period_granularity period_granularity_type, region text""",
    "service_costs": """cost_report_id integer REFERENCES cost_reports ON DELETE CASCADE,
        service_name text, cost numeric(20,10), region text""",
    "cost_forecasts": """cost_report_id integer REFERENCES cost_reports ON DELETE CASCADE,
        period_start date, period_end date, amount numeric(20,10),
        prediction_interval_lower_bound numeric, prediction_interval_upper_bound numeric""",
    "security": f"{OWNED}, service text, total_findings integer",
    "findings": """security_id integer NOT NULL REFERENCES security ON DELETE CASCADE,
        finding_id text, service text, title text, severity text, status text,
        resource_type text, resource_id text, record_state text, product_name text,
        generator_id text, generator text""",
    "products": "name text NOT NULL, owner text NOT NULL, position text, description text",
    "product_accounts": f"product_id integer REFERENCES products ON DELETE CASCADE, {OWNED}",
    "logs": f"{OWNED}, date_created timestamptz, cost_status text, security_status text",
    "log_messages": """log_id integer REFERENCES logs ON DELETE CASCADE, message text,
        message_type text""",
    "config_reports": f"""{OWNED}, date_from date, date_to date, compliance_score numeric(5,2),
        total_rules integer, compliant_rules integer, non_compliant_rules integer""",
    "non_compliant_resources": """config_report_id integer REFERENCES config_reports
        ON DELETE CASCADE, resource_type text, resource_id text, compliance_type text,
        rule_name text, annotation text, status text DEFAULT 'OPEN'""",
    "service_resources": f"{OWNED}, service_name text, {RESOURCE}",
    "config_inventory": f"{OWNED}, resource_subtype text, {RESOURCE}",
    "compute_optimizer": f"""{OWNED}, resource_type text, resource_arn text, finding text,
        estimated_monthly_savings_usd numeric, performance_risk numeric""",
    "guard_duty_findings": f"{OWNED}, detector_id text, finding_type text, severity numeric(3,1)",
    "kms_keys": f"{OWNED}, key_id text, arn text, description text, key_rotation_enabled boolean",
    "waf_rules_detailed": f"""{OWNED}, web_acl_name text, rule_name text, action text,
        rate_limit boolean, waf_version text, scope text""",
    "inventory_instances": f"{OWNED}, instance_id text, platform text",
    "inventory_applications": f"""{OWNED}, instance_id integer REFERENCES inventory_instances,
        name text, version text""",
    "application_signals": f"{OWNED}, service_name text, namespace text, key_attributes jsonb",
    "ri_sp_daily_savings": f"""{OWNED}, date_from date, date_to date, reservation_type text,
        subscription_id text, net_savings numeric(12,2)""",
}
"""Some of its tables: what an older version of it lacked, is lacking here too."""

CREATED = "created_at timestamptz DEFAULT now()"
UPDATED = "updated_at timestamptz DEFAULT now()"
NOT_STAMPED = {
    "cost_reports", "service_costs", "cost_forecasts", "log_messages", "config_reports",
    "non_compliant_resources", "service_resources", "compute_optimizer", "kms_keys",
    "inventory_instances", "inventory_applications", "application_signals",
}  # fmt: skip

ROWS = """
INSERT INTO accounts (id, account_id, account_name, account_email, account_arn, joined_method,
    joined_timestamp, region, customer_name, category, updated_at) VALUES
    (1, '111122223333', 'Unknown', 'unknown@example.com',
     'arn:aws:organizations::111122223333:account', 'CREATED', '1970-01-01', 'Global', 'None',
     'Both', '2026-11-01'),
    (2, '111122223333', 'Shop', 'shop@example.com', 'arn:1', 'INVITED', '2020-02-29', 'eu-west-1',
     'Customer', 'Both', '2026-11-20'),
    (3, '444455556666', 'Unknown', 'unknown@example.com',
     'arn:aws:organizations::444455556666:account', 'CREATED', '1970-01-01', 'Global', 'None',
     NULL, '2026-11-20');
INSERT INTO contact_info (account_id, city) VALUES (2, 'Berlin');
INSERT INTO alternate_contacts (account_id, contact_type, full_name) VALUES (2, 'billing', 'Ada');
INSERT INTO services (account_id, service, date_from, date_to, cost, usage_types, updated_at) VALUES
    (1, 'Amazon EC2', '2026-11-09', '2026-11-10', 3, 'a,b', '2026-11-10'),
    (2, 'Amazon EC2', '2026-11-10', '2026-11-11', 5, NULL, '2026-11-11'),
    (2, 'Amazon EC2', '2026-11-10', '2026-11-11', 6, 'Aggregated', '2026-11-12'),
    (2, 'Amazon EC2', '2026-11-11', '2026-11-12', 7, 'Aggregated', '2026-11-12');
INSERT INTO cost_reports (id, account_id, current_period_cost, period_start, period_end,
    period_granularity, region) VALUES
    (1, 2, 6, '2026-11-10', '2026-11-11', 'DAILY', 'Global'),
    (2, 2, 7, '2026-11-11', '2026-11-12', 'DAILY', 'Global');
INSERT INTO service_costs (cost_report_id, service_name, cost) VALUES
    (1, 'Amazon EC2', 6), (2, 'Amazon EC2', 7), (2, 'Amazon EC2', 7);
INSERT INTO cost_forecasts (cost_report_id, period_start, period_end, amount) VALUES
    (2, '2026-11-12', '2026-11-13', 8);
INSERT INTO security (id, account_id, service, total_findings) VALUES (1, 2, 'Config', 1);
INSERT INTO findings (security_id, finding_id, service, severity, status, resource_type,
    record_state, product_name, generator) VALUES
    (1, 'f-1', 'AwsS3Bucket', 'HIGH', 'NEW', 'AwsS3Bucket', 'ACTIVE', 'Config', 'Config');
INSERT INTO products (id, name, owner, position) VALUES
    (1, 'Search', 'System', NULL), (2, 'Shop', 'Ada', 'first'), (3, 'shop', 'System', NULL);
INSERT INTO product_accounts (product_id, account_id) VALUES (1, 2), (2, 2), (2, 3);
INSERT INTO logs (id, account_id, date_created, cost_status) VALUES
    (1, 2, '2026-11-11 01:00Z', 'Pass'), (2, 2, '2026-11-12 01:00Z', 'Fail');
INSERT INTO log_messages (log_id, message, message_type) VALUES (2, 'denied', 'cost'),
    (2, 'x', NULL);
INSERT INTO config_reports (id, account_id, date_from, date_to, total_rules, compliant_rules,
    non_compliant_rules) VALUES
    (1, 2, '2026-11-10', '2026-11-11', 3, 2, 1), (2, 2, '2026-11-11', '2026-11-12', 3, 2, 1);
INSERT INTO non_compliant_resources (config_report_id, resource_type, resource_id, rule_name,
    compliance_type, annotation) VALUES
    (1, 'AWS::S3::Bucket', 'logs', 'ssl', 'NON_COMPLIANT', 'old'),
    (1, 'AWS::S3::Bucket', 'gone', 'ssl', 'NON_COMPLIANT', NULL),
    (2, 'AWS::S3::Bucket', 'logs', 'ssl', 'NON_COMPLIANT', 'new');
INSERT INTO service_resources (account_id, service_name, resource_type, resource_id, state) VALUES
    (2, 'ELB', 'LoadBalancer', 'front', 'active'), (2, 'ELB', 'LoadBalancer', 'back', 'active'),
    (2, 'Lambda', 'Function', 'arn:aws:lambda:eu-west-1:111122223333:function:pay', NULL);
INSERT INTO config_inventory (account_id, resource_type, resource_subtype, resource_id, region)
    VALUES (2, 'EC2', 'Instance', 'i-1', 'eu-west-1');
INSERT INTO compute_optimizer (account_id, resource_type, resource_arn, performance_risk) VALUES
    (2, 'EC2', 'arn:2', 2.0);
INSERT INTO guard_duty_findings (account_id, detector_id, finding_type, severity) VALUES
    (2, 'finding-1', 'Recon', 5.0);
INSERT INTO kms_keys (account_id, key_id, arn) VALUES (2, 'old', 'arn:old'), (3, 'k', 'arn:k');
INSERT INTO waf_rules_detailed (account_id, web_acl_name, rule_name, action, rate_limit,
    waf_version, scope) VALUES (2, 'acl', 'rate', '{"Block": {}}', true, 'v2', 'REGIONAL');
INSERT INTO inventory_instances (id, account_id, instance_id) VALUES (1, 2, 'i-1');
INSERT INTO inventory_applications (account_id, instance_id, name) VALUES (2, 1, 'curl'),
    (2, NULL, 'lost');
INSERT INTO application_signals (account_id, service_name, key_attributes) VALUES
    (2, NULL, '{"Name": "pay"}'), (2, NULL, '{"Name": "pay"}');
INSERT INTO ri_sp_daily_savings (account_id, date_from, date_to, reservation_type,
    subscription_id, net_savings) VALUES
    (2, '2026-11-10', '2026-11-11', 'Savings Plan', 'p-1', 1.25),
    (2, '2025-01-01', '2028-01-01', 'Reserved Instance', 'r-1', 2);
"""

VIEWS = """
CREATE VIEW everything AS SELECT t.*, a.account_id AS account, a.region AS account_region
    FROM compute_optimizer t JOIN accounts a ON a.id = t.account_id;
CREATE VIEW risks AS SELECT account, avg(performance_risk) AS risk FROM everything GROUP BY 1;
COMMENT ON VIEW risks IS 'how ''risky'' it is';
CREATE VIEW of_the_sample_only AS SELECT gone_at IS NULL AS x FROM (SELECT 1 AS gone_at) t;
"""


def make(connection: Connection) -> None:
    """Make the tables, rows and views in the schema public, which must be empty."""
    connection.execute("CREATE TYPE period_granularity_type AS ENUM ('MONTHLY','WEEKLY','DAILY')")
    for name, columns in TABLES.items():
        times = CREATED if name in NOT_STAMPED else f"{CREATED}, {UPDATED}"
        made = f"CREATE TABLE {name} (id serial PRIMARY KEY, {columns}, {times})"
        connection.execute(made.encode())
    for statement in (ROWS + VIEWS).split(";\n"):
        connection.execute(statement.encode())
