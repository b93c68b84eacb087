"""The rows of a batch as a statement reads them, and what they state completely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from observability.database.catalogue import Column, TableSchema
from observability.database.statement import (
    ACCOUNT,
    COLLECTED_AT,
    ROWS,
    SAME_ACCOUNT,
    SCOPES,
    given,
)
from observability.database.tables import Kind, Table


def names(columns: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{column}"' for column in columns)


def rows_of(fields: Mapping[str, Column], *more: str) -> str:
    """The rows, each an array with a value per field, cast to the field's column type.

    Arrays take half the bytes of objects, and PostgreSQL reads them twice as fast.
    """
    typed = [
        f"nullif(e.v -> {place}, 'null') AS \"{name}\""
        if column.type == "jsonb"
        else f'CAST(e.v ->> {place} AS {column.type}) AS "{name}"'
        for place, (name, column) in enumerate(fields.items())
    ]
    source = f"jsonb_array_elements({ROWS}) WITH ORDINALITY AS e(v, place)"
    return f"(SELECT {', '.join([*typed, *more])}, e.place FROM {source})"


def parent_join(schema: TableSchema, alias: str) -> str:
    """Join the parent as p to incoming rows called `alias`, by what its natural key's index has.

    LIMIT has it looked up for each row. Else the planner could compare all rows with all parents of
    the account, where its statistics, which may not know the account yet, say that it has few.
    """
    parent = schema.table.parent
    assert parent
    found = [] if parent.by_name else [f"p.account_id = {ACCOUNT}"]
    for name, column in parent.fields.items():
        key, value = schema.found_by[name], given(schema.table, alias, name)
        theirs = f'p."{column}"'
        found.append(f"{key.in_key(theirs)} = {key.in_key(value)}")
    looked_up = f'SELECT p.id FROM "{parent.table}" p WHERE {" AND ".join(found)} LIMIT 1'
    return f"JOIN LATERAL ({looked_up}) p ON true"


def scope_text(table: Table, alias: str) -> str:
    columns = ", ".join(f'{alias}."{column}"' for column in table.scope)
    return f"key_text(concat_ws('|', {columns}))" if columns else "''"


def typed_rows(schema: TableSchema) -> str:
    """The batch, typed, with the parent's id and the account's; NULL where there is no parent."""
    table, parent = schema.table, schema.table.parent
    owner = [f'{ACCOUNT} AS "{column}"' for column in schema.owner]
    if not parent and not table.defaults:
        return rows_of(schema.fields, *owner)
    fields = (f for f in schema.fields if not parent or f != parent.column)
    picked = [f'{given(table, "r", f)} AS "{f}"' for f in fields]
    picked += [f'p.id AS "{parent.column}"'] if parent else []
    picked += [*owner, "r.place"]
    join = f"LEFT {parent_join(schema, 'r')}" if parent else ""
    return f"(SELECT {', '.join(picked)} FROM {rows_of(schema.fields)} r {join})"


def incoming_cte(schema: TableSchema) -> str:
    """The batch, typed, with the parent's id, one row per natural key.

    Of two rows with one key an event's later version stays, else the first.
    """
    table = schema.table
    later = ""
    if table.version:
        later = f"{version_of(table, 'i', COLLECTED_AT)} DESC NULLS LAST, "
    key = ", ".join(schema.key_of("i."))
    return f"""incoming AS (
    SELECT DISTINCT ON ({key}) i.*, {scope_text(table, "i")} AS covering
    FROM {typed_rows(schema)} i
    ORDER BY {key}, {later}place)"""


def version_of(table: Table, alias: str, collected_at: str) -> str:
    """When the event `alias` was last updated, by AWS's time of it.

    A time after that at which its document was collected is none that AWS can know; taken as it is,
    nothing would ever replace its row.
    """
    stated = f'{alias}."{table.version}"'
    return f"CASE WHEN {stated} > {collected_at} THEN {collected_at} ELSE {stated} END"


def scopes_cte(schema: TableSchema) -> str:
    """What the document states the whole of: everything, or some periods or parents."""
    table, parent = schema.table, schema.table.parent
    if not table.scope:
        return "scopes AS (SELECT '' AS covering)"
    if parent:
        fields = schema.found_by
        picked = f'p.id AS "{parent.column}", CAST(p.id AS text) AS covering'
        join = parent_join(schema, "s")
    else:
        fields = {c: schema.columns[c] for c in table.scope}
        picked = f"{names(table.scope, 's.')}, {scope_text(table, 's')} AS covering"
        join = ""
    typed = ", ".join(f'"{name}" {column.type}' for name, column in fields.items())
    source = f"jsonb_to_recordset({SCOPES}) AS s({typed})"
    return f"scopes AS MATERIALIZED (SELECT {picked} FROM {source} {join})"


def existing_rows(schema: TableSchema) -> str:
    """The stored rows t that a listing of all that the document states would have to name."""
    table = schema.table
    owner = SAME_ACCOUNT if table.scope else ACCOUNT
    wanted = [f"t.account_id = {owner}"] if schema.owner else []
    wanted += ["t.gone_at IS NULL"] if table.kind is Kind.SNAPSHOT else []
    wanted += [f"NOT ({table.derived})"] if table.derived else []
    wanted += [f't."{column}" = s."{column}"' for column in table.scope]
    scopes = ", scopes s" if table.scope else ""
    return f'"{table.name}" t{scopes} WHERE {" AND ".join(wanted)}'
