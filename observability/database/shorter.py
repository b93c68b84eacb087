"""Shorter ways than a merge, for what most documents have: lists that are new, or as they were.

Planning is most of what a small list takes, and these statements take a third of a merge's. They
answer how many rows they created, and what is listed: the order of its document, and the scopes.
Where they answer nothing, or rows are refused, the list has to be merged. `run_steps` decides which
it may ask.
"""

from __future__ import annotations

from functools import lru_cache

from observability.database.catalogue import TableSchema
from observability.database.chunks import VERSION, found_columns, noted_cte
from observability.database.incoming import (
    existing_rows,
    names,
    scopes_cte,
    typed_rows,
)
from observability.database.merge import Extent, compared_columns, seen_before
from observability.database.statement import DOCUMENT, NONE, ROWS, own_order
from observability.database.tables import Kind, Table


@lru_cache(maxsize=1024)
def insert_sql(schema: TableSchema, extent: Extent) -> str:
    """Insert the rows of an account that has none yet: there is nothing to compare them with.

    Where two have one key, in whichever batches, PostgreSQL refuses them, and `run_steps` has the
    batch merged. To look for such rows first takes a sixth of the time. '' where other rows may
    have been made with the account's (`link_products`).
    """
    if schema.table.derived:
        return ""
    whole = extent in (Extent.WHOLE, Extent.LAST)
    ctes = "".join(f"{cte},\n" for cte in scope_ctes(schema, whole))
    return f"""WITH {ctes}inserted AS ({insert(schema)} FROM {typed_rows(schema)} i RETURNING id)
SELECT count(*), {listed(schema.table, whole)} FROM inserted"""


def insert(schema: TableSchema) -> str:
    """The beginning of a statement that inserts rows i."""
    values = {column: f'i."{column}"' for column in schema.owner + schema.data}
    values["document_id"] = DOCUMENT
    if schema.stamped:
        values["updated_at"] = "now()"
    if schema.table.kind is Kind.SNAPSHOT:
        values["gone_at"] = "CAST(NULL AS timestamptz)"  # whatever the column's default
    return f"""INSERT INTO "{schema.table.name}" ({names(values)})
    SELECT {", ".join(values.values())}"""


@lru_cache(maxsize=1024)
def unchanged_sql(schema: TableSchema, extent: Extent, noting: bool = False) -> str:
    """Answer if a merge of the newest document's rows would write nothing; '' if it always writes.

    It would not if each row is stored with these values and is not gone, and no other row of the
    account or of these periods is there. Events become those of the document. With `noting`, the
    chunks of the batch are noted whose rows are stored so, also if others are not; of events only
    if all are, as a merge writes them.
    """
    table = schema.table
    if table.kind is Kind.EVENT:
        return met_again(schema, noting)
    if extent is Extent.MORE:
        return one_of_several(schema, noting)
    if extent is Extent.LAST and not table.scope:
        return last_of_several(schema, noting)
    if extent is not Extent.WHOLE:
        return ""
    pairs = " AND ".join(f's."{column}" = i."{column}"' for column in table.scope)
    stated = f"EXISTS (SELECT FROM scopes s WHERE {pairs})" if table.scope else "true"
    ctes = "".join(f"{cte},\n" for cte in scope_ctes(schema, whole=True))
    return f"""WITH {ctes}{same_cte(schema, noting, f"{stated} AS stated")}
SELECT {NONE}, {listed(table, whole=True)}
WHERE {ALL_MET}
  AND (SELECT count(DISTINCT id) FILTER (WHERE stated) FROM same) = {existing(schema)}"""


ALL_MET = f"(SELECT count(DISTINCT id) FROM same) = jsonb_array_length({ROWS})"
"""Whether each row of the batch is there as it is, and none of them twice."""


def same_cte(schema: TableSchema, noting: bool, *more: str) -> str:
    """The id of the stored row that is as the incoming one, for each of these."""
    if not noting:
        picked = ", ".join([f"{same_row(schema)} AS id", *more])
        return f"same AS MATERIALIZED (SELECT {picked} FROM {typed_rows(schema)} i)"
    picked = ", ".join(["f.id, f.version", found_columns(schema), *more])
    return f"""same AS MATERIALIZED (
    SELECT {picked} FROM {typed_rows(schema)} i
    LEFT JOIN LATERAL {same_row(schema, f", {VERSION} AS version")} f ON true),
{noted_cte(schema)}"""


@lru_cache(maxsize=1024)
def note_sql(schema: TableSchema) -> str:
    """Note the chunks of a batch whose rows are stored by now as they are in it."""
    return f"""WITH {same_cte(schema, noting=True)}
SELECT {NONE}, CAST('' AS text), CAST(ARRAY[] AS text[])"""


@lru_cache(maxsize=1024)
def versions_sql(schema: TableSchema) -> str:
    """A number for all that is stored of a complete list: another one once a row of it is written.

    It is of the rows, as that of chunks (`database.chunks`), of the keys of those that they hang
    on, and of the table's columns. '' for events and lists of periods, and for things with a parent
    that are no parts of it: they may lack it, and get it later.
    """
    table, parent = schema.table, schema.table.parent
    wanted = Kind.PART if parent else Kind.SNAPSHOT
    if table.kind is not wanted or table.scope or not table.by_day:
        return ""
    versions = f"coalesce(sum({VERSION}), 0) + layout_of('{table.name}')"
    if parent:
        key = names(("id", "account_id", *parent.fields.values()), "p.")
        theirs = f'FROM "{parent.table}" p WHERE p.id = t."{parent.column}"'
        number = f"hashtextextended(concat_ws(' ', {key}), 0)"
        versions += f" + coalesce(sum((SELECT sum({number}) {theirs})), 0)"
    return f"SELECT {versions} FROM {existing_rows(schema)}"


def one_of_several(schema: TableSchema, noting: bool) -> str:
    """The same of a batch that others follow: it is remembered which rows it had."""
    table = schema.table
    return f"""WITH {same_cte(schema, noting)},
remembered AS (
    INSERT INTO seen (table_name, row_id) SELECT '{table.name}', id FROM same WHERE {ALL_MET}
    RETURNING 1)
SELECT {NONE}, {listed(table, whole=False)} WHERE {ALL_MET}"""


def last_of_several(schema: TableSchema, noting: bool) -> str:
    """The same of the last batch: what exists has to be what all batches had."""
    table = schema.table
    return f"""WITH {same_cte(schema, noting)},
met AS (SELECT id FROM same UNION {seen_before(table)})
SELECT {NONE}, {listed(table, whole=True)}
WHERE {ALL_MET} AND (SELECT count(*) FROM met) = {existing(schema)}"""


def met_again(schema: TableSchema, noting: bool) -> str:
    """Let events be those of the document, if nothing else of them is new."""
    table = schema.table.name
    same, returned, noted = f"{same_row(schema)} AS id", "t.id", ""
    if noting:
        same += f", {found_columns(schema)}"
        returned, noted = f"s.*, {VERSION} AS version", f",\n{noted_cte(schema, 'met')}"
    return f"""WITH same AS MATERIALIZED (SELECT {same} FROM {typed_rows(schema)} i),
met AS (
    UPDATE "{table}" t SET document_id = {DOCUMENT} FROM same s
    WHERE t.id = s.id AND {ALL_MET}
    RETURNING {returned}){noted}
SELECT {NONE}, {listed(schema.table, whole=False)}
WHERE (SELECT count(*) FROM met) = jsonb_array_length({ROWS})"""


def same_row(schema: TableSchema, more: str = "") -> str:
    """The id (and `more`) of the stored row that has the key and the values of the incoming row i.

    A subquery has each row looked up, whatever statistics say (`incoming.parent_join`), by its key.
    With `gone_at IS NULL` as a condition, the planner could choose the index of rows not gone.
    """
    table, columns = schema.table, compared_columns(schema)
    pairs = zip(schema.key_of("t."), schema.key_of("i."), strict=True)
    wanted = [f"{stored} = {ours}" for stored, ours in pairs]
    wanted += [f"NOT ({table.derived})"] if table.derived else []
    if table.kind is Kind.EVENT:  # else the merge knows no time up to which AWS can have updated it
        wanted += ["EXISTS (SELECT FROM documents d WHERE d.id = t.document_id)"]
    found = "CASE WHEN t.gone_at IS NULL THEN t.id END" if table.kind is Kind.SNAPSHOT else "t.id"
    return f"""(SELECT {found} AS id{more} FROM "{table.name}" t WHERE {" AND ".join(wanted)}
    AND ({names(columns, "t.")}) IS NOT DISTINCT FROM ({names(columns, "i.")}) LIMIT 1)"""


def existing(schema: TableSchema) -> str:
    """How many rows a listing of all that the document states would have to name."""
    return f"(SELECT count(*) FROM {existing_rows(schema)})"


def scope_ctes(schema: TableSchema, whole: bool) -> list[str]:
    return [scopes_cte(schema)] if whole and schema.table.scope else []


def listed(table: Table, whole: bool) -> str:
    """The order and the scopes of what is listed, as `run_steps` notes them."""
    scopes = "ARRAY(SELECT DISTINCT covering FROM scopes)" if table.scope else "ARRAY['']"
    return f"{own_order(table)}, {scopes if whole else 'CAST(ARRAY[] AS text[])'}"
