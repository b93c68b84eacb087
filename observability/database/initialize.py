"""Applying schema.sql: all of it or nothing, by one at a time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from itertools import count

from observability.database.catalogue import check_is_ours, check_not_newer
from observability.database.client import DBManager
from observability.database.errors import STILL_RUNNING, without_values
from observability.database.rights import LOCK, rights_sql
from observability.database.schema import own_schema
from observability.errors import DatabaseFault, Rejected, Transient
from observability.log import log_event
from observability.stopping import STOP, backoff, wait

# A lock of the transaction: the Data API pools sessions. It is tried and not waited for, as a
# statement has 45 seconds. IF NOT EXISTS is no lock. The search path is for a database that has
# another one, or a schema named like its user.
LOCK_SQL = f"""
SELECT pg_try_advisory_xact_lock({LOCK}),
       set_config('lock_timeout', '30s', true), set_config('search_path', 'public', true)"""

TIMED_OUT = "StatementTimeoutException"


def init_schema(
    db: DBManager, statements: Sequence[str], first: Callable[[str], None] = lambda _: None
) -> None:
    """Apply the schema in one transaction, in which `first` is called; safe to run again.

    Waits within --patience for others that do the same or hold its tables. Raises UsageError where
    the database is another program's or has a newer schema, DatabaseFault where a statement fails;
    nothing is applied then.
    """
    deadline = time.monotonic() + db.settings.patience
    for attempt in count():
        try:
            with db.transaction() as transaction:
                lock(db, transaction)
                first(transaction)
                apply_all(db, statements, transaction, deadline)
            return
        except Transient as transient:
            if STOP.by or db.gave_up.is_set() or time.monotonic() > deadline:
                raise Transient(f"schema.sql is not applied: {transient}") from transient
            log_event("INFO", f"schema.sql: {transient}; trying again", attempt=attempt + 1)
            wait(backoff(attempt))


def lock(db: DBManager, transaction: str) -> None:
    if not db.execute(LOCK_SQL, {}, transaction)[0][0]:
        raise Transient("another receiver is applying it")


def apply_all(db: DBManager, statements: Sequence[str], transaction: str, deadline: float) -> None:
    there, own = db.names(transaction), own_schema()
    check_is_ours(there, own)
    check_not_newer(there, own)
    from botocore.exceptions import ClientError

    for statement in statements:
        try:
            apply(db, statement, transaction, deadline)
        except (ClientError, DatabaseFault, Rejected) as error:
            raise failure(statement, error) from error
    check_names(db, transaction)
    db.execute(rights_sql(), {}, transaction)


NAMES_SQL = """
SELECT own.name, own.t, coalesce(t.relname, '')
FROM jsonb_to_recordset(CAST(:own AS jsonb)) AS own (name text, t text, u boolean)
LEFT JOIN pg_class x ON x.relname = own.name AND x.relnamespace = 'public'::regnamespace
LEFT JOIN pg_index i ON i.indexrelid = x.oid
LEFT JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relname IS DISTINCT FROM own.t OR NOT i.indisvalid OR own.u <> i.indisunique
ORDER BY 1"""
"""Which indexes of schema.sql are not as it makes them: for IF NOT EXISTS any relation of the name
will do, whatever it is and on whichever table.
"""


def check_names(db: DBManager, transaction: str) -> None:
    """Raise DatabaseFault where something else has the name of an index of schema.sql."""
    own = [
        {"name": name, "t": table, "u": unique}
        for name, (table, unique) in own_schema().indexes.items()
    ]
    taken = db.execute(NAMES_SQL, {"own": json.dumps(own)}, transaction)
    for name, table, other in taken[:1]:
        what = f"an index on {other} that is not ours" if other else "no index"
        more = f", and {len(taken) - 1} more" if len(taken) > 1 else ""
        raise DatabaseFault(
            f"schema.sql is not applied: {name}, which is to be an index on {table}, is {what}"
            f"{more}: rename or drop it"
        )


def apply(db: DBManager, statement: str, transaction: str, deadline: float) -> None:
    """Run a statement, however long it takes: an index over many rows outlasts its call."""
    try:
        db.execute(statement, {}, transaction, continueAfterTimeout=True)
        return
    except Transient as transient:
        if TIMED_OUT not in str(transient):
            raise
    log_event("INFO", f"{heading(statement)}: takes over 45 s, waiting for it")
    while True:
        wait(5.0)
        try:
            db.execute("SELECT 1", {}, transaction)
            return
        except Transient as transient:
            if STILL_RUNNING not in str(transient) or time.monotonic() > deadline:
                what = f"{heading(statement)} takes too long for the Data API: apply it with psql"
                raise DatabaseFault(f"schema.sql is not applied: {what}") from transient


def heading(statement: str) -> str:
    """The first words of a statement, with the name of what it makes."""
    return re.split(r"[(;]|\bAS\b", " ".join(statement.split()))[0].strip()[:100]


def failure(statement: str, error: Exception) -> DatabaseFault:
    """Which statement failed and why, in one line."""
    from botocore.exceptions import ClientError

    cause = error if isinstance(error, ClientError) else error.__cause__
    message = cause.response["Error"]["Message"] if isinstance(cause, ClientError) else str(error)
    text = f"schema.sql is not applied: {heading(statement)}: {without_values(message)}"
    if twice := re.search(r'could not create unique index "(\w+)_key"', message):
        key = " ".join(own_schema().keys.get(twice[1], "").split())
        query = f"SELECT {key}, count(*) FROM {twice[1]} GROUP BY {key} HAVING count(*) > 1"
        text += f": {twice[1]} has rows of one key; find them with {query}"
    return DatabaseFault(text)
