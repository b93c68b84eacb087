"""What a merge changed, written to `changes` by the statement that makes the change.

What an account's first complete listing of a table or period brings is no change, nor is a column
that always moves (`Table.moving`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from observability.database.catalogue import TableSchema
from observability.database.statement import ACCOUNT, DOCUMENT
from observability.database.tables import PERSONAL, Kind, Table

INSERT_SQL = """INSERT INTO changes
        (account_id, document_id, table_name, row_id, row_key, change, old_values, new_values)"""

HIDDEN = "personal"
"""In place of a personal value."""


def change_columns(schema: TableSchema) -> list[str]:
    """The columns by which a change tells which row it is about, and of which listing."""
    return [c for c in dict.fromkeys([*schema.key, *schema.table.scope]) if c != "account_id"]


def change_values(schema: TableSchema) -> str:
    """What a row t that is gone returns of itself, for `changes`."""
    return "".join(f', t."{column}"' for column in change_columns(schema))


def known_cte(table: Table) -> str:
    """The listings that the account has stated before: all, or periods or parents; the scopes."""
    if table.kind is Kind.EVENT:
        return f"""known AS MATERIALIZED (
    SELECT '' AS covering WHERE EXISTS (
        SELECT FROM documents o JOIN logs l ON l.document_id = o.id
        WHERE o.account_id = {ACCOUNT} AND o.id <> {DOCUMENT} AND o.loaded_at IS NOT NULL
          AND l."{table.category}_status" = 'Pass'))"""
    listing = f"""(SELECT true FROM listings l
         WHERE l.account_id = {ACCOUNT} AND l.table_name = '{table.name}'
           AND l.scope = {{}} LIMIT 1)"""
    if not table.scope:
        return f"known AS MATERIALIZED (SELECT '' AS covering WHERE {listing.format(chr(39) * 2)})"
    return f"""known AS MATERIALIZED (
    SELECT s.covering
    FROM (SELECT covering FROM incoming UNION SELECT covering FROM scopes) s
    WHERE {listing.format("s.covering")})"""


def as_object(columns: Iterable[str], alias: str) -> str:
    """A JSONB object of columns."""
    pairs = ", ".join(f"'{column}', {alias}.\"{column}\"" for column in columns)
    return f"jsonb_build_object({pairs})"


def changed_values(columns: Sequence[str], old: str, new: str) -> str:
    """Of these columns those that differ, as old_values and new_values; a function of schema.sql.

    What is in a function is planned where it is called, and not with each of the statements. Both
    are NULL where all are alike. Columns that people have added are not read: JSON need not have
    all that theirs may have.
    """
    before, after = (", ".join(f'{row}."{name}"' for name in columns) for row in (old, new))
    listed = ",".join(columns)
    return f"changed_values(to_jsonb(ROW({before})), to_jsonb(ROW({after})), '{{{listed}}}')"


def values_told(table: str, alias: str) -> str:
    """Old and new values of `alias` as `changes` has them: of personal data only that they changed.

    Who reads `changes` need not be one who may see contacts.
    """
    columns = ", ".join(f"'{column}'" for column in PERSONAL.get(table, ()))
    hidden = f"e.key IN ({columns})" if columns else "true"
    return ", ".join(
        f"""(SELECT jsonb_object_agg(e.key, CASE WHEN {hidden} AND e.value <> 'null'
                    THEN to_jsonb(CAST('{HIDDEN}' AS text)) ELSE e.value END)
                FROM jsonb_each({alias}.{values}) e) AS {values}"""
        if table in PERSONAL
        else f"{alias}.{values}"
        for values in ("old_values", "new_values")
    )


def row_key(schema: TableSchema) -> tuple[str, str]:
    """What identifies a told row x, as JSONB, and the join that this takes: of parents, no ids."""
    parent = schema.table.parent
    named = [c for c in schema.key if c != "account_id" and not (parent and c == parent.column)]
    pairs, join = [f"'{name}', x.\"{name}\"" for name in named], ""
    if parent and parent.column in schema.key:
        join = f'LEFT JOIN "{parent.table}" p ON p.id = x."{parent.column}"'
        pairs += [f"'{field}', p.\"{column}\"" for field, column in parent.fields.items()]
    return f"shortened(jsonb_build_object({', '.join(pairs)}))", join


def changed_cte(schema: TableSchema, *, vanishes: bool) -> str:
    """Write what was created, updated, returned and, if the statement knows, what is gone."""
    table = schema.table
    values = "".join(f', {{0}}."{column}"' for column in change_columns(schema))
    columns = ", ".join(f'w."{column}"' for column in table.scope)
    covering = f"key_text(concat_ws('|', {columns}))" if columns else "''"
    snapshot = table.kind is Kind.SNAPSHOT
    counted = counted_columns(schema)
    returned = "c.was_gone_at IS NOT NULL AND NOT c.outdated"
    none = "CAST(NULL AS jsonb) AS old_values, CAST(NULL AS jsonb) AS new_values"
    selects = [
        f"""SELECT w.id AS row_id, 'created' AS change, {covering} AS covering,
               {none}{values.format("w")}
        FROM inserted w{" WHERE w.gone_at IS NULL" if snapshot else ""}""",
        f"""SELECT c.row_id, CASE WHEN {returned} THEN 'returned' ELSE 'updated' END, c.covering,
               {values_told(table.name, "d")}{values.format("c")}
        FROM compared c JOIN "{table.name}" t ON t.id = c.row_id
        CROSS JOIN LATERAL {changed_values(counted, "t", "c")} d
        WHERE c.replaces AND (c.differs OR {returned})
          AND (d.new_values IS NOT NULL OR {returned})""",
    ]
    if vanishes:
        fresh = " WHERE v.fresh" if snapshot else ""
        selects.append(f"""SELECT v.id, 'gone', v.covering, {none}{values.format("v")}
        FROM vanished v{fresh}""")
    key, join = row_key(schema)
    union = "\n        UNION ALL\n        ".join(selects)
    return f"""changed AS (
    {INSERT_SQL}
    SELECT {ACCOUNT}, {DOCUMENT}, '{table.name}', x.row_id, {key}, x.change, x.old_values,
           x.new_values
    FROM known JOIN (
        {union}) x ON x.covering = known.covering {join}
    WHERE EXISTS (SELECT FROM known))"""


def counted_columns(schema: TableSchema) -> list[str]:
    """The columns of which a new value is a change."""
    table = schema.table
    left_out = {*table.moving, table.version, *schema.key}
    left_out |= {table.parent.column} if table.parent else set()
    left_out |= {table.gone_value[0]} if table.gone_value else set()
    return [column for column in schema.data if column not in left_out]
