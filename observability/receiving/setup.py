"""What is done before a run: testing access, and applying the schema."""

from __future__ import annotations

from collections.abc import Callable

from observability.database.client import DBManager
from observability.database.initialize import init_schema as apply_schema
from observability.database.schema import schema_text, split_statements
from observability.errors import DatabaseFault, Rejected, Transient, UsageError
from observability.log import printable
from observability.receiving.bucket import S3Manager
from observability.settings.receiver import Settings
from observability.stopping import STOP


def try_transaction(db: DBManager) -> None:
    """Begin a transaction and roll it back."""
    with db.transaction(keep=False):
        pass


def check(settings: Settings) -> int:
    """Test what a run needs, a line each; 0 where all is there."""
    s3, db = S3Manager(settings), DBManager(settings)
    tests: dict[str, Callable[[], object]] = {
        "S3: list data/": lambda: next(s3.list_files("data/"), None),
        "S3: list loaded/": lambda: next(s3.list_files("loaded/"), None),
        "RDS Data API: statement": lambda: db.execute("SELECT 1", {}),
        "RDS Data API: transaction": lambda: try_transaction(db),
        "schema": lambda: db.catalogue(),
    }
    from botocore.exceptions import BotoCoreError, ClientError

    failures = 0
    for name, test in tests.items():
        try:
            test()
            print(f"ok      {name}")
        except (
            BotoCoreError, ClientError, DatabaseFault, Rejected, Transient, UsageError
        ) as error:  # fmt: skip
            if STOP.by:
                raise
            failures += 1
            print(f"FAILED  {name}: {printable(str(error))}")
    return 1 if failures else 0


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
    print(f"schema applied: {len(statements)} statements")
    if views := [record[0] for record in db.execute(READ_POSITION_SQL, {})]:
        print(
            "products.position is still a number, as it is read by the view "
            f"{', '.join(views)}: to make it a text, drop the view, run this again, and create the "
            "view anew"
        )
    return 0
