"""What follows when all that waited was loaded."""

from __future__ import annotations

from observability.database.client import DBManager
from observability.database.upkeep import forget_changes
from observability.log import log_event
from observability.receiving.bucket import S3Manager
from observability.receiving.coverage import load_expected_accounts
from observability.receiving.result import FileResult


def finish_sweep(s3: S3Manager, db: DBManager) -> list[FileResult]:
    """Take over the lists of accounts, and delete old changes; a result for what went wrong."""
    results = load_expected_accounts(s3, db)
    forget_changes(db)
    return results


def log_calls(s3: S3Manager, db: DBManager) -> None:
    """A line with how many calls there were, by operation."""
    calls = s3.calls.counts + db.calls.counts
    counts = ", ".join(f"{name} {times}" for name, times in sorted(calls.items()))
    log_event("INFO", f"calls: {counts}", calls=dict(calls))
