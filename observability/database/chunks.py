"""Chunks of a list that are as they were: rows that need not be parsed, sent and compared again.

A chunk is noted when a comparison has found each of its rows stored with its values, and with it
the version of each stored row. PostgreSQL writes a row anew for every change, so as long as it has
the same transaction (xmin) and place (ctid), it has the same values, whoever may write to the table
(https://www.postgresql.org/docs/current/ddl-system-columns.html). So nothing has to be told that a
chunk is out of date: it is passed over only if all its rows have the version that was noted, and
where VACUUM FULL or pg_restore has moved them, they are compared once more.
"""

from __future__ import annotations

from functools import lru_cache

from observability.database.catalogue import TableSchema
from observability.database.incoming import existing_rows
from observability.database.statement import ACCOUNT, CHUNKS, DOCUMENT, NONE, ROWS, own_order
from observability.database.tables import Kind

VERSION = "hashtextextended(concat_ws(' ', t.id, t.xmin, t.ctid), 0)"
"""A number for what the stored row t is now: another one once it is written anew."""


PARENTS = 16
"""Rows of a chunk hang on so many others at most; their names come with it."""

NAMES_CHARACTERS = 500

ALL = 0
"""In place of the id of a row in `seen`: the listing was found to be all that exists."""

KNOWN_BYTES = 500_000
"""Of the chunks that one call answers: an answer of the Data API has 1 MiB at most."""

WATCHED = """ARRAY(
    SELECT c.relname FROM pg_class c WHERE c.relnamespace = CAST('public' AS regnamespace)
      AND (EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
           OR EXISTS (SELECT FROM pg_rewrite r
                      WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN')))"""
"""Tables to which people have added triggers or rules: nobody knows what those make of a row of
which only the document is new.
"""

KNOWN_SQL = f"""
SELECT CAST(jsonb_agg(s.chunk ORDER BY s.id) FILTER (WHERE s.so_far < {KNOWN_BYTES}) AS text)
FROM accounts a
LEFT JOIN LATERAL (
    SELECT c.id, c.chunk, sum(octet_length(CAST(c.chunk AS text))) OVER (ORDER BY c.id) AS so_far
    FROM (
        SELECT k.id, jsonb_build_array(k.id, cardinality(k.row_ids), k.length, k.head, k.digest,
                                       coalesce(k.parents, '{{}}'), k.table_name) AS chunk
        FROM chunks k WHERE k.account_id = a.id AND k.id > CAST(:after AS bigint)
          AND k.table_name <> ALL ({WATCHED})
          AND k.document_id IN (SELECT d.id FROM documents d WHERE d.account_id = a.id)
        ORDER BY k.id LIMIT {KNOWN_BYTES // 100}) c) s ON s.id IS NOT NULL
WHERE a.account_id = CAST(:account AS text) AND a.region = CAST(:region AS text)
  AND (SELECT max(d.period_end) FROM documents d WHERE d.account_id = a.id)
      <= CAST(:day AS date) + 1
  AND (SELECT d.id FROM documents d WHERE d.account_id = a.id AND NOT d.with_meta LIMIT 1) IS NULL
GROUP BY a.id"""
"""The next chunks of an account and region as JSON: NULL if there are none; no row if nothing is to
be passed over, as it has no documents, or such of other producers, or of later days. Chunks whose
document was deleted by hand do not count.

One text is read ten times as fast as records of the Data API.
"""

NOTHING_SQL = f"SELECT {NONE}, {NONE}, {NONE}"
"""What a step does where only its shorter way does something: that of the newest document."""

FORGET_ALL_CHUNKS_SQL = """
DELETE FROM chunks c USING accounts a
WHERE a.id = c.account_id AND a.account_id = CAST(:account AS text)
  AND a.region = CAST(:region AS text)"""
"""Delete the chunks of an account and region: one of them was not as it was noted."""

FORGET_CHUNKS_SQL = f"""
WITH forgotten AS (
    DELETE FROM chunks WHERE account_id = {ACCOUNT} AND document_id <> {DOCUMENT})
SELECT {NONE}, CAST('' AS text), CAST(ARRAY[] AS text[])"""
"""Delete the chunks that the newest document neither passed over nor noted."""


def found_columns(schema: TableSchema) -> str:
    """What `noted_cte` needs to know of an incoming row i."""
    parent = schema.table.parent
    return f'i.place, i."{parent.column}" AS parent' if parent else "i.place"


def noted_cte(schema: TableSchema, source: str = "same") -> str:
    """Note the chunks of the batch whose rows are all in `source`, with id, place and version.

    A row that is there twice, or not as it is in the document, leaves its chunk with too few. A
    list may have the same chunk twice.
    """
    parents, named = "CAST(NULL AS jsonb)", ""
    if parent := schema.table.parent:
        [column], ids = parent.fields.values(), "array_agg(DISTINCT s.parent)"
        parents = f"""CASE WHEN count(DISTINCT s.parent) <= {PARENTS} THEN (
            SELECT jsonb_object_agg(p."{column}", p.id)
            FROM "{parent.table}" p WHERE p.id = ANY ({ids})) END"""
        named = f"\n      AND length(CAST(g.parents AS text)) <= {NAMES_CHARACTERS}"
    return f"""cuts AS MATERIALIZED (
    SELECT array_agg(c.place ORDER BY c.place) AS places,
           array_agg(c.rows ORDER BY c.place) AS rows,
           array_agg(c.length ORDER BY c.place) AS lengths,
           array_agg(c.head ORDER BY c.place) AS heads,
           array_agg(c.digest ORDER BY c.place) AS digests
    FROM jsonb_to_recordset({CHUNKS}) AS c (
        place bigint, rows integer, length integer, head text, digest text)),
noted AS (
    INSERT INTO chunks AS c (account_id, table_name, document_id, digest, head, length, row_ids,
                             versions, layout, parents)
    SELECT DISTINCT ON (k.digests[g.number])
           {ACCOUNT}, '{schema.table.name}', {DOCUMENT}, k.digests[g.number], k.heads[g.number],
           k.lengths[g.number], g.row_ids, g.versions, (SELECT layout_of('{schema.table.name}')),
           g.parents
    FROM cuts k CROSS JOIN LATERAL (
        SELECT s.number, array_agg(s.id) AS row_ids, count(DISTINCT s.id) AS met,
               count(s.id) AS rows, sum(s.version) AS versions, {parents} AS parents
        FROM (SELECT s.*, width_bucket(s.place, k.places) AS number FROM {source} s) s
        WHERE s.number > 0 AND s.place < k.places[s.number] + k.rows[s.number]
        GROUP BY s.number) g
    WHERE g.rows = k.rows[g.number] AND g.met = k.rows[g.number]{named}
      AND '{schema.table.name}' <> ALL ({WATCHED})
    ON CONFLICT (account_id, table_name, digest) DO UPDATE
    SET document_id = excluded.document_id, row_ids = excluded.row_ids,
        versions = excluded.versions, layout = excluded.layout, parents = excluded.parents)"""


@lru_cache(maxsize=1024)
def pass_sql(schema: TableSchema) -> str:
    """Pass over the chunks whose numbers are the rows, if they are as they were noted, or nothing.

    Listed rows are remembered as met (`seen`); if they are all that exists, the listing is noted
    instead. Events become those of the document.
    """
    name = schema.table.name
    pass_over = pass_events if schema.table.kind is Kind.EVENT else pass_listed
    return f"""WITH asked AS MATERIALIZED (
    SELECT c.* FROM jsonb_array_elements_text({ROWS}) AS e (id)
    CROSS JOIN LATERAL (
        SELECT * FROM chunks c WHERE c.id = CAST(e.id AS bigint)
          AND c.account_id = {ACCOUNT} AND c.table_name = '{name}'
          AND c.layout = (SELECT layout_of('{name}')) LIMIT 1) c
    WHERE '{name}' <> ALL ({WATCHED})),
hanging AS (SELECT a.* FROM asked a WHERE {same_parents(schema)}),
{pass_over(schema)}"""


def pass_listed(schema: TableSchema) -> str:
    """Pass over chunks of a listing.

    If they are all that exists, no row is looked up, and the listing is noted at once. Else each is
    looked up and remembered for the step that ends the listing; also where a newer listing is left
    of a document that was deleted.
    """
    name = schema.table.name
    return f"""quick AS MATERIALIZED (SELECT {nothing_else(schema)} AS holds),
same AS (
    SELECT a.id FROM hanging a
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, sum({VERSION}) AS versions
        FROM unnest(a.row_ids) AS r (id) JOIN "{name}" t ON t.id = r.id) n
    WHERE n.rows = cardinality(a.row_ids) AND n.versions = a.versions),
met AS (
    INSERT INTO seen (table_name, row_id)
    SELECT '{name}', r.id FROM asked a CROSS JOIN unnest(a.row_ids) AS r (id)
    WHERE NOT (SELECT q.holds FROM quick q)
    UNION ALL SELECT '{name}', {ALL} FROM quick q WHERE q.holds),
kept AS (UPDATE chunks c SET document_id = {DOCUMENT} FROM asked a WHERE c.id = a.id)
SELECT {NONE}, {own_order(schema.table)},
       CASE WHEN q.holds THEN ARRAY[''] ELSE CAST(ARRAY[] AS text[]) END
FROM quick q
WHERE (SELECT count(*) FROM hanging) = jsonb_array_length({ROWS})
  AND CASE WHEN q.holds THEN true
           ELSE (SELECT count(*) FROM same) = jsonb_array_length({ROWS}) END"""


def pass_events(schema: TableSchema) -> str:
    """Set the events of the chunks to the document.

    Rows are updated by the places (ctid) at which they were found, which saves to look them up
    again. One that another transaction writes meanwhile has another place then: it is not updated,
    and nothing is passed over. As in `same_row`, their document has to exist still.
    """
    name = schema.table.name
    return f"""found AS MATERIALIZED (
    SELECT a.id AS chunk, cardinality(a.row_ids) AS rows, a.versions, t.ctid AS place,
           {VERSION} AS version
    FROM hanging a CROSS JOIN unnest(a.row_ids) AS r (id) JOIN "{name}" t ON t.id = r.id
    WHERE EXISTS (SELECT FROM documents d WHERE d.id = a.document_id)),
same AS (
    SELECT f.chunk FROM found f GROUP BY f.chunk
    HAVING count(*) = max(f.rows) AND sum(f.version) = max(f.versions)),
met AS (
    UPDATE "{name}" t SET document_id = {DOCUMENT} FROM found f WHERE t.ctid = f.place
    RETURNING f.chunk, {VERSION} AS version),
kept AS (
    UPDATE chunks c SET document_id = {DOCUMENT}, versions = k.versions
    FROM (SELECT m.chunk, sum(m.version) AS versions FROM met m GROUP BY m.chunk) k
    WHERE c.id = k.chunk)
SELECT {NONE}, CAST('' AS text), CAST(ARRAY[] AS text[])
WHERE (SELECT count(*) FROM same) = jsonb_array_length({ROWS})
  -- Two chunks may have the same row.
  AND (SELECT count(*) FROM met) IN ((SELECT count(*) FROM found),
                                     (SELECT count(DISTINCT f.place) FROM found f))"""


def nothing_else(schema: TableSchema) -> str:
    """Whether the listing is the newest, and all that exists is the chunks, and rows met before.

    One scan of the account takes a quarter of the time of looking up each row.
    """
    name, order = schema.table.name, own_order(schema.table)
    return f"""NOT EXISTS (
        SELECT FROM listings l WHERE l.account_id = {ACCOUNT} AND l.table_name = '{name}'
          AND l.scope = '' AND l.sort_key >= {order})
    AND coalesce((SELECT sum({VERSION}) FROM {existing_rows(schema)})
        = (SELECT sum(versions) FROM asked) + (
            SELECT coalesce(sum({VERSION}), 0)
            FROM (SELECT DISTINCT row_id FROM seen WHERE table_name = '{name}') s
            JOIN "{name}" t ON t.id = s.row_id), false)"""


def listed_sql(schema: TableSchema) -> str:
    """Answer if `pass_sql` has noted the listing: then it lacks nothing that exists."""
    return f"""SELECT {NONE}, '', CAST(ARRAY[] AS text[])
WHERE EXISTS (
    SELECT FROM seen WHERE table_name = '{schema.table.name}' AND row_id = {ALL})"""


def same_parents(schema: TableSchema) -> str:
    """The condition that the rows of chunk a hang on those whose names they have."""
    parent = schema.table.parent
    if not parent:
        return "true"
    field, column = next(iter(parent.fields.items()))
    key = schema.found_by[field]
    theirs = f'p."{column}"'
    return f"""NOT EXISTS (
    SELECT FROM jsonb_each_text(a.parents) AS x (name, parent) WHERE NOT EXISTS (
        SELECT FROM "{parent.table}" p
        WHERE p.id = CAST(x.parent AS bigint) AND p.account_id = {ACCOUNT}
          AND {key.in_key(theirs)} = {key.in_key("x.name")}))"""
