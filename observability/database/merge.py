"""The statement that merges a batch of rows into a table, and counts what it did.

Identifiers come from the catalogue, values from parameters (`database.statement`). Each statement
counts what it created, updated and marked as gone.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from observability.database.catalogue import TableSchema
from observability.database.changes import change_columns, change_values, changed_cte, known_cte
from observability.database.incoming import incoming_cte, names, rows_of, scopes_cte, version_of
from observability.database.statement import (
    ACCOUNT,
    COLLECTED_AT,
    DOCUMENT,
    NONE,
    SAME_ACCOUNT,
    WITH_META,
    order_of,
    own_order,
)
from observability.database.tables import Kind, Table


def values_sql(schema: TableSchema) -> str:
    """Cast the rows and do nothing with them: the error of a value, and of nothing else."""
    return f"SELECT count(r), {NONE}, {NONE} FROM {rows_of(schema.fields)} r"


def newer_cte(table: Table) -> str:
    """Per scope, the first complete listing that is newer than this document."""
    listing = f"""SELECT {{0}} AS covering, l.collected_at FROM listings l
        WHERE l.account_id = {ACCOUNT} AND l.table_name = '{table.name}'
          AND l.scope = {{0}} AND l.sort_key > {own_order(table)}
        ORDER BY l.sort_key LIMIT 1"""
    if not table.scope:
        return f"""newer AS MATERIALIZED ({listing.format("''")})"""
    return f"""newer AS MATERIALIZED (
    SELECT l.covering, l.collected_at
    FROM (SELECT covering FROM incoming UNION SELECT covering FROM scopes) s
    CROSS JOIN LATERAL ({listing.format("s.covering")}) l)"""


def seen_before(table: Table) -> str:
    """The ids of the rows that earlier batches of this document have met.

    Those that they made are known by the document's id, and no newer than it.
    """
    return f"SELECT row_id FROM seen WHERE table_name = '{table.name}'"


def replaces(schema: TableSchema, several: bool) -> str:
    """The condition under which the incoming row i replaces the stored row t of the document d.

    Of two versions of an event the later replaces, of two alike the newer document's: not all that
    people change (a finding's workflow status) moves AWS's own update time. What exists now, and
    was stated by a document with meta, is for such documents alone to state.
    """
    table = schema.table
    newer = f"{order_of(table)} < {own_order(table)}"
    if table.kind is Kind.SNAPSHOT:
        newer = f"CASE WHEN d.with_meta = {WITH_META} THEN {newer} ELSE {WITH_META} END"
    newer_document = f"coalesce({newer}, true)"
    if table.kind is Kind.EVENT and table.version:
        ours = version_of(table, "i", COLLECTED_AT)
        stored = version_of(table, "t", "d.collected_at")
        return f"""CASE WHEN {ours} IS DISTINCT FROM {stored}
            THEN coalesce({ours} > {stored}, {stored} IS NULL) ELSE {newer_document} END"""
    if table.kind is Kind.EVENT:
        return newer_document
    if several:  # of two rows with one key the first stays, in whichever batches they are
        newer_document += f" AND t.id NOT IN ({seen_before(table)})"
    alive = f" AND (n.covering IS NULL OR t.gone_at IS NOT NULL OR {TAKEN_OVER})"
    return newer_document + (alive if table.kind is Kind.SNAPSHOT else " AND n.covering IS NULL")


TAKEN_OVER = f"({WITH_META} AND NOT coalesce(d.with_meta, true))"
"""Whether this document has meta, and the stored row is from one that has none."""


def merged(column: str) -> str:
    """The value of an event's column: a document without meta may not know all that another does.

    So where one of two versions is of such a document, what the later lacks is the earlier's.
    """
    incoming, stored = f'i."{column}"', f't."{column}"'
    return f"""CASE WHEN NOT w.replaces THEN coalesce({stored}, {incoming})
        WHEN w.partial THEN coalesce({incoming}, {stored}) ELSE {incoming} END AS "{column}\""""


def compared_columns(schema: TableSchema) -> list[str]:
    """The columns in which a row of the document may differ from the stored one."""
    ignored = schema.table.gone_value[0] if schema.table.gone_value else None
    return [column for column in schema.data if column != ignored]


def compared_cte(schema: TableSchema, several: bool) -> str:
    """Each incoming row beside the stored one: is it new, does it win, does it differ?"""
    table = schema.table
    gone = "t.gone_at" if table.kind is Kind.SNAPSHOT else "CAST(NULL AS timestamptz)"
    data = compared_columns(schema)
    pairs = zip(schema.key_of("t."), schema.key_of("i."), strict=True)
    key = " AND ".join(f"{stored} = {ours}" for stored, ours in pairs)
    touched = ", t.updated_at AS was_updated_at" if schema.stamped else ""
    differs = f"({names(data, 't.')}) IS DISTINCT FROM ({names(data, 'm.')})"
    values, fills = "SELECT i.*", "false"
    next_at, outdated = "n.collected_at", "n.covering IS NOT NULL"
    newer = "LEFT JOIN newer n ON n.covering = i.covering"
    if table.kind is Kind.EVENT:
        next_at, outdated, newer = "CAST(NULL AS timestamptz)", "false", ""
        kept = names([*schema.owner, "covering"], "i.")
        values = f"SELECT {', '.join([kept, *map(merged, schema.data)])}"
        fills = f"NOT coalesce(d.with_meta, true) AND {differs}"
    return f"""compared AS MATERIALIZED (
    SELECT m.*, t.id AS row_id, t.document_id AS was_from, {gone} AS was_gone_at,
           {next_at} AS next_at, {outdated} AS outdated, {differs} AS differs,
           w.replaces OR (t.id IS NOT NULL AND NOT w.replaces AND {fills}) AS replaces,
           NOT w.replaces AS fills, {TAKEN_OVER} AS taken_over{touched}
    FROM incoming i {newer}
    LEFT JOIN "{table.name}" t ON {key}
    LEFT JOIN documents d ON d.id = t.document_id
    CROSS JOIN LATERAL (SELECT {replaces(schema, several)} AS replaces,
        NOT ({WITH_META} AND coalesce(d.with_meta, true)) AS partial) w
    CROSS JOIN LATERAL ({values}) m)"""


def written_ctes(schema: TableSchema, complete: bool) -> list[str]:
    """Insert what is new and update what changed, and nothing else.

    An unchanged row is touched only where its document cannot vouch for the whole listing: then
    the row itself must remember the newest document that had it. Two statements, because INSERT
    … ON CONFLICT takes an id out of the sequence for each row that it then only updates.
    """
    table = schema.table
    values = {column: value_of(schema, column) for column in schema.owner + schema.data}
    values["document_id"] = DOCUMENT
    if table.kind is Kind.EVENT:
        values["document_id"] = f"CASE WHEN j.fills THEN j.was_from ELSE {DOCUMENT} END"
    if table.kind is Kind.SNAPSHOT:
        values["gone_at"] = "j.next_at"
    if schema.stamped:
        same = "j.row_id IS NOT NULL AND NOT j.differs AND j.was_gone_at IS NULL"
        values["updated_at"] = f"CASE WHEN {same} THEN j.was_updated_at ELSE now() END"
    creates = " AND NOT j.outdated" if table.kind in (Kind.PERIOD, Kind.PART) else ""
    moves = " AND (j.differs OR j.was_gone_at IS NOT NULL OR j.taken_over)" if complete else ""
    updates = [f'"{c}" = {value}' for c, value in values.items() if c != "account_id"]
    returned = ["id", *change_columns(schema)]
    returned += ["gone_at"] if table.kind is Kind.SNAPSHOT else []
    return [
        f"""inserted AS (
    INSERT INTO "{table.name}" ({names(values)})
    SELECT {", ".join(values.values())} FROM compared j
    WHERE j.row_id IS NULL{creates}
    RETURNING {names(returned)})""",
        f"""updated AS (
    UPDATE "{table.name}" t SET {", ".join(updates)}
    FROM compared j
    WHERE j.row_id IS NOT NULL AND t.id = j.row_id AND j.replaces{moves}
    RETURNING t.id)""",
        f"""due AS (
    SELECT count(*) FILTER (WHERE j.row_id IS NULL{creates})
         + count(*) FILTER (WHERE j.row_id IS NOT NULL AND j.replaces{moves}) AS n,
           count(*) FILTER (WHERE j.row_id IS NOT NULL AND j.replaces AND (
               j.differs OR j.was_gone_at IS NOT NULL AND NOT j.outdated)) AS updated
    FROM compared j)""",
    ]


def value_of(schema: TableSchema, column: str) -> str:
    """What is stored in a column of a written row j."""
    if schema.table.gone_value and column == schema.table.gone_value[0]:
        gone = schema.table.gone_value[1]
        return f"CASE WHEN j.next_at IS NULL THEN j.\"{column}\" ELSE '{gone}' END"
    return f'j."{column}"'


def seen_condition(schema: TableSchema, several: bool) -> str:
    """Whether the listing lacks the stored row t; NOT IN looks it up in a hash of what was seen."""
    seen = "SELECT row_id FROM compared WHERE row_id IS NOT NULL"
    if several:
        seen += f" UNION ALL {seen_before(schema.table)}"
    return f"t.id NOT IN ({seen})"


def gone_cte(schema: TableSchema, several: bool) -> str:
    """Mark what a complete listing lacks as gone since its time.

    Living rows are the newest listing's to decide. A listing that arrives late may only move the
    time of what was last listed just before it.
    """
    table = schema.table
    extra = f", \"{table.gone_value[0]}\" = '{table.gone_value[1]}'" if table.gone_value else ""
    if schema.stamped:
        extra += ", updated_at = now()"
    order = order_of(table)
    candidates = f"""SELECT t.id, {{fresh}} AS fresh, coalesce({order}, '') AS sort_key
        FROM "{table.name}" t LEFT JOIN documents d ON d.id = t.document_id
        WHERE t.account_id = {ACCOUNT} AND t.document_id IS NOT NULL
          AND coalesce({order}, '') < {own_order(table)}
          AND {seen_condition(schema, several)}"""
    return f"""previous AS (
    SELECT l.sort_key, l.document_id FROM listings l
    WHERE l.account_id = {ACCOUNT} AND l.table_name = '{table.name}' AND l.scope = ''
      AND l.sort_key < {own_order(table)}
    ORDER BY l.sort_key DESC LIMIT 1),
absent AS (
    {candidates.format(fresh="true")} AND t.gone_at IS NULL AND NOT EXISTS (SELECT FROM newer)
    UNION ALL
    {candidates.format(fresh="false")} AND t.gone_at IS NOT NULL
          AND t.gone_at <> {COLLECTED_AT} AND EXISTS (SELECT FROM newer)
          AND coalesce({order}, '') >= coalesce((SELECT sort_key FROM previous), '')),
vanished AS (
    UPDATE "{table.name}" t
    SET gone_at = {COLLECTED_AT}, document_id = coalesce((
        SELECT p.document_id FROM previous p WHERE p.sort_key > a.sort_key), t.document_id){extra}
    FROM absent a WHERE t.id = a.id
    RETURNING t.id, a.fresh, '' AS covering{change_values(schema)})"""


def deleted_cte(schema: TableSchema, several: bool) -> str:
    """Delete what the newest complete statement about a period or parent no longer has."""
    table = schema.table
    scoped = "".join(f' AND t."{column}" = s."{column}"' for column in table.scope)
    owner = f"t.account_id = {SAME_ACCOUNT} AND " if schema.owner else ""
    owner += f"NOT ({table.derived}) AND " if table.derived else ""
    return f"""absent AS (
    SELECT t.id, s.covering FROM "{table.name}" t CROSS JOIN scopes s
    LEFT JOIN documents d ON d.id = t.document_id
    WHERE {owner}t.document_id IS NOT NULL{scoped}
      AND coalesce({order_of(table)}, '') < {own_order(table)}
      AND NOT EXISTS (SELECT FROM newer n WHERE n.covering = s.covering)
      AND {seen_condition(schema, several)}),
vanished AS (
    DELETE FROM "{table.name}" t USING absent a WHERE t.id = a.id
    RETURNING t.id, a.covering{change_values(schema)})"""


class Extent(Enum):
    """How much of its listing a batch is."""

    SOME = "the document cannot vouch for the whole listing: absence means nothing"
    MORE = "one of several batches of a complete listing; others follow"
    LAST = "the last of several batches of a complete listing"
    WHOLE = "the one batch of a complete listing"


@lru_cache(maxsize=1024)
def merge_sql(schema: TableSchema, extent: Extent) -> str:
    """Merge one batch of rows into a table, and count: created, updated, gone.

    Where fewer rows were written than were to be, `created` is their difference, below 0: a trigger
    or a policy that somebody added has left rows out, and PostgreSQL raises no error for that.
    """
    table = schema.table
    ctes = [incoming_cte(schema)]
    ctes += [scopes_cte(schema)] if table.kind in (Kind.PERIOD, Kind.PART) else []
    ctes += [newer_cte(table)] if table.kind is not Kind.EVENT else []
    several = extent in (Extent.MORE, Extent.LAST)
    ctes += [compared_cte(schema, several), *written_ctes(schema, extent is not Extent.SOME)]
    vanishes, vanished, absent = False, NONE, NONE
    if extent in (Extent.WHOLE, Extent.LAST):
        gone = table.kind is Kind.SNAPSHOT
        ctes.append(gone_cte(schema, several) if gone else deleted_cte(schema, several))
        ctes.append(listed_cte(table))
        vanishes, vanished = True, "(SELECT count(*) FROM vanished)"
        absent = "(SELECT count(DISTINCT id) FROM absent)"
    elif extent is Extent.MORE:
        ctes.append(f"""remembered AS (
    INSERT INTO seen (table_name, row_id)
    SELECT '{table.name}', row_id FROM compared WHERE row_id IS NOT NULL)""")
    ctes += [known_cte(table), changed_cte(schema, vanishes=vanishes)]
    return f"""WITH {", ".join(ctes)},
written AS (
    SELECT (SELECT count(*) FROM inserted) AS created, (SELECT count(*) FROM updated) AS changed,
           {vanished} AS gone, due.n + {absent} AS due, due.updated
    FROM due)
SELECT CASE WHEN created + changed + gone < due THEN created + changed + gone - due
            ELSE created END, updated, gone
FROM written"""


def listed_cte(table: Table) -> str:
    """Note what the document states the whole of."""
    scopes = "SELECT DISTINCT covering FROM scopes" if table.scope else "SELECT '' AS covering"
    return f"""listed AS (
    INSERT INTO listings (account_id, table_name, scope, sort_key, document_id, collected_at)
    SELECT {ACCOUNT}, '{table.name}', s.covering, {own_order(table)}, {DOCUMENT}, {COLLECTED_AT}
    FROM ({scopes}) s ON CONFLICT DO NOTHING)"""


RUN_SQL = """
SELECT created, updated, gone
FROM run_steps(CAST(:document AS bigint), CAST(:steps AS jsonb))"""

LOAD_SQL = """
SELECT loaded_before, today, CAST(counted AS text), unknown
FROM load_document(CAST(:document AS jsonb), CAST(:steps AS jsonb), :begins, :ends)"""

SEEN_SQL = "CREATE TEMPORARY TABLE seen (table_name text, row_id bigint) ON COMMIT DROP"
