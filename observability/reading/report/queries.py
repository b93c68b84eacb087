"""What the report asks the database: one statement per section, answered with one JSON value.

Each answer is bounded: the first of each list, and the rest summed. Money is in the currency that
most accounts have. `:days`: days shown in charts. `:top`, `:most`: rows of short and long lists.
`:few`: names in a note.
No day after today is taken for the newest: one account that tells of it would hide all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# daily_costs has one row for an account, a service and a day: rows are accounts. Distinct accounts
# would have to be sorted.
DAILY_COSTS = """
WITH newest AS (SELECT max(last_day) AS day FROM cost_sources WHERE last_day <= current_date),
every AS MATERIALIZED (
    SELECT c.day, c.service, left(c.currency, 10) AS currency, sum(c.unblended_cost) AS cost,
           count(*) AS accounts
    FROM daily_costs c
    WHERE c.day > (SELECT day FROM newest) - CAST(:days AS integer)
      AND c.day <= (SELECT day FROM newest)
    GROUP BY c.day, c.service, 3),
daily AS (
    SELECT * FROM every WHERE currency IN (
        SELECT currency FROM every GROUP BY currency
        ORDER BY max(accounts) DESC, currency LIMIT 5)),
ranked AS (
    SELECT service, currency,
           row_number() OVER (PARTITION BY currency ORDER BY sum(cost) DESC, service) AS place
    FROM daily GROUP BY service, currency)
SELECT jsonb_build_object('last_day', (SELECT day FROM newest), 'rows', (
    SELECT jsonb_agg(x) FROM (
        SELECT d.day, d.currency, min(r.place) AS place, sum(d.cost) AS cost,
               CASE WHEN r.place <= :top THEN left(d.service, 80) END AS service
        FROM daily d JOIN ranked r USING (service, currency)
        GROUP BY d.day, d.currency, 5 ORDER BY d.day, place) x))"""

WEEKLY_COSTS = """
WITH every AS MATERIALIZED (
    SELECT account_id, account_name, customer_name, service, week_start, week_end, unblended_cost,
           previous_cost, difference, left(currency, 10) AS currency
    FROM weekly_cost_changes WHERE week_end <= current_date + 1),
currencies AS (
    SELECT currency, count(DISTINCT account_id) AS accounts FROM every GROUP BY currency
    ORDER BY accounts DESC, currency LIMIT 5),
main AS (SELECT currency FROM currencies LIMIT 1),
own AS MATERIALIZED (
    SELECT account_id, account_name, coalesce(customer_name, '') AS customer, service, week_start,
           week_end, unblended_cost AS cost, difference,
           CASE WHEN difference IS NOT NULL THEN previous_cost END AS previous
    FROM every WHERE currency = (SELECT currency FROM main)),
by_service AS (
    SELECT service AS name, sum(cost) AS cost, sum(previous) AS previous,
           sum(difference) AS difference,
           row_number() OVER (ORDER BY sum(cost) DESC, service) AS place
    FROM own GROUP BY service),
by_customer AS (
    SELECT customer AS name, count(DISTINCT account_id) AS accounts, sum(cost) AS cost,
           sum(previous) AS previous, sum(difference) AS difference,
           row_number() OVER (ORDER BY sum(cost) DESC, customer) AS place
    FROM own GROUP BY customer),
by_account AS (
    SELECT account_id, max(account_name) AS name, sum(cost) AS cost, sum(previous) AS previous,
           sum(difference) AS difference,
           row_number() OVER (ORDER BY sum(cost) DESC, account_id) AS place
    FROM own GROUP BY account_id)
SELECT jsonb_build_object(
    'currencies', (SELECT jsonb_agg(x) FROM currencies x),
    'behind', (SELECT jsonb_agg(x) FROM (
        SELECT account_id, left(max(account_name), 80) AS name, max(week_end) - 1 AS last_day
        FROM own GROUP BY account_id HAVING max(week_end) < (SELECT max(week_end) FROM own)
        ORDER BY 3, 1 LIMIT :few) x),
    'total', (SELECT to_jsonb(x) FROM (
        SELECT sum(cost) AS cost, sum(previous) AS previous, sum(difference) AS difference,
               max(week_start) AS week_start, max(week_end) - 1 AS last_day,
               count(DISTINCT account_id) FILTER (
                   WHERE week_end < (SELECT max(week_end) FROM own)) AS behind,
               count(DISTINCT account_id) FILTER (WHERE difference IS NULL) AS not_compared
        FROM own) x),
    'services', (SELECT jsonb_agg(x ORDER BY x.place) FROM (
        SELECT least(place, :most + 1) AS place, count(*) AS things, sum(cost) AS cost,
               CASE WHEN min(place) <= :most THEN left(min(name), 80) END AS name,
               sum(previous) AS previous, sum(difference) AS difference
        FROM by_service GROUP BY 1) x),
    'customers', (SELECT jsonb_agg(x ORDER BY x.place) FROM (
        SELECT least(place, :most + 1) AS place, count(*) AS things, sum(cost) AS cost,
               CASE WHEN min(place) <= :most THEN left(min(name), 80) END AS name,
               sum(accounts) AS accounts, sum(previous) AS previous, sum(difference) AS difference
        FROM by_customer GROUP BY 1) x),
    'accounts', (SELECT jsonb_agg(x ORDER BY x.place) FROM (
        SELECT least(place, :most + 1) AS place, count(*) AS things, sum(cost) AS cost,
               CASE WHEN min(place) <= :most THEN min(account_id) END AS account_id,
               left(min(name), 80) AS name, sum(previous) AS previous,
               sum(difference) AS difference
        FROM by_account GROUP BY 1) x),
    'rises', (SELECT jsonb_agg(x) FROM (
        SELECT account_id, left(account_name, 80) AS name, left(service, 80) AS service, cost,
               previous, difference
        FROM own WHERE difference > 0
        ORDER BY difference DESC, account_id, service LIMIT :most) x))"""

SAVINGS = """
WITH found AS MATERIALIZED (
    SELECT * FROM savings_opportunities WHERE coalesce(monthly_savings > 0, true))
SELECT jsonb_build_object(
    'total', (SELECT to_jsonb(x) FROM (
        SELECT sum(r.amount) AS amount, max(r.period_start) AS last_day
        FROM cost_sources o CROSS JOIN LATERAL (
            SELECT c.potential_monthly_savings AS amount, c.period_start FROM cost_reports c
            WHERE c.account_id = o.account_row AND c.potential_monthly_savings IS NOT NULL
            ORDER BY c.period_start DESC LIMIT 1) r
        WHERE o.preferred IS NULL) x),
    'sources', (SELECT jsonb_agg(x) FROM (
        SELECT source, left(currency, 10) AS currency, count(*) AS things,
               sum(monthly_savings) AS amount
        FROM found GROUP BY source, 2 ORDER BY amount DESC NULLS LAST LIMIT 10) x),
    'largest', (SELECT jsonb_agg(x) FROM (
        SELECT account_id, left(account_name, 80) AS name, source,
               left(currency, 10) AS currency,
               left(coalesce(resource_name, resource_id), 120) AS resource,
               left(finding, 120) AS finding, left(recommendation, 120) AS recommendation,
               monthly_savings AS amount
        FROM found ORDER BY monthly_savings DESC NULLS LAST, account_id, resource_id
        LIMIT :most) x))"""

# By account: there are few of one to sort, but many of all.
FINDINGS = """
WITH counted AS MATERIALIZED (
    SELECT a.account_id, c.*
    FROM (SELECT DISTINCT account_id FROM accounts) a
    CROSS JOIN LATERAL (
        SELECT severity_level AS level, count(*) AS findings,
               CASE severity_level WHEN 5 THEN left(coalesce(title, finding_id), 160) END AS title,
               min(source) FILTER (WHERE severity_level = 5) AS source,
               max(age_days) FILTER (WHERE severity_level = 5) AS age_days,
               count(*) FILTER (WHERE severity_level = 5 AND fix_available IN ('YES', 'PARTIAL'))
                   AS fixable
        FROM open_findings f WHERE f.account_id = a.account_id
        GROUP BY severity_level, 3) c),
by_account AS (
    SELECT account_id,
           sum(findings) FILTER (WHERE level = 5) AS critical,
           sum(findings) FILTER (WHERE level = 4) AS high,
           sum(findings) FILTER (WHERE level = 3) AS medium,
           sum(findings) FILTER (WHERE coalesce(level, 0) < 3) AS lower
    FROM counted GROUP BY account_id),
placed AS (
    SELECT *, row_number() OVER (
        ORDER BY coalesce(critical, 0) DESC, coalesce(high, 0) DESC, coalesce(medium, 0) DESC,
                 account_id) AS place
    FROM by_account)
SELECT jsonb_build_object(
    'total', (SELECT to_jsonb(x) FROM (
        SELECT coalesce(sum(critical), 0) AS critical, coalesce(sum(high), 0) AS high,
               coalesce(sum(medium), 0) AS medium, coalesce(sum(lower), 0) AS lower,
               count(*) AS accounts
        FROM placed) x),
    'accounts', (SELECT jsonb_agg(x ORDER BY x.place) FROM (
        SELECT least(place, :most + 1) AS place, count(*) AS things,
               CASE WHEN min(place) <= :most THEN min(account_id) END AS account_id,
               (SELECT left(max(a.account_name), 80) FROM accounts a
                WHERE a.account_id = min(placed.account_id)) AS name,
               coalesce(sum(critical), 0) AS critical, coalesce(sum(high), 0) AS high,
               coalesce(sum(medium), 0) AS medium, coalesce(sum(lower), 0) AS lower
        FROM placed GROUP BY 1) x),
    'critical', (SELECT jsonb_agg(x) FROM (
        SELECT title, min(source) AS source, sum(findings) AS findings,
               count(DISTINCT account_id) AS accounts, max(age_days) AS age_days,
               sum(fixable) AS fixable
        FROM counted WHERE level = 5
        GROUP BY title ORDER BY findings DESC, title LIMIT :most) x))"""

HYGIENE = """
SELECT jsonb_agg(x) FROM (
    SELECT problem, count(*) AS things, count(DISTINCT account_id) AS accounts,
           min(due_at) AS due_at
    FROM security_hygiene GROUP BY problem ORDER BY things DESC, problem) x"""

COMPLIANCE = """
WITH newest AS (
    SELECT day FROM daily_compliance WHERE day <= current_date ORDER BY day DESC LIMIT 1)
SELECT jsonb_build_object(
    'days', (SELECT jsonb_agg(x ORDER BY x.day) FROM (
        SELECT day, sum(compliant_rules) AS compliant, sum(non_compliant_rules) AS broken,
               count(DISTINCT account_id) AS accounts
        FROM daily_compliance
        WHERE day > (SELECT day FROM newest) - CAST(:days AS integer)
          AND day <= (SELECT day FROM newest) GROUP BY day) x),
    'rules', (SELECT jsonb_agg(x) FROM (
        SELECT left(rule_name, 120) AS rule, sum(non_compliant_resources) AS resources,
               count(DISTINCT account_id) AS accounts, max(evaluated_at) AS evaluated_at
        FROM non_compliant_rules
        GROUP BY rule_name ORDER BY resources DESC, rule_name LIMIT :most) x))"""

COMING = """
WITH coming AS MATERIALIZED (
    SELECT * FROM upcoming_events WHERE coalesce(days_left, 0) < :horizon)
SELECT jsonb_build_object(
    'kinds', (SELECT jsonb_agg(x) FROM (
        SELECT event, count(*) AS things, min(due_at) AS first_at
        FROM coming GROUP BY event ORDER BY things DESC, event) x),
    'next', (SELECT jsonb_agg(x) FROM (
        SELECT min(due_at) AS due_at, event, count(DISTINCT account_id) AS accounts,
               min(account_id) AS account_id, left(min(account_name), 80) AS name,
               left(coalesce(min(resource_name), resource_id), 120) AS resource,
               left(min(detail), 80) AS detail
        FROM coming GROUP BY event, resource_id
        ORDER BY min(due_at) NULLS FIRST, event, resource_id LIMIT :most) x))"""

DELIVERY = """
WITH overview AS MATERIALIZED (SELECT * FROM account_overview),
late AS (
    SELECT account_id, left(account_name, 80) AS name, delivery, last_document_at,
           last_complete_at
    FROM overview WHERE delivery <> 'complete'
    ORDER BY array_position(ARRAY['never', 'silent', 'failing', 'incomplete'], delivery),
             last_complete_at NULLS FIRST, account_id LIMIT :most)
SELECT jsonb_build_object(
    'accounts', (SELECT count(*) FROM overview),
    'customers', (SELECT count(DISTINCT customer_name) FROM overview),
    'last_document_at', (SELECT max(last_document_at) FROM overview),
    'delivery', (SELECT jsonb_object_agg(delivery, things) FROM (
        SELECT delivery, count(*) AS things FROM overview GROUP BY delivery) x),
    'failing', (SELECT jsonb_agg(x) FROM (
        SELECT failed AS category, count(*) AS accounts
        FROM overview, unnest(string_to_array(failing, ', ')) AS f (failed)
        GROUP BY failed ORDER BY accounts DESC, failed LIMIT :most) x),
    'late', (SELECT jsonb_agg(x) FROM (
        SELECT l.*, (SELECT jsonb_object_agg(c.category, c.since) FROM (
                         SELECT s.key AS category, min(s.value) AS since
                         FROM freshness f, jsonb_each_text(f.failing_since) s
                         WHERE f.account_id = l.account_id GROUP BY s.key) c) AS failing_since
        FROM late l) x))"""

HISTORY = """
WITH newest AS (
    SELECT max(n.day) AS day FROM accounts a CROSS JOIN LATERAL (
        SELECT c.day FROM daily_counts c
        WHERE c.account_id = a.id AND c.measure = 'open_findings' AND c.day <= current_date
        ORDER BY c.day DESC LIMIT 1) n)
SELECT jsonb_agg(x ORDER BY x.day) FROM (
    SELECT c.day, count(DISTINCT a.account_id) AS accounts,
           coalesce(sum(c.value) FILTER (WHERE c.dimension = 'CRITICAL'), 0) AS critical,
           coalesce(sum(c.value) FILTER (WHERE c.dimension = 'HIGH'), 0) AS high,
           coalesce(sum(c.value) FILTER (WHERE c.dimension = 'MEDIUM'), 0) AS medium,
           coalesce(sum(c.value)
                    FILTER (WHERE c.dimension NOT IN ('CRITICAL', 'HIGH', 'MEDIUM')), 0) AS lower
    FROM daily_counts c JOIN accounts a ON a.id = c.account_id
    WHERE c.measure = 'open_findings'
      AND c.day > (SELECT day FROM newest) - CAST(:days AS integer)
      AND c.day <= (SELECT day FROM newest)
    GROUP BY c.day) x"""

# By the time that documents were collected: when they were loaded is another matter. What a thing
# is called is told by its row, else by its key, and is looked up for those that may be listed only.
# `changes` has an index by account and time: a document brings no change before it is known itself.
CHANGES = """
WITH newest AS (
    SELECT max(n.collected_at) AS at FROM accounts a CROSS JOIN LATERAL (
        SELECT d.collected_at FROM documents d
        WHERE d.account_id = a.id AND d.collected_at <= now()
        ORDER BY d.collected_at DESC LIMIT 1) n),
recent AS MATERIALIZED (
    SELECT a.id AS account_row, a.account_id, left(a.account_name, 80) AS name, x.*
    FROM accounts a
    CROSS JOIN LATERAL (
        SELECT d.id, d.created_at FROM documents d
        WHERE d.account_id = a.id AND d.collected_at > (SELECT at FROM newest) - interval '24 hours'
          AND d.collected_at <= (SELECT at FROM newest) OFFSET 0) d
    CROSS JOIN LATERAL (
        SELECT c.table_name, c.change, c.row_id, c.row_key,
               CASE c.change WHEN 'updated' THEN c.new_values END AS new_values
        FROM changes c
        WHERE c.account_id = a.id AND c.created_at > d.created_at - interval '1 day'
          AND c.document_id = d.id OFFSET 0) x),
first AS (
    SELECT *, array_position(ARRAY['gone', 'created', 'returned', 'updated'], change) AS place
    FROM recent
    WHERE table_name IN (
        'accounts', 'alternate_contacts', 'findings', 'guard_duty_findings', 'kms_keys',
        'waf_rules', 'cloudtrail_logs', 'secrets_manager_secrets', 'certificates',
        'service_resources', 'resilience_hub_apps', 'health_events', 'support_tickets',
        'inventory_instances')
    ORDER BY place, table_name, account_id FETCH FIRST (:most) ROWS WITH TIES)
SELECT jsonb_build_object(
    'newest', (SELECT at FROM newest),
    'tables', (SELECT jsonb_agg(x) FROM (
        SELECT table_name AS name, count(DISTINCT account_row) AS accounts,
               count(*) FILTER (WHERE change = 'created') AS created,
               count(*) FILTER (WHERE change = 'updated') AS updated,
               count(*) FILTER (WHERE change = 'gone') AS gone,
               count(*) FILTER (WHERE change = 'returned') AS returned
        FROM recent GROUP BY table_name ORDER BY count(*) DESC, table_name LIMIT 40) x),
    'things', (SELECT jsonb_agg(x) FROM (
        SELECT r.account_id, r.name, r.change, r.table_name AS kind,
               left(coalesce(
                   CASE r.table_name
                        WHEN 'findings' THEN (SELECT t.title FROM findings t WHERE t.id = r.row_id)
                        WHEN 'service_resources' THEN (
                            SELECT concat_ws(' ', t.service_name, t.resource_type,
                                             coalesce(t.resource_name, t.resource_id))
                            FROM service_resources t WHERE t.id = r.row_id) END,
                   (SELECT string_agg(k.value, ' ' ORDER BY k.key)
                    FROM jsonb_each_text(r.row_key) k)), 160) AS thing,
               left((SELECT string_agg(k, ', ' ORDER BY k)
                     FROM jsonb_object_keys(r.new_values) k), 120) AS columns
        FROM first r ORDER BY r.place, r.table_name, r.account_id, thing LIMIT :most) x))"""

QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "daily": DAILY_COSTS,
        "findings": FINDINGS,
        "weekly": WEEKLY_COSTS,
        "history": HISTORY,
        "delivery": DELIVERY,
        "compliance": COMPLIANCE,
        "savings": SAVINGS,
        "changes": CHANGES,
        "hygiene": HYGIENE,
        "coming": COMING,
    }
)
"""The sections, those that take longest first."""

OF_HISTORY = ("history", "changes")
"""What older databases cannot answer: they have neither table."""

PARAMETERS: Mapping[str, int] = MappingProxyType(
    {"days": 30, "top": 6, "most": 12, "few": 3, "horizon": 60}
)
