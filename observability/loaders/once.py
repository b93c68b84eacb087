"""Costs of an account once, where another producer repeats them in the document of each region.

Costs belong to an account, whose documents with meta state them in its home region only. The public
sample states all of them in the document of every region that it runs in.
"""

from __future__ import annotations

from functools import lru_cache

from observability.database.catalogue import TableSchema
from observability.database.incoming import names
from observability.database.statement import NONE

ONCE = {
    "services": ("date_from",),
    "cost_reports": ("period_start", "period_granularity"),
    "ri_sp_daily_savings": ("date_to", "reservation_type", "subscription_id"),
}
"""Tables of what belongs to an account, with the columns by which another region repeats it."""

LOCK_ACCOUNT_SQL = f"""WITH locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended(a.account_id, 14))
    FROM documents d JOIN accounts a ON a.id = d.account_id WHERE d.id = $1)
SELECT {NONE}, count(*) * 0, {NONE} FROM locked"""
"""Documents of two regions may load at once, and must see each other's rows."""


@lru_cache(maxsize=64)
def once_sql(schema: TableSchema) -> str:
    """Delete rows of documents without meta that another region of the account states as well.

    $3 are the periods of this document. Of two regions without meta the one stays whose name sorts
    first; documents with meta stay before all others. Rows are sorted, not compared with each
    other: a document may have tens of thousands of them for a day.
    """
    table, columns = schema.table.name, ONCE[schema.table.name]
    scope = schema.table.scope
    typed = ", ".join(f'"{column}" {schema.columns[column].type}' for column in scope)
    period = f"({names(scope, 't.')}) = ({names(scope, 's.')})"
    meta = "coalesce(d.with_meta, true)"
    return f"""WITH regions AS MATERIALIZED (
    SELECT a.id, a.region FROM documents d JOIN accounts own ON own.id = d.account_id
    JOIN accounts a ON a.account_id = own.account_id
    WHERE d.id = $1 AND EXISTS (SELECT FROM accounts other
                                WHERE other.account_id = own.account_id AND other.id <> own.id)),
stated AS MATERIALIZED (
    SELECT t.id, r.region, {meta} AS with_meta, min(r.region) OVER same AS first_region,
           min(r.region) FILTER (WHERE {meta}) OVER same AS first_with_meta,
           max(r.region) FILTER (WHERE {meta}) OVER same AS last_with_meta
    FROM jsonb_to_recordset($3) AS s({typed}) CROSS JOIN regions r
    JOIN "{table}" t ON t.account_id = r.id AND {period}
    LEFT JOIN documents d ON d.id = t.document_id
    WINDOW same AS (PARTITION BY {names(columns, "t.")})),
due AS MATERIALIZED (
    SELECT DISTINCT id FROM stated WHERE NOT with_meta
       AND (first_region < region OR first_with_meta <> region OR last_with_meta <> region)),
vanished AS (DELETE FROM "{table}" t USING due WHERE t.id = due.id RETURNING t.id)
SELECT count(*) - (SELECT count(*) FROM due), {NONE}, count(*) FROM vanished"""
