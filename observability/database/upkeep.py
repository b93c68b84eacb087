"""What is done to the database once per sweep."""

from __future__ import annotations

from observability.database.client import DBManager
from observability.errors import Transient
from observability.log import log_event

AT_ONCE = 20_000
"""Rows that a statement deletes: far fewer than it could in its 45 seconds."""
STATEMENTS = 100

FORGET_CHANGES_SQL = f"""
WITH forgotten AS (
    DELETE FROM changes WHERE id IN (
        SELECT old.id FROM accounts a CROSS JOIN LATERAL (
            SELECT c.id FROM changes c
            WHERE c.account_id = a.id
              AND c.created_at < now() - make_interval(days => CAST(:days AS integer))) old
        LIMIT {AT_ONCE})
    RETURNING 1)
SELECT count(*) FROM forgotten"""


def forget_changes(db: DBManager) -> None:
    """Delete changes that are older than they are kept; what is left is for the next sweep."""
    forgotten = 0
    try:
        for _ in range(STATEMENTS):
            [[deleted]] = db.execute(FORGET_CHANGES_SQL, {"days": db.settings.changes_days})
            forgotten += deleted
            if deleted < AT_ONCE:
                break
    except Transient as transient:
        log_event("INFO", f"old changes stay until the next sweep: {transient}")
    if forgotten:
        log_event("INFO", f"changes forgotten after {db.settings.changes_days} days: {forgotten}")
