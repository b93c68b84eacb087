"""A database of its own with a receiver in this process, fed document by document."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

import receiver
from observability.loaders import TABLES
from observability.loaders.cost import PARTIAL_UPDATED_BY
from observability.receiving.result import FileResult
from observability.settings.receiver import Settings
from tests import documents
from tests.cloud import EmbeddedCloud
from tests.documents import Document

Rows = dict[str, list[dict[str, Any]]]

# What a load decides by itself, and may differ between two loads of the same documents.
SURROGATES = {"id", "document_id", *PARTIAL_UPDATED_BY.values()}
LOAD_TIMES = {
    name: {"created_at", "updated_at"} - set(table.aws_times) for name, table in TABLES.items()
}
STORED = tuple(name for name, table in TABLES.items() if not table.stored_in)
PARENTS = {
    "account_id": "accounts",
    "security_id": "security",
    "cost_report_id": "cost_reports",
    "config_report_id": "config_reports",
    "log_id": "logs",
    "product_id": "products",
}


@dataclass
class Warehouse:
    """A database of its own with a receiver in this process, fed document by document."""

    embedded: EmbeddedCloud
    bucket: str
    database: str

    def __post_init__(self) -> None:
        environment = self.embedded.environment(self.embedded.analytics.id)
        self.s3 = self.embedded.client("s3", self.embedded.analytics.id)
        self.settings = Settings(
            bucket=self.bucket,
            cluster_arn=environment["AURORA_CLUSTER_ARN"],
            secret_arn=environment["AURORA_SECRET_ARN"],
            database=self.database,
            region=environment["REGION"],
            kms_key=None,
            patience=60.0,
        )
        self.receiver = receiver.start(self.settings, again=True)

    def load(self, made: Document, key: str) -> FileResult:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=documents.encode(made))
        found = self.receiver.s3.find(key)
        assert found
        return self.receiver.load_file(found)

    def query(self, statement: str, *, fetch: bool = True) -> list[dict[str, Any]]:
        with connected(self.embedded.postgres.dsn_for(self.database)) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if fetch else []

    def rows(self) -> Rows:
        """All rows of all tables, ids of other rows replaced by what those rows are."""
        with connected(self.embedded.postgres.dsn_for(self.database)) as connection:
            raw = {
                name: connection.execute(
                    sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))
                ).fetchall()
                for name in (*STORED, "products")
            }
        return {
            name: sorted(readable(name, rows, raw), key=by_columns) for name, rows in raw.items()
        }

    def empty(self) -> None:
        with psycopg.connect(self.embedded.postgres.dsn_for(self.database)) as connection:
            connection.execute("TRUNCATE accounts, products CASCADE")


def by_columns(row: Mapping[str, Any]) -> str:
    """Sorts rows by their values, whatever the order of the table's columns."""
    return repr(sorted(row.items()))


class Kept(threading.local):
    """The connection to the database that this thread asked last.

    To begin one takes as long as ten queries.
    """

    def __init__(self) -> None:
        self.dsn = ""
        self.connection: psycopg.Connection[dict[str, Any]] | None = None

    def open(self, dsn: str) -> psycopg.Connection[dict[str, Any]]:
        if self.connection is None or self.connection.closed or self.dsn != dsn:
            self.close()
            self.dsn = dsn
            self.connection = psycopg.connect(
                dsn, row_factory=dict_row, autocommit=True, prepare_threshold=None
            )
        return self.connection

    def close(self) -> None:
        """Leave the database, say because it is to be copied: nobody may be using it then."""
        if self.connection is not None:
            self.connection.close()


KEPT = Kept()


@contextmanager
def connected(dsn: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection with a transaction; what that sets is forgotten in the end."""
    connection = KEPT.open(dsn)
    try:
        with connection.transaction():
            yield connection
    finally:
        if not connection.closed:
            connection.execute("DISCARD ALL")


NAMES = {
    "accounts": ("account_id", "region"),
    "security": ("service",),
    "cost_reports": ("period_start", "period_granularity"),
    "config_reports": ("date_from",),
    "logs": ("date_created",),
    "products": ("name",),
    "inventory_instances": ("instance_id",),
}


def readable(table: str, rows: Sequence[Mapping[str, Any]], raw: Rows) -> Iterator[dict[str, Any]]:
    names = {
        parent: {row["id"]: tuple(str(row[c]) for c in columns) for row in raw[parent]}
        for parent, columns in NAMES.items()
    }
    ignored = SURROGATES | LOAD_TIMES.get(table, {"created_at", "updated_at"})
    if table in ("inventory_applications", "inventory_patches"):
        references = PARENTS | {"instance_id": "inventory_instances"}
    else:
        references = PARENTS if table != "accounts" else {}
    for row in rows:
        yield {
            column: names[references[column]].get(value) if column in references else value
            for column, value in row.items()
            if column not in ignored
        }
