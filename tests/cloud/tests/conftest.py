"""A Data API over a database of its own, and an account that tests only read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from tests.cloud import Account, EmbeddedCloud, Size, generate
from tests.cloud.organization import Organization
from tests.cloud.postgres import Postgres
from tests.cloud.tests.data_api import DATABASE, SCHEMA, Database, serve
from tests.conftest import REGIONS


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with Postgres() as running:
        running.create_database(DATABASE)
        with psycopg.connect(running.dsn_for(DATABASE)) as connection:
            connection.execute(SCHEMA)
        yield running


@pytest.fixture(scope="session")
def served(server: Postgres) -> Iterator[Database]:
    with serve(server) as database:
        yield database


@pytest.fixture
def db(served: Database) -> Iterator[Database]:
    """The database with empty tables and without faults."""
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE target, item, counter")
    served.api.faults.clear()
    served.api.forget_calls()
    yield served
    served.api.faults.clear()


@pytest.fixture(scope="session")
def shared_account(running_cloud: EmbeddedCloud) -> Account:
    """A small account that tests only read; it pays for an organization of two."""
    today = datetime.now(UTC).date()
    payer = running_cloud.add(generate("299999999999", Size.small(), 3, today, REGIONS))
    member = running_cloud.add(generate("299999999998", Size.empty(), 3, today, REGIONS))
    organization = Organization(payer)
    organization.delegate(organization.join(member), "guardduty.amazonaws.com")
    running_cloud.cloud.organizations.append(organization)
    return payer
