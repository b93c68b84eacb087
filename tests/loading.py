"""An account that was collected and loaded, and the database that it is in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

import receiver
import sender
from observability.receiving.result import FileResult
from tests.cloud import Account, EmbeddedCloud, Size, generate
from tests.cloud.organization import Organization
from tests.collectors.truth import Place
from tests.conftest import REGIONS
from tests.runs import Document, Row
from tests.warehouse import Warehouse

HOME, OTHER = REGIONS


@dataclass
class Loaded:
    """An account that was collected and loaded, and the database that it is in."""

    embedded: EmbeddedCloud
    account: Account
    database: str
    documents: list[Document]
    results: list[FileResult]

    def query(self, statement: str, *values: Any) -> list[Row]:
        """The rows of a query."""
        dsn = self.embedded.postgres.dsn_for(self.database)
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def rows(self, table: str, region: str) -> list[Row]:
        """A table's rows of the account in a region, machines by AWS's names of them."""
        own = {row["column_name"] for row in self.columns() if row["table_name"] == table}
        machines = table in ("inventory_applications", "inventory_patches")
        name = "i.instance_id" if machines else "1"
        join = "JOIN inventory_instances i ON i.id = t.instance_id" if machines else ""
        found = self.query(
            f"""SELECT t.*, {name} AS machine FROM {table} t
                JOIN accounts a ON a.id = t.account_id {join}
                WHERE a.account_id = %s AND a.region = %s""",
            self.account.id,
            region,
        )
        if machines:
            found = [row | {"instance_id": row["machine"]} for row in found]
        return [{column: row[column] for column in own} for row in found]

    def columns(self) -> list[Row]:
        """(table_name, column_name) of all columns."""
        return self.query(
            """SELECT table_name::text, column_name::text FROM information_schema.columns
               JOIN information_schema.tables USING (table_schema, table_name)
               WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"""
        )

    def place(self, document: Document) -> Place:
        """Where and when a document is about."""
        held = document["meta"]
        start = datetime.fromisoformat(held["period"]["start"]).date()
        others = tuple(set(self.account.regions) - {held["region"]})
        end = start + timedelta(days=1)
        return Place(self.account, held["region"], start, end, others=others)


def collect(embedded: EmbeddedCloud, account: Account, bucket: str, *flags: str) -> int:
    """Run the sender for an account; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (embedded.environment(account.id) | {"BUCKET": bucket}).items():
            patch.setenv(name, value)
        return sender.main(flags)


def load(warehouse: Warehouse) -> list[FileResult]:
    """Load everything that waits in the bucket."""
    return receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))


def collect_and_load(
    embedded: EmbeddedCloud, account: Account, database: str, *flags: str
) -> Loaded:
    """Bring an account into a database, through a bucket of its own."""
    bucket = embedded.create_bucket()
    assert collect(embedded, account, bucket, *flags) == 0
    with pytest.MonkeyPatch.context() as patch:
        for name, value in embedded.environment(embedded.analytics.id).items():
            patch.setenv(name, value)
        results = load(Warehouse(embedded, bucket, database))
    return Loaded(embedded, account, database, documents_of(embedded, bucket), results)


def documents_of(embedded: EmbeddedCloud, bucket: str) -> list[Document]:
    """The documents that were loaded, the home region's first."""
    s3 = embedded.client("s3", embedded.analytics.id)
    keys = [held["Key"] for held in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert all(key.startswith("loaded/") for key in keys)
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
    found = [json.loads(body, parse_float=Decimal) for body in bodies]
    return sorted(found, key=lambda made: made["meta"]["region"] != HOME)


@pytest.fixture(scope="session")
def loaded(running_cloud: EmbeddedCloud, schema_database: str) -> Iterator[Loaded]:
    """A small account of an organization, two regions of it collected and loaded."""
    today = datetime.now(UTC).date()
    account = running_cloud.add(generate("288888888803", Size.small(), 7, today, REGIONS))
    running_cloud.cloud.organizations.append(Organization(account))
    database = running_cloud.create_database(template=schema_database)
    flags = ("--regions", ",".join(REGIONS), "--reserved-capacity", "--cost-tags", "team,project")
    yield collect_and_load(running_cloud, account, database, *flags)
    running_cloud.data_api.release_sessions()
    running_cloud.postgres.drop_database(database)
