"""A small organization that has been observed for a month, in a database that tests only read."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from observability.settings.receiver import Settings
from tests.bench.estate import generate_estate
from tests.cloud import EmbeddedCloud

ACCOUNTS, DAYS = 30, 40


@pytest.fixture(scope="session")
def estate_database(running_cloud: EmbeddedCloud, schema_database: str) -> Iterator[str]:
    """The name of the database."""
    name = running_cloud.create_database(template=schema_database)
    with psycopg.connect(running_cloud.postgres.dsn_for(name), autocommit=True) as connection:
        generate_estate(connection, ACCOUNTS, DAYS)
    yield name
    running_cloud.data_api.release_sessions()
    running_cloud.postgres.drop_database(name)


def settings_for(embedded: EmbeddedCloud, database: str) -> Settings:
    """The settings of somebody who reads a database."""
    environment = embedded.environment(embedded.analytics.id)
    return Settings(
        bucket="",
        cluster_arn=environment["AURORA_CLUSTER_ARN"],
        secret_arn=environment["AURORA_SECRET_ARN"],
        database=database,
        region=environment["REGION"],
        patience=30.0,
    )


@pytest.fixture
def credentials(embedded: EmbeddedCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The analytics account's user, in this process."""
    for name, value in embedded.environment(embedded.analytics.id).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def estate(embedded: EmbeddedCloud, estate_database: str, credentials: None) -> Settings:
    """What reads the estate."""
    return settings_for(embedded, estate_database)
