"""Fixtures that all tests share: one embedded cloud per test process, fresh things per test.

The cloud is started by the first test that asks for it. Each test gets its switches, faults and
call log as new, and may have an account, a bucket and a database of its own at little cost.
"""

from __future__ import annotations

import functools
import gc
import itertools
import logging
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import botocore.session
import hypothesis
import psycopg
import pytest
from botocore.loaders import create_loader

from observability.log import LOGGER, OF_RUN
from observability.receiving.setup import keep_statements
from tests.cloud import Account, Cloud, EmbeddedCloud, Size, generate
from tests.cloud.validation import InvalidAnswerError
from tests.warehouse import Warehouse

pytest_plugins = ("tests.runs", "tests.loading", "tests.faults", "tests.party", "tests.family")
# Helpers assert too: their failures are to show values as those of tests do.
pytest.register_assert_rewrite(
    *(f"tests.collectors.{name}" for name in ("reading", "registry", "truth"))
)

ANALYTICS = "111122223333"
REGIONS = ("us-east-1", "eu-west-1")
SCHEMA = Path(__file__).parents[1] / "schema.sql"

MakeAccount = Callable[..., Account]
MakeEnvironment = Callable[[Account], dict[str, str]]

_account_numbers = itertools.count(300_000_000_001)

# The same examples in each run, and no deadline: what fails is about the change at hand, not about
# chance or a busy machine. `pytest --hypothesis-profile=default` draws others.
hypothesis.settings.load_profile("ci")


MADE_ONCE = (
    "packages", "wheel", "project", "up", "loaded", "whole", "estate", "estate_database", "server",
    "start", "end",
)  # fmt: skip
"""Fixtures that take seconds and that tests only read."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that share such a fixture in one process, so that it is made once."""
    for item in items:
        wanted = getattr(item, "fixturenames", ())
        for name in MADE_ONCE:
            if name in wanted:
                item.add_marker(pytest.mark.xdist_group(name))
                break


def pytest_collection_finish() -> None:
    """Leave all that has been imported and collected out of the garbage collector's search."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of canned answers that are not AWS's in a line each, instead of what they broke."""
    report = yield
    embedded = getattr(item, "funcargs", {}).get("embedded")
    lines = {*embedded.gateway.invalid_answers} if embedded else set()
    if call.excinfo and isinstance(call.excinfo.value, InvalidAnswerError):
        lines.add(str(call.excinfo.value))
    if report.failed and lines:
        report.longrepr = "\n".join(sorted(lines))
        report.sections.clear()
    return report


@pytest.fixture(autouse=True)
def a_process_of_tests() -> None:
    """Let threads take turns as Python has it, and search for garbage less often than it does.

    Set for each test anew, since a receiver's command sets what is good for itself.
    """
    gc.set_threshold(50_000, 5, 3)
    sys.setswitchinterval(0.005)


@pytest.fixture(autouse=True)
def a_log_of_its_own() -> Iterator[None]:
    """Begin with the log as it is without -v: what others ask of it is nothing to this test.

    Others are the tests before, and fixtures of the whole session that run a script.
    """
    handlers = [*LOGGER.handlers]
    LOGGER.setLevel(logging.INFO)
    yield
    LOGGER.handlers[:] = handlers
    OF_RUN.clear()


@pytest.fixture(scope="session", autouse=True)
def no_real_aws() -> Iterator[None]:
    """Nothing of the machine's own AWS settings may reach a test, or a test the real AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


class Clock:
    """The monotonic clock, by which runs know how much time they have left."""

    def __init__(self) -> None:
        self._read = time.monotonic
        self._ahead = 0.0

    def __call__(self) -> float:
        return self._read() + self._ahead

    def forward(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += seconds

    def stop(self) -> None:
        """Let no time pass any longer, however long anything takes."""
        now = self()
        self._read, self._ahead = lambda: now, 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of this process, in the hands of the test."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture(scope="session", autouse=True)
def models_are_parsed_once() -> Iterator[None]:
    """Let botocore's sessions of this process share a loader, as the accounts of one run do.

    Else each run in this process parses the models of all services anew and leaves them to the
    garbage collector, which takes more time than all the rest of it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(create_loader))
        yield


@pytest.fixture(scope="session")
def running_cloud() -> Iterator[EmbeddedCloud]:
    """The one embedded cloud of this process; tests use `embedded`, which tidies up."""
    analytics = generate(ANALYTICS, Size.empty(), 1, datetime.now(UTC).date(), REGIONS)
    with EmbeddedCloud(Cloud.of(analytics)) as cloud:
        yield cloud


@pytest.fixture
def embedded(running_cloud: EmbeddedCloud) -> Iterator[EmbeddedCloud]:
    """The embedded cloud without switches, faults, logins, page size and calls of other tests."""
    running_cloud.forget_calls()
    running_cloud.gateway.invalid_answers.clear()
    logins = dict(running_cloud.data_api.logins)
    yield running_cloud
    running_cloud.data_api.logins.clear()
    running_cloud.data_api.logins.update(logins)
    running_cloud.cloud.page_size = None
    running_cloud.switches.reset()
    running_cloud.data_api.faults.clear()


@pytest.fixture
def make_account(embedded: EmbeddedCloud) -> MakeAccount:
    """Makes accounts that no other test sees: `make_account(Size.small(), regions=(...))`."""

    def make(
        size: Size | None = None, *, regions: tuple[str, ...] = REGIONS, seed: int = 7
    ) -> Account:
        account_id = str(next(_account_numbers))
        today = datetime.now(UTC).date()
        return embedded.add(generate(account_id, size or Size.small(), seed, today, regions))

    return make


@pytest.fixture
def bucket(embedded: EmbeddedCloud) -> str:
    """A new bucket of the analytics account."""
    return embedded.create_bucket()


@pytest.fixture(scope="session")
def schema_database(running_cloud: EmbeddedCloud) -> str:
    """The name of a database as --init-schema leaves it, to be copied and not to be used."""
    name = running_cloud.create_database()
    with psycopg.connect(running_cloud.postgres.dsn_for(name)) as connection:
        connection.execute(SCHEMA.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in running_cloud.environment(running_cloud.analytics.id).items():
            patch.setenv(variable, value)
        keep_statements(Warehouse(running_cloud, running_cloud.bucket, name).receiver.db)
    running_cloud.data_api.release_sessions()
    return name


@pytest.fixture
def database(embedded: EmbeddedCloud, schema_database: str) -> Iterator[str]:
    """The name of a new database with schema.sql applied."""
    name = embedded.create_database(template=schema_database)
    yield name
    embedded.data_api.release_sessions()
    embedded.postgres.drop_database(name)


@pytest.fixture
def environment_of(embedded: EmbeddedCloud, bucket: str, database: str) -> MakeEnvironment:
    """The environment of an account's user, with the bucket and database of this test."""

    def environment(account: Account) -> dict[str, str]:
        return embedded.environment(account.id) | {"BUCKET": bucket, "DB_NAME": database}

    return environment


@pytest.fixture
def warehouse(
    embedded: EmbeddedCloud, bucket: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> Warehouse:
    """A receiver in this process, with a bucket and a database of its own."""
    for name, value in embedded.environment(embedded.analytics.id).items():
        monkeypatch.setenv(name, value)
    return Warehouse(embedded, bucket, database)
