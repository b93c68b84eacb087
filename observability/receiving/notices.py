"""What is wrong with deliveries, told at the end of a sweep: each problem once as new, all counted.

The lines are read by the alarms of deploy/alarms.yaml, by their fields.
"""

from __future__ import annotations

from collections.abc import Mapping

from observability.database.client import DBManager
from observability.log import log_event

NAMED = 50
"""Problems that a line names; the others it counts. The view account_overview has them all."""

PROBLEMS: Mapping[str, tuple[str, str]] = {
    "silent": ("silent_accounts", "no document for two days"),
    "never": ("never_delivered", "never delivered, though expected for two days"),
    "stale": ("stale_regions", "no document for two days from a region whose account delivers"),
    "failing": ("failing_categories", "fails for two days"),
}
"""Of each kind its field in the JSON log, and what its line says."""

PROBLEMS_SQL = f"""
WITH closed AS (
    SELECT account_id FROM expected_accounts
    WHERE gone_at IS NOT NULL OR state NOT IN ('ACTIVE', 'EXCLUDED')),
arrived AS (
    SELECT a.account_id, max(d.last_modified) AS newest
    FROM documents d JOIN accounts a ON a.id = d.account_id GROUP BY a.account_id),
fresh AS MATERIALIZED (SELECT * FROM freshness),
found AS MATERIALIZED (
    SELECT 'silent' AS kind, account_id AS subject FROM arrived
    WHERE newest < now() - interval '2 days' AND account_id NOT IN (SELECT account_id FROM closed)
      AND (newest > now() - interval '30 days' OR account_id IN (
        SELECT account_id FROM expected_accounts WHERE state = 'ACTIVE'))
    UNION
    SELECT 'never', f.account_id FROM fresh f JOIN expected_accounts e USING (account_id)
    WHERE f.last_document_at IS NULL AND e.created_at < now() - interval '2 days'
      AND f.account_id NOT IN (SELECT account_id FROM arrived)
    UNION
    SELECT 'stale', f.account_id || ' ' || f.region FROM fresh f JOIN arrived a USING (account_id)
    WHERE f.last_document_at < now() - interval '2 days'
      AND f.last_document_at > now() - interval '30 days' AND a.newest >= now() - interval '2 days'
      AND f.account_id NOT IN (SELECT account_id FROM closed)
    UNION
    SELECT 'stale', f.account_id || ' ' || f.region FROM fresh f JOIN arrived a USING (account_id)
    JOIN expected_accounts e USING (account_id)
    WHERE f.last_document_at IS NULL AND a.newest >= now() - interval '2 days'
      AND CAST(e.regions ->> f.region AS timestamptz) < now() - interval '2 days'
    UNION
    SELECT 'failing', f.account_id || ' ' || f.region || ' ' || c.key
    FROM fresh f CROSS JOIN LATERAL jsonb_each_text(f.failing_since) c
    WHERE CAST(c.value AS timestamptz) < now() - interval '2 days'
      AND f.last_document_at >= now() - interval '2 days'),
new AS (
    INSERT INTO notices (kind, subject) SELECT kind, subject FROM found
    ON CONFLICT (kind, subject) DO NOTHING RETURNING kind, subject),
over AS (
    DELETE FROM notices n
    WHERE NOT EXISTS (SELECT FROM found f WHERE f.kind = n.kind AND f.subject = n.subject))
SELECT kind, count(*), count(*) FILTER (WHERE is_new),
       string_agg(subject, ', ' ORDER BY place) FILTER (WHERE place <= {NAMED})
FROM (SELECT kind, subject, is_new,
             row_number() OVER (PARTITION BY kind ORDER BY NOT is_new, place, subject) AS place
      FROM (SELECT f.kind, f.subject, n.subject IS NOT NULL AS is_new,
                   row_number() OVER (PARTITION BY f.kind, n.subject IS NULL, left(f.subject, 12)
                                      ORDER BY f.subject) AS place
            FROM found f LEFT JOIN new n ON n.kind = f.kind AND n.subject = f.subject) AS each
     ) AS told
GROUP BY kind"""
"""Per kind how many there are, how many are new since the last sweep, and those, new ones first,
and of these the first of each account: one account in which all fails must not hide the others.

After thirty days a region is taken as closed, and so is an account that no list has as active.
"""


def log_problems(db: DBManager) -> None:
    """Say what is wrong with deliveries, and how much of it no sweep has told before."""
    found = {kind: (total, new, named) for kind, total, new, named in db.execute(PROBLEMS_SQL, {})}
    for kind, (field, text) in PROBLEMS.items():
        total, _, named = found.get(kind, (0, 0, ""))
        more = f", and {total - NAMED} more" if total > NAMED else ""
        line = f"{text}: {named or 'none'}{more}"
        log_event("FAIL" if total else "INFO", line, **{field: total})
    new = {kind: count for kind, (_, count, _) in found.items() if count}
    line = ", ".join(f"{count} {PROBLEMS[kind][0]}" for kind, count in sorted(new.items()))
    total = sum(new.values())
    log_event("FAIL" if total else "INFO", f"new problems: {line or 'none'}", new_problems=total)
