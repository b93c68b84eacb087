"""How PostgreSQL would run every statement of the receiver: EXPLAIN of what it really sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from observability.database.client import DBManager
from observability.database.merge import LOAD_SQL, SEEN_SQL
from observability.settings.receiver import Settings
from tests.cloud.rdsdata.scanner import scan

Connection = psycopg.Connection[tuple[Any, ...]]


class RecordingDB(DBManager):
    """The receiver's database, which remembers the statements that it was given."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.statements: list[tuple[str, dict[str, Any]]] = []

    def execute(
        self, sql: str, parameters: Any, transaction: str | None = None, **more: Any
    ) -> list[list[Any]]:
        self.statements.append((sql, dict(parameters)))
        return super().execute(sql, parameters, transaction, **more)


@dataclass(frozen=True)
class Statement:
    """A statement with `$1` and so on, their types and values; a step is run by run_steps."""

    text: str
    types: tuple[str, ...]
    values: tuple[str, ...]
    table: str = ""  # a step's

    @property
    def is_step(self) -> bool:
        return bool(self.table)

    @property
    def name(self) -> str:
        """A step's table; else what it writes to, which table it reads, or how it begins."""
        if self.table:
            return self.table
        written = re.search(r'(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?', self.text)
        read = re.search(r'FROM "(\w+)"', self.text)
        named = written or read
        return named[1] if named else self.text.strip().partition("\n")[0]


STEP_TYPES = ("bigint", "jsonb", "jsonb", "bigint", "text", "text", "timestamptz", "boolean")
KEPT = b"SELECT sql FROM statements WHERE digest = %s"
OF_DOCUMENT = b"""
SELECT id, account_id, day_order, time_order, collected_at, with_meta
FROM documents ORDER BY id DESC LIMIT 1"""
"""What run_steps gives a statement, and their types; rows and scopes come after the first."""


def statements(connection: Connection, db: RecordingDB) -> Iterator[Statement]:
    """What ran for the newest document, the steps of load_document one by one."""
    [about] = connection.execute(OF_DOCUMENT).fetchall()
    document, *orders = map(str, about)
    for text, parameters in db.statements:
        if text != LOAD_SQL:
            scanned = scan(text)
            types = tuple("bigint" if isinstance(parameters[n], int) else "text"
                          for n in scanned.names)  # fmt: skip
            values = tuple(str(parameters[name]) for name in scanned.names)
            yield Statement(scanned.text.decode(), types, values)
            continue
        for step in json.loads(parameters["steps"]):
            values = (document, json.dumps(step["rows"]), json.dumps(step["scopes"]), *orders)
            for name in filter(None, map(step.get, ("sql", "insert", "unchanged"))):
                [[text]] = connection.execute(KEPT, (name,)).fetchall()
                yield Statement(text, STEP_TYPES, values, step["table"])


def scans_of_big_tables(connection: Connection, db: RecordingDB, big: int) -> tuple[int, list[str]]:
    """How many statements were explained, and `statement: table` where one reads a whole table.

    A table is `big` from so many rows on.
    """
    tables = big_tables(connection, big)
    connection.execute(SEEN_SQL.encode())
    explained, scans = 0, []
    for statement in statements(connection, db):
        if statement.text == SEEN_SQL:
            continue
        explained += 1
        plan = explain(connection, statement)
        for table in scanned_tables(plan):
            if table in tables:
                scans.append(f"{statement.name}: {table}")
    connection.rollback()
    return explained, scans


def big_tables(connection: Connection, big: int) -> set[str]:
    """Tables with so many rows, by their statistics."""
    statement = """
        SELECT relname::text FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples >= %s"""
    return {str(name) for (name,) in connection.execute(statement.encode(), (big,))}


def explain(connection: Connection, statement: Statement) -> Any:
    """The plan of a statement for its own values, a step's with the settings of run_steps."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        for setting in step_settings(connection) if statement.is_step else ():
            connection.execute("SELECT set_config(%s, %s, true)", setting.split("="))
        types = f"({', '.join(statement.types)})" if statement.types else ""
        connection.execute(f"PREPARE statement{types} AS {statement.text}".encode(), prepare=False)
        arguments = sql.SQL(", ").join(map(sql.Literal, statement.values))
        template = "EXPLAIN (FORMAT JSON) EXECUTE statement"
        query = sql.SQL(template + ("({})" if statement.types else "")).format(arguments)
        plan = connection.execute(query, prepare=False).fetchall()[0][0]
        connection.execute("DEALLOCATE statement")
    return plan


def step_settings(connection: Connection) -> list[str]:
    """The settings that run_steps runs its steps with."""
    statement = "SELECT proconfig FROM pg_proc WHERE proname = 'run_steps'"
    return list(connection.execute(statement.encode()).fetchall()[0][0])


def scanned_tables(plan: Any) -> Iterator[str]:
    """Names of the tables that a plan reads from one end to the other, by an index or not."""
    if isinstance(plan, list):
        for part in plan:
            yield from scanned_tables(part)
    elif isinstance(plan, dict):
        kind = plan.get("Node Type", "")
        if kind == "Seq Scan" or (kind.startswith("Index") and "Index Cond" not in plan):
            yield plan["Relation Name"]
        for part in plan.values():
            yield from scanned_tables(part)
