"""The database's two roles: what the receiver may do, and what people who read may see.

They are named like the database: `observability_writer` and `observability_reader`. Users are
members of them. deploy/rotation.py makes them, or somebody by hand; `--init-schema` makes none, but
keeps the rights of those that there are, table by table. Tables that people add are theirs to
grant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from observability.database.schema import own_schema, schema_text
from observability.database.tables import PERSONAL

LOCK = 7236410951
"""The advisory lock under which schema.sql is applied. Granting waits for it, so that tables which
are being made get their rights, too.
"""

LONGEST = 56
"""Characters of the database's name in those of its roles; a name has 63 in PostgreSQL."""

ALL = "INSERT, UPDATE, DELETE"
"""What the receiver writes: rows that it loads, marks as gone, and takes out again (--erase)."""
LESS = dict.fromkeys(("changes", "listings", "notices"), "INSERT, DELETE") | {
    "statements": "INSERT"
}
"""Tables of history: their rows are never updated. Statements are kept as they are."""

VIEW = re.compile(r"^CREATE OR REPLACE VIEW (\w+)", re.MULTILINE)

MAKE = """
    FOR role IN SELECT r.name FROM unnest(names) AS r (name)
                WHERE NOT EXISTS (SELECT FROM pg_roles p WHERE p.rolname = r.name) LOOP
        EXECUTE format('CREATE ROLE %I NOLOGIN', role.name);
    END LOOP;"""

# What a role had before goes first: a column may have become personal.
RIGHTS = """
DECLARE
    names TEXT[] := ARRAY[left(current_database(), {longest}) || '_writer',
                          left(current_database(), {longest}) || '_reader'];
    role RECORD;
    own RECORD;
    may TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock({lock});{make}
    FOR role IN SELECT r.rolname AS name, r.rolname = names[1] AS writes
                FROM pg_roles r WHERE r.rolname = ANY (names) LOOP
        EXECUTE format('GRANT CONNECT%s ON DATABASE %I TO %I',
                       CASE WHEN role.writes THEN ', TEMPORARY' END, current_database(), role.name);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role.name);
        FOR own IN SELECT o.* FROM (VALUES
{own}) AS o (name, writes, hidden)
                   WHERE to_regclass('public.' || o.name) IS NOT NULL LOOP
            SELECT CASE WHEN role.writes THEN concat_ws(', ', 'SELECT', o.writes)
                        WHEN o.hidden IS NULL THEN 'SELECT'
                        WHEN o.hidden <> '' THEN format('SELECT (%s)', string_agg(
                            quote_ident(a.attname), ', ' ORDER BY a.attnum)) END INTO may
            FROM (SELECT own.writes, own.hidden) o
            LEFT JOIN pg_attribute a ON a.attrelid = to_regclass('public.' || own.name)
             AND a.attnum > 0 AND NOT a.attisdropped
             AND a.attname <> ALL (string_to_array(o.hidden, ','))
            GROUP BY o.writes, o.hidden;
            EXECUTE format('REVOKE ALL ON public.%I FROM %I', own.name, role.name);
            IF may IS NOT NULL THEN
                EXECUTE format('GRANT %s ON public.%I TO %I', may, own.name, role.name);
            END IF;
        END LOOP;
    END LOOP;
END"""


def rights_sql(*, make: bool = False) -> str:
    """The statement that gives both roles their rights; `make`: and makes those that lack.

    It may be run again, by the owner of the tables. Rights that a role should not have any more
    end; those on tables that are not of schema.sql stay.
    """
    own = ",\n".join(f"            ({', '.join(row)})" for row in own_relations())
    body = RIGHTS.format(longest=LONGEST, lock=LOCK, make=MAKE if make else "", own=own)
    return f"DO {quoted(body)}"


MEMBER = """
DECLARE
    granted RECORD;
BEGIN
    EXECUTE format('GRANT %I TO "{user}"', left(current_database(), {longest}) || '_{role}');
    FOR granted IN SELECT DISTINCT c.relname AS name FROM pg_class c
                LEFT JOIN pg_attribute t ON t.attrelid = c.oid AND t.attacl IS NOT NULL
                CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, t.attacl) || t.attacl) a
                WHERE c.relnamespace = CAST('public' AS regnamespace)
                  AND a.grantee = CAST('"{user}"' AS regrole)
                  AND a.grantor = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)
                  AND ('{role}' = 'writer' OR c.relname IN ({own})) LOOP
        EXECUTE format('REVOKE ALL ON public.%I FROM "{user}"', granted.name);
    END LOOP;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM "{user}";
    ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM "{user}";
END"""


def member_sql(user: str, role: str) -> str:
    """The statement that makes a user a member of `writer` or `reader`.

    What an earlier version granted to the user itself ends: to the receiver all tables that there
    were, also people's, and those to come. What people granted to a reader on their tables stays.
    """
    own = ", ".join(name for name, _, _ in own_relations())
    return f"DO {quoted(MEMBER.format(user=user, role=role, longest=LONGEST, own=own))}"


def writes_to(table: str) -> str:
    """The privileges by which the receiver writes to a table, as GRANT has them."""
    return LESS.get(table, ALL)


def own_relations() -> Iterator[tuple[str, str, str]]:
    """Each table and view: its name, what is written to it, and what readers do not see of it."""
    tables = own_schema().tables
    for name in (*tables, *VIEW.findall(schema_text())):
        writes = quoted(writes_to(name)) if name in tables else "NULL"
        hidden = quoted(",".join(PERSONAL[name])) if name in PERSONAL else "NULL"
        yield quoted(name), writes, hidden


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
