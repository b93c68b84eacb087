"""Whether a list is as it was: asked before it is merged, as most are as they were the day before.

To ask takes PostgreSQL a third of the time that it takes to plan the merge.
"""

from __future__ import annotations

from functools import lru_cache

from observability.database.catalogue import TableSchema
from observability.database.incoming import names, scopes_cte, typed_rows
from observability.database.merge import Extent, compared_columns, listed_cte
from observability.database.statement import (
    ACCOUNT,
    COLLECTED_AT,
    DOCUMENT,
    NONE,
    ROWS,
    SAME_ACCOUNT,
    WITH_META,
    order_of,
    own_order,
)
from observability.database.tables import Kind, Table

NOTHING_DONE = f"{NONE}, {NONE}, {NONE}"


@lru_cache(maxsize=1024)
def unchanged_sql(schema: TableSchema, extent: Extent) -> str:
    """Note what the rows are the whole of if a merge would do nothing else; else answer nothing.

    It would not if each row is there with these values, exists, is stated by a document with meta,
    and no other row of the account or of these periods exists. '' of what is not asked.
    """
    table = schema.table
    if table.kind is Kind.EVENT:
        return met_again(schema)
    if extent is not Extent.WHOLE or table.derived:
        return ""
    scopes = f"{scopes_cte(schema)}, " if table.scope else ""
    listed = listed_cte(table, where="EXISTS (SELECT FROM unchanged)")
    return f"""WITH {same_cte(schema)}, {scopes}
unchanged AS MATERIALIZED (
    SELECT WHERE {all_met("same")} AND jsonb_array_length({ROWS}) = {existing(schema)}
             AND NOT EXISTS ({newer_listing(table)})),
{listed}
SELECT {NOTHING_DONE} FROM unchanged"""


def same_cte(schema: TableSchema, *more: str) -> str:
    """The stored rows that have the values of rows of the batch.

    LIMIT has each looked up, whatever statistics say (`incoming.parent_join`).
    """
    table, columns = schema.table, compared_columns(schema)
    pairs = zip(schema.key_of("t."), schema.key_of("i."), strict=True)
    key = " AND ".join(f"{stored} = {ours}" for stored, ours in pairs)
    exists = ["t.gone_at IS NULL"] if table.kind is Kind.SNAPSHOT else []
    where = [*exists, WITH_META, "coalesce(d.with_meta, true)", *more]
    return f"""same AS MATERIALIZED (
    SELECT t.id FROM {typed_rows(schema)} i
    JOIN LATERAL (SELECT * FROM "{table.name}" t WHERE {key} LIMIT 1) t ON true
    LEFT JOIN documents d ON d.id = t.document_id
    WHERE {" AND ".join(where)}
      AND ({names(columns, "t.")}) IS NOT DISTINCT FROM ({names(columns, "i.")}))"""


def all_met(same: str) -> str:
    """Whether the stored rows of the CTE `same` are as many as the batch has, each another."""
    return f"(SELECT count(DISTINCT id) FROM {same}) = jsonb_array_length({ROWS})"


def existing(schema: TableSchema) -> str:
    """How many rows a listing of all that the document states would have to name."""
    table = schema.table
    alive = " AND e.gone_at IS NULL" if table.kind is Kind.SNAPSHOT else ""
    if not table.scope:
        return f'(SELECT count(*) FROM "{table.name}" e WHERE e.account_id = {ACCOUNT}{alive})'
    owner = [f"e.account_id = {SAME_ACCOUNT}"] if schema.owner else []
    scoped = " AND ".join([*owner, *(f'e."{c}" = s."{c}"' for c in table.scope)])
    return f'(SELECT count(*) FROM scopes s JOIN "{table.name}" e ON {scoped})'


def newer_listing(table: Table) -> str:
    """The listings that are newer than this document, of what it states."""
    scopes, covering = (", scopes s", "s.covering") if table.scope else ("", "''")
    return f"""SELECT FROM listings l{scopes}
                 WHERE l.account_id = {ACCOUNT} AND l.table_name = '{table.name}'
                   AND l.scope = {covering} AND l.sort_key > {own_order(table)}"""


def met_again(schema: TableSchema) -> str:
    """Let events be those of this document, if nothing else is new of them and it is the newest."""
    table = schema.table
    newest = [f"coalesce({order_of(table)} < {own_order(table)}, true)"]
    if table.version:  # a later time is none of AWS: see version_of
        latest = f"least({COLLECTED_AT}, d.collected_at)"
        newest += [f'coalesce(t."{table.version}" <= {latest}, true)']
    return f"""WITH {same_cte(schema, *newest)},
met AS (
    UPDATE "{table.name}" t SET document_id = {DOCUMENT} FROM same s
    WHERE t.id = s.id AND {all_met("same")}
    RETURNING t.id)
SELECT least((SELECT count(*) FROM met) - jsonb_array_length({ROWS}), 0), {NONE}, {NONE}
WHERE {all_met("same")}"""
