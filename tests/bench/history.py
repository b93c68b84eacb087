"""A database that has been in use for long, generated straight into its tables."""

from __future__ import annotations

import psycopg

from tests.bench.harness import ACCOUNT, REGION
from tests.cloud import EmbeddedCloud

# Accounts are numbered from the one that the benchmarks load, so that it has a history itself.
# a: account, d: day (0 is the oldest), n: number within them.
STATEMENTS = (
    """INSERT INTO accounts (id, account_id, region)
    SELECT a, CAST(%(first)s + a - 1 AS text), %(region)s
    FROM generate_series(1, %(accounts)s) a""",
    """INSERT INTO documents (account_id, bucket, key, etag, size_bytes, last_modified, interval,
        period_start, period_end, collected_at, day_order, time_order)
    SELECT a, 'bucket', 'data/' || a || '/' || d, md5(a || '/' || d), 1, day, 'DAILY',
        day, day + 1, day + 1, (day + 1) || ' ' || a, (day + 1) || ' ' || a
    FROM generate_series(1, %(accounts)s) a, generate_series(0, %(days)s - 1) d,
        LATERAL (SELECT DATE '2025-11-20' + d AS day) x""",
    """INSERT INTO listings (account_id, table_name, scope, sort_key, document_id, collected_at)
    SELECT account_id, name, '', day_order, id, collected_at
    FROM documents, unnest(CAST(%(snapshots)s AS text[])) name""",
    """INSERT INTO listings (account_id, table_name, scope, sort_key, document_id, collected_at)
    SELECT account_id, 'services', period_start, time_order, id, collected_at FROM documents""",
    """INSERT INTO cost_reports (account_id, current_period_cost, period_start, period_end,
        period_granularity, document_id)
    SELECT account_id, 1, period_start, period_end, 'DAILY', id FROM documents""",
    """INSERT INTO service_costs (cost_report_id, service_name, cost, document_id)
    SELECT id, 'Service ' || n, 1, document_id FROM cost_reports, generate_series(1, 3) n""",
    """INSERT INTO services (account_id, service, usage_types, date_from, date_to, cost,
        document_id)
    SELECT account_id, 'Service ' || n, 'Usage ' || n, period_start, period_end, 1, id
    FROM documents, generate_series(1, 5) n""",
    """INSERT INTO config_reports (account_id, date_from, date_to, document_id)
    SELECT account_id, period_start, period_end, id FROM documents""",
    """INSERT INTO logs (account_id, date_created, document_id)
    SELECT account_id, collected_at, id FROM documents""",
    """INSERT INTO log_messages (log_id, position, message, message_type, document_id)
    SELECT id, n, 'well', 'INFO', document_id FROM logs, generate_series(0, 2) n""",
    """INSERT INTO security (account_id, service)
    SELECT a, 'Security Hub' FROM generate_series(1, %(accounts)s) a""",
    """INSERT INTO findings (account_id, security_id, finding_id, service, updated_at, document_id)
    SELECT d.account_id, s.id, 'finding ' || d.id || ' ' || n, s.service, d.collected_at, d.id
    FROM documents d JOIN security s ON s.account_id = d.account_id, generate_series(1, 2) n""",
    """INSERT INTO config_inventory (account_id, resource_type, resource_id, region, gone_at,
        document_id)
    SELECT account_id, 'instance', 'i-' || id || n, %(region)s,
        CASE WHEN n > 1 THEN now() END, id
    FROM documents, generate_series(1, 3) n""",
    """INSERT INTO service_resources (account_id, service_name, resource_type, resource_id,
        gone_at, document_id)
    SELECT account_id, 'EC2', 'instance', 'i-' || id, CASE WHEN id %% 3 > 0 THEN now() END, id
    FROM documents""",
    """INSERT INTO inventory_instances (account_id, instance_id, document_id)
    SELECT account_id, 'i-' || id, id FROM documents WHERE id %% 50 = 0""",
    """INSERT INTO inventory_applications (account_id, instance_id, name, document_id)
    SELECT account_id, id, 'package ' || n, document_id
    FROM inventory_instances, generate_series(1, 100) n""",
    """INSERT INTO health_events (account_id, arn, last_updated_time, document_id)
    SELECT account_id, 'event ' || id, collected_at, id FROM documents""",
    """INSERT INTO support_tickets (account_id, case_id, document_id)
    SELECT account_id, 'case ' || id, id FROM documents""",
    "SELECT setval('accounts_id_seq', max(id)) FROM accounts",
)
SNAPSHOTS = ["config_inventory", "service_resources", "kms_keys", "certificates", "waf_rules"]


def generate_history(embedded: EmbeddedCloud, database: str, accounts: int, days: int) -> int:
    """Fill an empty database; the number of its rows."""
    values = {
        "accounts": accounts,
        "days": days,
        "first": int(ACCOUNT),
        "region": REGION,
        "snapshots": SNAPSHOTS,
    }
    rows = 0
    with psycopg.connect(embedded.postgres.dsn_for(database), autocommit=True) as connection:
        # As a restore would: the rows are consistent, their foreign keys need no check.
        connection.execute("SET session_replication_role = replica")
        for statement in STATEMENTS:
            rows += connection.execute(statement.encode(), values).rowcount
        connection.execute("VACUUM ANALYZE")
    return rows
