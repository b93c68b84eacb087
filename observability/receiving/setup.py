"""What is done before a run: applying the schema."""

from __future__ import annotations

from observability.database.client import DBManager
from observability.database.initialize import init_schema as apply_schema
from observability.database.kept import forget_others, keep
from observability.database.schema import schema_text, split_statements
from observability.receiving.known import KnownSchemas
from observability.receiving.statements import all_statements
from observability.settings.receiver import Settings

READ_POSITION_SQL = """
SELECT DISTINCT v.relname::text FROM pg_attribute a
JOIN pg_depend d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
                AND d.classid = 'pg_rewrite'::regclass
JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
WHERE a.attrelid = to_regclass('public.products') AND a.attname = 'position'
  AND a.atttypid = 'integer'::regtype"""
"""Views for which a column of an older version could not be given today's type."""


def init_schema(settings: Settings) -> int:
    """Apply schema.sql; DatabaseFault and UsageError say why it could not be."""
    statements = list(split_statements(schema_text()))
    db = DBManager(settings)
    apply_schema(db, statements)
    keep_statements(db)
    print(f"schema applied: {len(statements)} statements")
    if views := [record[0] for record in db.execute(READ_POSITION_SQL, {})]:
        print(
            "products.position is still a number, as it is read by the view "
            f"{', '.join(views)}: to make it a text, drop the view, run this again, and create the "
            "view anew"
        )
    return 0


def keep_statements(db: DBManager) -> None:
    """Have the database keep what documents are loaded with, so that none has to carry it."""
    made = all_statements(KnownSchemas(db).read())
    keep(db, made)
    forget_others(db, made)
