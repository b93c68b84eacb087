"""What the database alone could do: the same rows by COPY and one upsert per table.

The rows that receiver.py has loaded are exported, ids included, and loaded into another database
with the same schema: COPY into a temporary table, then INSERT … SELECT … ON CONFLICT, all tables
in one transaction as a document is. Only that is timed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from observability.loaders import TABLES
from tests.cloud import EmbeddedCloud

SCHEMA = Path(__file__).parents[2] / "schema.sql"
OWNERS = ("accounts", "documents", "products")

Connection = psycopg.Connection[tuple[Any, ...]]

COLUMNS = """
SELECT attname::text FROM pg_attribute
WHERE attrelid = CAST(%s AS regclass) AND attnum > 0 AND attname <> 'id'"""

# The natural key, column by column or expression by expression.
KEY = """
SELECT pg_get_indexdef(indexrelid, n, false)
FROM pg_index, generate_series(1, indnkeyatts) n
WHERE indexrelid = CAST(%s AS regclass) ORDER BY n"""


@dataclass(frozen=True)
class Limit:
    """Rows, and seconds to load them into an empty database and then unchanged again."""

    rows: int
    first: float
    again: float


def limit_of(embedded: EmbeddedCloud, loaded: str) -> Limit:
    """The limit for the rows that the database `loaded` has."""
    database = embedded.create_database()
    with (
        psycopg.connect(embedded.postgres.dsn_for(loaded)) as source,
        psycopg.connect(embedded.postgres.dsn_for(database)) as target,
    ):
        target.execute(SCHEMA.read_bytes())
        copy_owners(source, target)
        names = dict.fromkeys(table.stored_in or name for name, table in TABLES.items())
        exported = {name: list(export(source, name)) for name in names if name not in OWNERS}
        rows = sum(piece.count(b"\n") for pieces in exported.values() for piece in pieces)
        limit = Limit(rows, load(target, exported), load(target, exported))
    embedded.postgres.drop_database(database)
    return limit


def copy_owners(source: Connection, target: Connection) -> None:
    """Copy what the rows hang on; accounts and documents point at each other."""
    target.execute("SET session_replication_role = replica")
    for name in OWNERS:
        statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))
        with target.cursor().copy(statement) as copy:
            for piece in export(source, name):
                copy.write(piece)
    target.execute("SET session_replication_role = origin")
    target.commit()


def export(source: Connection, table: str) -> Iterator[bytes]:
    statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
    with source.cursor().copy(statement) as copy:
        yield from (bytes(piece) for piece in copy)


def load(target: Connection, exported: Mapping[str, list[bytes]]) -> float:
    """Load all tables; the seconds that it took."""
    statements = {name: upsert(target, name) for name in exported}
    started = time.perf_counter()
    for name, pieces in exported.items():
        batch = sql.Identifier(f"batch_{name}")
        target.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(
                batch, sql.Identifier(name)
            )
        )
        with target.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(batch)) as copy:
            for piece in pieces:
                copy.write(piece)
        target.execute(statements[name])
    target.commit()
    return time.perf_counter() - started


def upsert(target: Connection, table: str) -> sql.Composed:
    """Insert what is new and update what differs, out of the temporary table."""
    columns = [
        sql.Identifier(name) for (name,) in target.execute(COLUMNS.encode(), (table,)).fetchall()
    ]
    key = [sql.SQL(text) for (text,) in target.execute(KEY.encode(), (f"{table}_key",)).fetchall()]
    return sql.SQL("""
        INSERT INTO {table} AS t SELECT * FROM {batch} ON CONFLICT ({key}) DO UPDATE
        SET {changes} WHERE ({stored}) IS DISTINCT FROM ({incoming})""").format(
        table=sql.Identifier(table),
        batch=sql.Identifier(f"batch_{table}"),
        key=sql.SQL(", ").join(key),
        changes=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in columns),
        stored=sql.SQL(", ").join(sql.SQL("t.") + name for name in columns),
        incoming=sql.SQL(", ").join(sql.SQL("excluded.") + name for name in columns),
    )
