"""Statements that the database keeps, so that a document names them and need not carry them.

Of a small document they would be four fifths of the request. A statement is named by its digest,
and the table `statements` takes no text under a digest that is not its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache

from observability.database.client import DBManager

KEEP_SQL = """
WITH kept AS (
    INSERT INTO statements (digest, sql)
    SELECT s.digest, s.sql
    FROM jsonb_to_recordset(CAST(:statements AS jsonb)) AS s (digest text, sql text)
    ORDER BY s.digest ON CONFLICT DO NOTHING
    RETURNING 1)
SELECT count(*) FROM kept"""

FORGET_SQL = """
WITH forgotten AS (
    DELETE FROM statements
    WHERE created_at < now() - interval '90 days' AND digest <> ALL (string_to_array(:kept, ','))
    RETURNING 1)
SELECT count(*) FROM forgotten"""

AT_ONCE = 1 << 20
"""From so many characters on, statements are sent; a call may have 4 MiB."""


@lru_cache(maxsize=4096)
def digest(sql: str) -> str:
    """The name of a statement: the SHA-256 of its text."""
    return hashlib.sha256(sql.encode()).hexdigest()


def keep(db: DBManager, statements: Iterable[str]) -> None:
    """Have the database keep statements; those that it has stay as they are.

    In a transaction of its own: others that keep the same wait for its end.
    """
    batch: list[dict[str, str]] = []
    size = 0
    for sql in statements:
        batch.append({"digest": digest(sql), "sql": sql})
        size += len(sql)
        if size > AT_ONCE:
            db.execute(KEEP_SQL, {"statements": json.dumps(batch)})
            batch, size = [], 0
    if batch:
        db.execute(KEEP_SQL, {"statements": json.dumps(batch)})


def forget_others(db: DBManager, statements: Iterable[str]) -> None:
    """Delete statements that are over 90 days old and none of these.

    An older receiver that still runs adds its own again.
    """
    db.execute(FORGET_SQL, {"kept": ",".join(map(digest, statements))})
