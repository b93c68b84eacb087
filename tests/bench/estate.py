"""An organization that has been observed for long, generated straight into the tables.

All that views read: each account has a home region, in whose rows costs are, and another region.
Days end yesterday. a: account, d: day (0 is the oldest), n: number of a thing within an account.
"""

from __future__ import annotations

from typing import Any

import psycopg

FIRST = 100_000_000_000
SERVICES, USAGE_TYPES = 10, 3

STATEMENTS = (
    # Rows of account a: 2a - 1 in the home region, 2a in the other.
    """INSERT INTO accounts (id, account_id, account_name, customer_name, account_arn, region)
    SELECT 2 * a - 2 + r, CAST(%(first)s + a AS text), 'Account ' || a, 'Customer ' || a %% 20,
        'arn:aws:iam::1:root', CASE r WHEN 1 THEN 'us-east-1' ELSE 'eu-west-1' END
    FROM generate_series(1, %(accounts)s) a, generate_series(1, 2) r""",
    """INSERT INTO documents (account_id, bucket, key, etag, size_bytes, last_modified, interval,
        period_start, period_end, collected_at, day_order, time_order)
    SELECT a, 'bucket', 'data/' || a || '/' || day, md5(a || '/' || d), 1, day, 'DAILY', day,
        day + 1, now() - (%(days)s - 1 - d) * interval '1 day',
        (day + 1) || ' ' || a, (day + 1) || ' ' || a
    FROM generate_series(0, %(days)s - 1) d, generate_series(1, 2 * %(accounts)s) a,
        LATERAL (SELECT current_date - %(days)s + d AS day) x""",
    """UPDATE accounts a SET document_id = d.id FROM documents d
    WHERE d.account_id = a.id AND d.period_end = current_date""",
    """INSERT INTO listings (account_id, table_name, scope, sort_key, document_id, collected_at)
    SELECT account_id, name, '', day_order, id, collected_at
    FROM documents, unnest('{kms_keys,service_resources,cloudtrail_logs}'::text[]) name""",
    """INSERT INTO logs (account_id, date_created, account_status, cost_status, service_status,
        ri_sp_savings_status, security_status, config_status, inventory_status,
        marketplace_status, trusted_advisor_status, health_status, application_status,
        resilience_hub_status, compute_optimizer_status, service_resources_status,
        config_inventory_status, support_tickets_status, cost_by_tag_status, document_id)
    SELECT account_id, collected_at, 'Pass', CASE id %% 50 WHEN 0 THEN 'Fail' ELSE 'Pass' END,
        'Pass', 'Pass', 'Pass', 'Pass', 'Pass', 'Pass', 'Pass', 'Pass', 'Pass', 'Pass', 'Pass',
        'Pass', 'Pass', 'Skipped', 'Skipped', id
    FROM documents""",
    """INSERT INTO cost_reports (account_id, current_period_cost, period_start, period_end,
        period_granularity, document_id)
    SELECT account_id, 1, period_start, period_end, 'DAILY', id
    FROM documents WHERE account_id %% 2 = 1""",
    """INSERT INTO cost_forecasts (cost_report_id, period_start, period_end, amount)
    SELECT id, period_end + n, period_end + n + 1, 10 FROM cost_reports, generate_series(0, 29) n
    WHERE period_start > current_date - 60""",
    """INSERT INTO services (account_id, service, usage_types, date_from, date_to, cost, currency,
        document_id)
    SELECT account_id, 'Service ' || s, 'Usage ' || n, period_start, period_end,
        random() * 10, 'USD', id
    FROM documents, generate_series(1, %(services)s) s, generate_series(1, %(usage_types)s) n
    WHERE account_id %% 2 = 1""",
    """INSERT INTO cost_by_tag (account_id, day, tag_key, tag_value, cost, document_id)
    SELECT account_id, period_start, 'team', 'team ' || n, 1, id
    FROM documents, generate_series(1, 3) n WHERE account_id %% 2 = 1""",
    """INSERT INTO ri_sp_daily_savings (account_id, date_from, date_to, reservation_type,
        subscription_id, utilization_percentage, reservation_cost, end_date, state)
    SELECT account_id, period_start, period_end, 'SavingsPlan', 'sp-' || n, 90, 24,
        now() + interval '100 days', 'active'
    FROM documents, generate_series(1, 2) n WHERE account_id %% 2 = 1""",
    """INSERT INTO config_reports (account_id, date_from, date_to, compliance_score, total_rules,
        compliant_rules, non_compliant_rules)
    SELECT account_id, period_start, period_end, 90, 100, 90, 10 FROM documents""",
    """INSERT INTO findings (account_id, finding_id, severity, status, record_state, created_at,
        updated_at)
    SELECT a, 'finding ' || n, CASE n %% 5 WHEN 0 THEN 'CRITICAL' ELSE 'LOW' END,
        CASE WHEN n %% 10 < 2 THEN 'NEW' ELSE 'RESOLVED' END, 'ACTIVE',
        now() - interval '100 days', now() - interval '10 days'
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 150) n""",
    """INSERT INTO guard_duty_findings (account_id, detector_id, finding_id, severity, region,
        created_at, updated_at, archived)
    SELECT a, 'detector', 'threat ' || n, 5, 'us-east-1', now(), now(), n > 2
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 10) n""",
    """INSERT INTO inspector_findings (account_id, finding_arn, severity, status,
        first_observed_at, fix_available)
    SELECT a, 'arn ' || n, 'HIGH', CASE WHEN n %% 5 < 2 THEN 'ACTIVE' ELSE 'CLOSED' END,
        now() - interval '30 days', 'YES'
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 250) n""",
    """INSERT INTO kms_keys (account_id, key_id, key_state, enabled, key_rotation_enabled, gone_at)
    SELECT a, 'key ' || n, 'Enabled', true, n < 5, CASE WHEN n > 10 THEN now() END
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 20) n""",
    """INSERT INTO secrets_manager_secrets (account_id, arn, rotation_enabled, gone_at)
    SELECT a, 'secret ' || n, n < 5, CASE WHEN n > 10 THEN now() END
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 20) n""",
    """INSERT INTO certificates (account_id, arn, status, type, in_use, not_after, gone_at)
    SELECT a, 'certificate ' || n, 'ISSUED', 'AMAZON_ISSUED', true,
        now() + n * interval '50 days', CASE WHEN n > 5 THEN now() END
    FROM generate_series(0, 2 * %(accounts)s) a, generate_series(0, 9) n WHERE a > 0""",
    """INSERT INTO cloudtrail_logs (account_id, arn, is_logging)
    SELECT a, 'trail', a %% 5 > 0 FROM generate_series(1, 2 * %(accounts)s) a""",
    """INSERT INTO waf_rules (account_id, arn, logging_enabled)
    SELECT a, 'acl', a %% 5 > 0 FROM generate_series(1, 2 * %(accounts)s) a""",
    """INSERT INTO trusted_advisor_checks (account_id, check_name, category, potential_savings)
    SELECT 2 * a - 1, 'check ' || n, 'cost_optimizing', n - 5
    FROM generate_series(1, %(accounts)s) a, generate_series(1, 10) n""",
    """INSERT INTO compute_optimizer (account_id, resource_arn, finding,
        estimated_monthly_savings_usd, gone_at)
    SELECT a, 'instance ' || n, 'Overprovisioned', 5, CASE WHEN n > 10 THEN now() END
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 20) n""",
    """INSERT INTO health_events (account_id, arn, status_code, start_time)
    SELECT 2 * a - 1, 'event ' || n, CASE WHEN n > 48 THEN 'upcoming' ELSE 'closed' END,
        now() + (n - 48) * interval '1 day'
    FROM generate_series(1, %(accounts)s) a, generate_series(1, 50) n""",
    """INSERT INTO non_compliant_resources (account_id, rule_name, resource_type, resource_id,
        status, gone_at)
    SELECT a, 'rule ' || n %% 10, 'AWS::S3::Bucket', 'bucket ' || n,
        CASE WHEN n > 50 THEN 'RESOLVED' ELSE 'OPEN' END, CASE WHEN n > 50 THEN now() END
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 100) n""",
    """INSERT INTO service_resources (account_id, service_name, resource_type, resource_id, region,
        gone_at)
    SELECT id, 'EC2', 'Instance', 'i-' || n, region, CASE WHEN n > 100 THEN now() END
    FROM accounts, generate_series(1, 200) n""",
    """INSERT INTO config_inventory (account_id, resource_type, resource_id, region, gone_at)
    SELECT id, CASE WHEN n %% 5 = 0 THEN 'AWS::EC2::Instance' ELSE 'AWS::IAM::Role' END, 'r-' || n,
        region, CASE WHEN n > 250 THEN now() END
    FROM accounts, generate_series(1, 500) n""",
    """INSERT INTO inventory_instances (account_id, instance_id, gone_at)
    SELECT a, 'i-' || n, CASE WHEN n > 5 THEN now() END
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 10) n""",
    """INSERT INTO inventory_patches (account_id, instance_id, title, state)
    SELECT account_id, id, 'patch ' || n, CASE WHEN n > 45 THEN 'Missing' ELSE 'Installed' END
    FROM inventory_instances, generate_series(1, 50) n""",
    """INSERT INTO changes (account_id, document_id, table_name, row_id, row_key, change,
        old_values, new_values, created_at)
    SELECT account_id, id, 'kms_keys', n, jsonb_build_object('key_id', 'key ' || n), 'updated',
        '{"enabled": true}', '{"enabled": false}', collected_at
    FROM documents, generate_series(1, 10) n WHERE collected_at > now() - interval '90 days'""",
    """INSERT INTO daily_counts (account_id, day, measure, dimension, value, document_id)
    SELECT account_id, period_start, 'open_findings', severity, id %% 100, id
    FROM documents, unnest('{CRITICAL,HIGH,MEDIUM,LOW,INFORMATIONAL}'::text[]) severity""",
    """INSERT INTO daily_counts (account_id, day, measure, dimension, value, document_id)
    SELECT account_id, period_start, 'resources', 'type ' || n, id %% 100, id
    FROM documents, generate_series(1, 15) n""",
    "INSERT INTO products (id, name) SELECT n, 'Product ' || n FROM generate_series(1, 20) n",
    """INSERT INTO product_accounts (account_id, product_id)
    SELECT a, 1 + (a / 2 + n) %% 20
    FROM generate_series(1, 2 * %(accounts)s) a, generate_series(1, 2) n""",
)


def generate_estate(
    connection: psycopg.Connection[Any], accounts: int, days: int, usage_types: int = USAGE_TYPES
) -> int:
    """Fill an empty database, over a connection that commits by itself; the number of rows."""
    values = {
        "accounts": accounts,
        "days": days,
        "first": FIRST,
        "services": SERVICES,
        "usage_types": usage_types,
    }
    # As a restore would: the rows are consistent, their foreign keys need no check.
    connection.execute("SET session_replication_role = replica")
    rows = sum(connection.execute(s.encode(), values).rowcount for s in STATEMENTS)
    connection.execute("VACUUM ANALYZE")
    return rows
