"""Taking data out again: an account for good, and what is older than it is wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from observability.contract import ACCOUNTS_PREFIX, uploads_folder
from observability.database.client import DBManager
from observability.database.schema import own_schema
from observability.errors import UsageError
from observability.loaders import STORED
from observability.log import log_event
from observability.receiving.bucket import S3Manager
from observability.settings.values import ACCOUNT_ID

AT_ONCE = 20_000
"""Rows that one statement deletes: it takes seconds, and the Data API allows 45."""
OBJECTS_AT_ONCE = 1000
"""What S3 deletes in one request (DeleteObjects)."""
PREFIXES = ("data", "loaded", "rejected", "forgotten")
LEAST_DAYS = 35
"""A sender may still restate what is younger."""


def erase_account(s3: S3Manager, db: DBManager, account: str, *, dry_run: bool) -> int:
    """Delete an account: every version of its objects, then its rows; the exit code.

    The objects come first, as the receiver would load what is left of them. It may be repeated:
    where it was broken off, it goes on.
    """
    if not ACCOUNT_ID.fullmatch(account):
        raise UsageError(f"--erase: {account!r} is not an account id of 12 digits")
    known = db.execute(ROWS_SQL, {"account": account})
    versions = sum(1 for _ in versions_of(s3, account))
    counts = Counter({"versions of objects": versions, "regions": len(known)})
    if not dry_run:
        erase_objects(s3, account)
        counts += erase_rows(db, account)
        for table in BY_NUMBER:
            db.execute(BY_NUMBER_SQL.format(table), {"account": account})
    tell("would erase" if dry_run else "erased", f"account {account}", counts)
    return 0


def erase_rows(db: DBManager, account: str) -> Counter[str]:
    """Delete the rows of an account; how many there were, by table."""
    counts = Counter[str]()
    for table in tables_with("account_id"):
        counts[table] += delete_in_parts(db, ERASE_SQL.format(table), account=account)
    db.execute(BY_NUMBER_SQL.format("accounts"), {"account": account})
    return counts


ROWS_SQL = "SELECT region FROM accounts WHERE account_id = CAST(:account AS text)"
ERASE_SQL = """
WITH chosen AS MATERIALIZED (
    SELECT id FROM {0} WHERE account_id IN (
        SELECT id FROM accounts WHERE account_id = CAST(:account AS text)) LIMIT :at_once),
gone AS (DELETE FROM {0} WHERE id IN (SELECT id FROM chosen) RETURNING 1)
SELECT count(*) FROM gone"""
BY_NUMBER = ("expected_accounts", "account_tags")
"""Tables whose account_id is the number of 12 digits, not accounts.id."""
BY_NUMBER_SQL = "DELETE FROM {} WHERE account_id = CAST(:account AS text)"


def versions_of(s3: S3Manager, account: str) -> Iterator[dict[str, str]]:
    """Every version and delete marker of the account's objects (S3: ListObjectVersions)."""
    pages = s3.client.get_paginator("list_object_versions")
    documents = (f"{place}/{account}/" for place in PREFIXES)
    for prefix in (*documents, f"{ACCOUNTS_PREFIX}{account}.", uploads_folder(account)):
        for page in pages.paginate(Bucket=s3.bucket, Prefix=prefix):
            for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield {"Key": version["Key"], "VersionId": version["VersionId"]}


def erase_objects(s3: S3Manager, account: str) -> None:
    """Delete them (S3: DeleteObjects); UsageError for what may not be deleted."""
    wanted: list[dict[str, str]] = list(versions_of(s3, account))
    for first in range(0, len(wanted), OBJECTS_AT_ONCE):
        batch: Any = {"Objects": wanted[first : first + OBJECTS_AT_ONCE], "Quiet": True}
        answer = s3.client.delete_objects(Bucket=s3.bucket, Delete=batch)
        if refused := answer.get("Errors"):
            listed = f"{refused[0].get('Key')}: {refused[0].get('Code')}"
            raise UsageError(f"S3 does not delete {len(refused)} objects, such as {listed}")


def expire(db: DBManager, days: int, *, dry_run: bool) -> int:
    """Delete what is over for more than so many days: gone rows, log messages, and so on.

    What exists, costs and findings stay, and so do the newest statements that loading goes by.
    """
    counts = Counter[str]()
    for name, (table, condition) in expiring().items():
        what = f"{table} t WHERE {condition}"
        if dry_run:
            counts[name] += db.execute(f"SELECT count(*) FROM {what}", {"days": days})[0][0]
        else:
            counts[name] += delete_in_parts(db, EXPIRE_SQL.format(table, what), days=days)
    tell("would delete" if dry_run else "deleted", f"what has been over for {days} days", counts)
    return 0


EXPIRE_SQL = """
WITH chosen AS MATERIALIZED (SELECT t.ctid FROM {1} LIMIT :at_once),
gone AS (DELETE FROM {0} t USING chosen WHERE t.ctid = chosen.ctid RETURNING 1)
SELECT count(*) FROM gone"""
OLD = "t.{} < now() - CAST(:days AS integer) * interval '1 day'"
NEWER_LISTING = """EXISTS (
    SELECT FROM listings n WHERE n.account_id = t.account_id AND n.table_name = t.table_name
    AND n.scope = t.scope AND n.sort_key > t.sort_key)"""


def expiring() -> dict[str, tuple[str, str]]:
    """What expires: its name, its table and which of the rows."""
    found = {name: (name, OLD.format("gone_at")) for name in tables_with("gone_at")}
    found["log_messages"] = ("log_messages", OLD.format("created_at"))
    found["listings"] = ("listings", f"{OLD.format('collected_at')} AND {NEWER_LISTING}")
    for name, column in (("changes", "created_at"), ("daily_counts", "day")):
        if name in own_schema().tables:
            found[name] = (name, OLD.format(column))
    return found


def tables_with(column: str) -> list[str]:
    """Our tables that have a column, those first that others do not hang on."""
    tables = own_schema().tables
    ordered = [*reversed(STORED), *(name for name in tables if name not in STORED)]
    first = [name for name in ordered if name not in ("documents", "accounts", *BY_NUMBER)]
    return [name for name in (*first, "documents") if column in tables.get(name, {})]


def delete_in_parts(db: DBManager, sql: str, **parameters: str | int) -> int:
    """Run a statement that deletes AT_ONCE rows at most until none is left; how many there were."""

    def part() -> int:
        return int(db.execute(sql, {**parameters, "at_once": AT_ONCE})[0][0])

    return sum(until_short(part))


def until_short(part: Callable[[], int]) -> Iterator[int]:
    """What parts deleted, up to the first one that was not full."""
    while (deleted := part()) == AT_ONCE:
        yield deleted
    yield deleted


def tell(done: str, what: str, counts: Counter[str]) -> None:
    """A line of the story, and the result on stdout."""
    listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count)
    line = f"{done} {what}: {listed or 'there is nothing'}"
    log_event("INFO", line, counts=dict(counts))
    print(line)
