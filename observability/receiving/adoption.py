"""Taking over a database of the public sample: its tables move aside, and are loaded from there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol

from observability.database.catalogue import is_of_sample
from observability.database.client import DBManager
from observability.database.initialize import init_schema
from observability.database.sample import SampleAccount, SampleReader, sample_accounts
from observability.database.schema import own_schema, schema_text, split_statements
from observability.errors import DatabaseFault, Rejected, UsageError
from observability.log import log_event
from observability.receiving.files import File
from observability.receiving.result import FileResult, FileStatus, failed, log_result, summary
from observability.settings.receiver import Settings

NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}", re.ASCII)

OF_PUBLIC_SQL = """
SELECT c.relname::text, c.relkind::text FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace
  AND (c.relkind IN ('v', 'm') OR (c.relkind IN ('r', 'p') AND c.relname = ANY(
        SELECT jsonb_array_elements_text(CAST(:tables AS jsonb)))))
ORDER BY c.oid"""

TABLES_SQL = """
SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :name AND c.relkind IN ('r', 'p')"""

NEWEST_SQL = """
SELECT to_char(max(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') FROM (
    SELECT max(coalesce(updated_at, created_at)) AS at FROM {name}.accounts
    WHERE id = ANY(CAST(:ids AS integer[]))
    UNION ALL SELECT max(date_created) FROM {name}.logs
    WHERE account_id = ANY(CAST(:ids AS integer[]))) t"""

PRODUCTS_SQL = """
INSERT INTO products AS p (name, owner, position, description)
SELECT DISTINCT ON (lower(name)) name, coalesce(owner, 'System'), position, description
FROM {name}.products ORDER BY lower(name), coalesce(owner, 'System') = 'System', id
ON CONFLICT (key_text(lower(name))) DO UPDATE
SET owner = CASE p.owner WHEN 'System' THEN excluded.owner ELSE p.owner END,
    position = coalesce(p.position, excluded.position),
    description = coalesce(p.description, excluded.description)"""

ACCOUNT_SQL = """
INSERT INTO accounts (account_id, region) VALUES (:account, :region) ON CONFLICT DO NOTHING"""

LINKS_SQL = """
INSERT INTO product_accounts (product_id, account_id)
SELECT DISTINCT p.id, a.id FROM {name}.product_accounts l
JOIN {name}.products s ON s.id = l.product_id AND s.owner <> 'System'
JOIN products p ON lower(p.name) = lower(s.name)
JOIN accounts a ON a.account_id = :account AND a.region = :region
WHERE l.account_id = ANY(CAST(:ids AS integer[]))
ON CONFLICT DO NOTHING"""
"""Links to products that are not of 'System': people made them."""

VIEWS_SQL = """
SELECT c.relname::text, pg_get_viewdef(c.oid), coalesce(obj_description(c.oid, 'pg_class'), ''),
       coalesce((SELECT string_agg(DISTINCT quote_ident(r.rolname), ', ')
                 FROM aclexplode(c.relacl) g JOIN pg_roles r ON r.oid = g.grantee
                 WHERE g.privilege_type = 'SELECT' AND g.grantee <> c.relowner), ''),
       coalesce('WITH (' || array_to_string(c.reloptions, ', ') || ')', '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :name AND c.relkind = 'v'
  AND to_regclass('public.' || quote_ident(c.relname)) IS NULL
ORDER BY c.oid"""


def take_schema(settings: Settings, name: str) -> None:
    """Move the sample's tables to the schema `name` and apply schema.sql, all or nothing.

    UsageError where there are none, neither in public nor in `name`.
    """
    if not NAME.fullmatch(name) or name == "public" or name.startswith("pg_"):
        raise UsageError(f"--adopt-schema {name!r}: a name of a-z, 0-9 and _, but not public")
    db = DBManager(settings)
    if db.execute("SELECT quote_ident(:name)", {"name": name}) != [[name]]:
        raise UsageError(f"--adopt-schema {name}: a word of SQL; give another name")
    there = {record[0] for record in db.execute(TABLES_SQL, {"name": name})}
    sample = is_sample(db)
    if sample and there:
        raise UsageError(f"--adopt-schema {name}: that schema has tables already; name another one")
    if not sample and "accounts" not in there:
        raise UsageError(
            f"--adopt-schema {name}: the sample's tables are neither in public nor there"
        )

    def move(transaction: str) -> None:
        if sample:
            move_aside(db, name, transaction)

    init_schema(db, list(split_statements(schema_text())), move)


def is_sample(db: DBManager) -> bool:
    """Whether schema public has the sample's tables."""
    return is_of_sample(db.names())


def move_aside(db: DBManager, name: str, transaction: str) -> None:
    """Move the sample's tables, the views and the type to a schema of their own."""
    db.execute(f"CREATE SCHEMA IF NOT EXISTS {name}", {}, transaction)
    tables = json.dumps(sorted(own_schema().tables))
    moved = db.execute(OF_PUBLIC_SQL, {"tables": tables}, transaction)
    kinds = {"r": "TABLE", "p": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW"}
    for relation, kind in moved:
        db.execute(f'ALTER {kinds[kind]} public."{relation}" SET SCHEMA {name}', {}, transaction)
    db.execute(f"ALTER TYPE public.period_granularity_type SET SCHEMA {name}", {}, transaction)
    log_event("INFO", f"{len(moved)} tables and views of the sample are in the schema {name}")


class Loading(Protocol):
    """What loads a document: the receiver."""

    @property
    def db(self) -> DBManager: ...

    def load_document(self, file: File, chunks: Iterator[bytes]) -> FileResult: ...


def adopt(settings: Settings, name: str, start: Callable[[Settings], Loading]) -> int:
    """Take over a database of the public sample's; returns the exit code."""
    started = time.monotonic()
    take_schema(settings, name)
    receiver = start(settings)
    results = load_schema(receiver, name)
    print(summary(results, time.monotonic() - started))
    created, problems = create_views(receiver.db, name)
    print(f"{created} views created", *problems, sep="\n")
    return int(failed(results) or bool(problems))


def load_schema(receiver: Loading, name: str) -> Sequence[FileResult]:
    """Load each account of the schema as a document of its own, in a transaction each."""
    db = receiver.db
    db.execute(PRODUCTS_SQL.format(name=name), {})
    tables = frozenset(record[0] for record in db.execute(TABLES_SQL, {"name": name}))
    reader = SampleReader(db, name, tables)
    accounts = sample_accounts(db, name, db.client.meta.region_name)
    return [load_account(reader, account, receiver) for account in accounts]


def load_account(reader: SampleReader, account: SampleAccount, receiver: Loading) -> FileResult:
    """Load one account; what is wrong with it is told and stays its own."""
    started = time.monotonic()
    ids = "{" + ",".join(map(str, account.ids)) + "}"
    stated = reader.db.execute(NEWEST_SQL.format(name=reader.schema), {"ids": ids})[0][0]
    newest = datetime.fromisoformat(stated).astimezone(UTC)
    key = f"adopted/{reader.schema}/{account.number}/{account.region}"
    identity = (account.number, account.region, newest.date(), "ADOPTED")
    own = {"account": account.number, "region": account.region}
    try:
        reader.db.execute(ACCOUNT_SQL, own)
        reader.db.execute(LINKS_SQL.format(name=reader.schema), {**own, "ids": ids})
        file = File(key, "adopted", 0, newest, *identity)
        result = receiver.load_document(file, reader.document(account))
    except Rejected as refused:
        result = FileResult(key, FileStatus.REJECTED, reasons=refused.reasons)
    except DatabaseFault as fault:
        result = FileResult(key, FileStatus.FAILED, reasons=(str(fault),))
    result.seconds = time.monotonic() - started
    log_result(result)
    return result


def create_views(db: DBManager, name: str) -> tuple[int, list[str]]:
    """Create the views: how many were, and why others could not be."""
    with db.transaction() as transaction:
        path = "SELECT set_config('search_path', :path, true)"
        db.execute(path, {"path": name}, transaction)
        views = db.execute(VIEWS_SQL, {"name": name}, transaction)
        db.execute(path, {"path": "public"}, transaction)
        tried = [create_view(db, transaction, view, about) for view, *about in views]
    failures = [why for why in tried if why]
    return len(views) - len(failures), failures


def create_view(db: DBManager, transaction: str, view: str, about: Sequence[str]) -> str | None:
    """Create a view of the sample on our tables; None, or why not."""
    from botocore.exceptions import ClientError

    definition, comment, roles, options = about  # security_invoker is among the options
    db.execute("SAVEPOINT view", {}, transaction)
    try:
        db.execute(f'CREATE VIEW "{view}" {options} AS {definition}', {}, transaction)
        if comment:
            text = comment.replace("'", "''")
            db.execute(f"COMMENT ON VIEW \"{view}\" IS '{text}'", {}, transaction)
        if roles:
            db.execute(f'GRANT SELECT ON "{view}" TO {roles}', {}, transaction)
    except (ClientError, DatabaseFault, Rejected) as error:
        db.execute("ROLLBACK TO SAVEPOINT view", {}, transaction)
        message = (
            error.response["Error"]["Message"] if isinstance(error, ClientError) else str(error)
        )
        return f"the view {view} is not created: {' '.join(message.split())}"
    return None
